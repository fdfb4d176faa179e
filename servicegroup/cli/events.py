"""Events of a watch as lines: in words for people, as JSON objects for programs."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from servicegroup.cli.columns import attributes_in_words, timestamp
from servicegroup.cli.terminal import Terminal, one_line, printable
from servicegroup.model import EventType
from servicegroup.status import Event, MemberStatus

_STYLES = {
    EventType.JOINED: ("green",),
    EventType.UP: ("green",),
    EventType.DOWN: ("red",),
    EventType.UNKNOWN: ("yellow",),
    EventType.CHANGED: ("cyan",),
    EventType.LEFT: ("cyan",),
    EventType.READY: ("dim",),
    EventType.STALE: ("yellow",),
    EventType.FRESH: ("green",),
}
_WIDTH = max(len(kind.value) for kind in EventType)
_OF_THE_WATCH = {
    EventType.READY: "these are all there were; what follows are changes",
    EventType.STALE: "the store cannot be read, nobody can tell who is up: ",
    EventType.FRESH: "the store can be read again",
}


def in_words(event: Event, when: str, terminal: Terminal, who: str | None = None) -> str:
    """Return one line: time, event, member, reason.

    :param who: what to call the member; default: its id
    """
    kind = terminal.paint(event.type.value.ljust(_WIDTH), *_STYLES[event.type])
    if who is None:
        who = "-" if event.member_id is None else printable(event.member_id)
    return f"{terminal.paint(when, 'dim')}  {kind}  {who}  {reason(event)}".rstrip()


def as_json(event: Event, when: datetime) -> str:
    """Return one line: a JSON object with the same keys for every event."""
    status = event.status
    there = status is not None and event.type is not EventType.LEFT
    fields: dict[str, Any] = {
        "time": when.isoformat(timespec="milliseconds"),
        "event": event.type.value,
        "group": event.group_id,
        "member": event.member_id,
        "name": status and status.name,
        "hostname": status and status.hostname,
        "process_id": status and status.process_id,
        "state": status.state.value if status is not None and there else None,
        "reason": reason(event),
        "enabled": status and status.enabled,
        "version": status and status.member.version,
        "attributes": None if status is None else dict(status.attributes),
        "created_at": status and timestamp(status.created_at),
        "instance_id": status and status.member.instance_id,
        "incarnation": status and status.member.incarnation,
    }
    return json.dumps(fields)


def reason(event: Event) -> str:
    """Return in one line what happened."""
    status = event.status
    if status is None:
        return _OF_THE_WATCH[event.type] + printable(one_line(event.reason))
    if event.type is EventType.CHANGED and event.previous is not None:
        words = "; ".join(_changes(event.previous, status))
    elif event.type is EventType.JOINED and status.is_up:
        words = _origin(status)
    elif event.type is EventType.LEFT:
        words = ""
    else:
        words = status.reason
    return printable(one_line(words))


def _origin(status: MemberStatus) -> str:
    process = f", process {status.process_id}" if status.process_id else ""  # pods name none
    return f"{status.name}{process} on {status.hostname}"


def _changes(before: MemberStatus, after: MemberStatus) -> list[str]:
    changes = []
    if before.member.incarnation != after.member.incarnation:
        changes.append(f"a new life: {_origin(after)}")
    elif before.member.revision != after.member.revision:
        changes.append(f"attributes: {attributes_in_words(after.attributes)}")
    old, new = before.record, after.record
    if old is None or new is None:
        return changes
    if (old.disabled, old.disabled_reason) != (new.disabled, new.disabled_reason):
        changes.append(_said("disabled", new.disabled_reason) if new.disabled else "enabled")
    if (old.forced_down, old.forced_down_reason) != (new.forced_down, new.forced_down_reason):
        forced = _said("forced down", new.forced_down_reason)
        changes.append(forced if new.forced_down else "no longer forced down")
    if old.uuid != new.uuid:
        changes.append("a new service record")
    return changes


def _said(word: str, why: str | None) -> str:
    return f"{word}: {why}" if why else word
