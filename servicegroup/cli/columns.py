"""The columns of members: a value for machines and, in tables, words for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cliff.columns import FormattableColumn

from servicegroup.cli.terminal import OF_STATE, Terminal, printable
from servicegroup.model import State
from servicegroup.status import MemberStatus, in_words

#: What is shown where there is nothing to show.
NOTHING = "-"


class Cell(FormattableColumn[Any]):
    """One value: *value* in JSON, YAML, CSV and plain values, *words* in tables."""

    def __init__(self, value: Any, words: str | None = None) -> None:
        super().__init__(value)
        if words is None:
            words = NOTHING if value is None else printable(str(value))
        self._words = words

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Cell):
            return NotImplemented
        mine, others = self._value, other._value
        if mine is None or others is None:
            return mine is None and others is not None
        return bool(mine < others)

    def human_readable(self) -> str:
        """Return the words."""
        return self._words


def timestamp(when: datetime | None) -> str | None:
    """Return a time in ISO 8601 with its offset, to the second."""
    return None if when is None else when.astimezone(UTC).isoformat(timespec="seconds")


def verdict(state: State, terminal: Terminal) -> Cell:
    """Return a verdict in its colour."""
    return Cell(state.value, terminal.paint(state.value, OF_STATE[state]))


def seen(age: float | None) -> Cell:
    """Return a time that was *age* seconds ago, for people how long that is."""
    if age is None:
        return Cell(None)
    return Cell(timestamp(datetime.now(UTC) - timedelta(seconds=age)), f"{in_words(age)} ago")


def wall(seconds: float | None) -> Cell:
    """Return a wall time that is kept in seconds since 1970."""
    return Cell(None if seconds is None else timestamp(datetime.fromtimestamp(seconds, UTC)))


def listed(values: Sequence[str]) -> Cell:
    """Return several texts: a list for machines."""
    return Cell(list(values), ", ".join(map(printable, values)) or NOTHING)


def yes_no(value: bool) -> Cell:
    """Return whether."""
    return Cell(value, "yes" if value else "no")


def _status(status: MemberStatus, terminal: Terminal) -> Cell:
    return verdict(status.state, terminal)


def _uptime(status: MemberStatus, terminal: Terminal) -> Cell:  # noqa: ARG001
    uptime = status.uptime
    return Cell(None) if uptime is None else Cell(round(uptime, 3), in_words(uptime))


def _last_seen(status: MemberStatus, terminal: Terminal) -> Cell:  # noqa: ARG001
    return seen(status.liveness.age)


def _flapping(status: MemberStatus, terminal: Terminal) -> Cell:
    flaps = status.flapping
    if flaps is None:
        return Cell(None)
    since = timestamp(datetime.fromtimestamp(flaps.since, UTC))
    words = terminal.paint(f"came back {flaps.times} times since {since}", "yellow")
    return Cell({"times": flaps.times, "since": since}, words)


def _enabled(status: MemberStatus, terminal: Terminal) -> Cell:
    if status.enabled:
        return Cell(True, "yes")
    reason = status.record.disabled_reason if status.record is not None else None
    words = f"no: {printable(reason)}" if reason else "no"
    return Cell(False, terminal.paint(words, "yellow"))


def _forced_down(status: MemberStatus, terminal: Terminal) -> Cell:
    forced = status.record is not None and status.record.forced_down
    return Cell(forced, terminal.paint("yes", "red") if forced else "no")


def _attributes(status: MemberStatus, terminal: Terminal) -> Cell:  # noqa: ARG001
    return Cell(dict(status.attributes), attributes_in_words(status.attributes))


def attributes_in_words(attributes: Mapping[str, Any]) -> str:
    """Return attributes as they are given to ``run --attribute``, or a dash."""
    pairs = []
    for name, value in sorted(attributes.items()):
        words = value if isinstance(value, str) else json.dumps(value)
        pairs.append(printable(f"{name}={words}"))
    return ", ".join(pairs) or NOTHING


def _of_record(name: str) -> Callable[[MemberStatus, Terminal], Cell]:
    def cell(status: MemberStatus, terminal: Terminal) -> Cell:  # noqa: ARG001
        return Cell(None if status.record is None else getattr(status.record, name))

    return cell


def _time_of_record(name: str) -> Callable[[MemberStatus, Terminal], Cell]:
    def cell(status: MemberStatus, terminal: Terminal) -> Cell:  # noqa: ARG001
        return wall(None if status.record is None else getattr(status.record, name))

    return cell


_COLUMNS: Mapping[str, Callable[[MemberStatus, Terminal], Any]] = {
    "Name": lambda status, _: Cell(status.name),
    "Process Id": lambda status, _: Cell(status.process_id or None),
    "Hostname": lambda status, _: Cell(status.hostname),
    "Created At": lambda status, _: Cell(timestamp(status.created_at)),
    "Status": _status,
    "Uptime": _uptime,
    "Group": lambda status, _: Cell(status.group_id),
    "Member": lambda status, _: Cell(status.member_id),
    "Reason": lambda status, _: Cell(status.reason),
    "Last Seen": _last_seen,
    "Flapping": _flapping,
    "Enabled": _enabled,
    "Disabled Reason": _of_record("disabled_reason"),
    "Forced Down": _forced_down,
    "Forced Down Reason": _of_record("forced_down_reason"),
    "Version": lambda status, _: status.member.version,
    "Attributes": _attributes,
    "UUID": _of_record("uuid"),
    "Updated At": _time_of_record("updated_at"),
    "Left At": _time_of_record("left_at"),
    "Instance Id": lambda status, _: Cell(status.member.instance_id or None),
    "Incarnation": lambda status, _: status.member.incarnation,
}

#: What the service list specification shows, and the verdict.
SHORT = ("Name", "Process Id", "Hostname", "Created At", "Status", "Uptime")
LONG = (*SHORT, "Group", "Member", "Reason", "Last Seen", "Enabled", "Version", "Attributes")
#: All there is, the member's own id first.
ALL = ("Group", "Member", *(name for name in _COLUMNS if name not in ("Group", "Member")))


def row(status: MemberStatus, columns: Sequence[str], terminal: Terminal) -> list[Any]:
    """Return one member's values of these columns."""
    return [_COLUMNS[name](status, terminal) for name in columns]
