"""The property of order: a watch's events are an honest path of its picture."""

from collections.abc import Iterator, Sequence
from typing import Any

from faults.laboratory.journal import Entry

Description = dict[str, Any]


def order(entries: Sequence[Entry]) -> Iterator[tuple[float, str]]:
    """Tell where an observer's events are none of the changes of its own picture.

    No event without a change, none doubled; JOINED first and LEFT last of each life; a change of
    instance never swallowed; at the end the picture that they add up to is the view itself.
    """
    for who in sorted({entry["who"] for entry in entries if entry["what"] == "event"}):
        yield from _of_one([entry for entry in entries if entry["who"] == who])


def _of_one(entries: Sequence[Entry]) -> Iterator[tuple[float, str]]:
    path = _Path()
    for entry in entries:
        if entry["what"] == "view" and entry["fresh"]:
            yield from _compared(entry, path.picture)
        elif entry["what"] == "event":
            wrong = path.step(entry["type"], entry["member"], entry["before"], entry["now"])
            if wrong:
                yield entry["at"], f"{entry['who']} is told {wrong}"


class _Path:
    """What one observer knows, event by event."""

    def __init__(self) -> None:
        self.picture: dict[str, Description] = {}
        self._half: dict[str, Description] = {}  # {member: before CHANGED, whose state comes next}
        self._ready = self._stale = False

    def step(
        self, kind: str, member: str, before: Description | None, now: Description | None
    ) -> str:
        """Take one event in; returns what is wrong with it."""
        if kind == "ready":
            again, self._ready = self._ready, True
            return "READY again" if again else ""
        if kind in ("stale", "fresh"):
            again, self._stale = self._stale is (kind == "stale"), kind == "stale"
            return f"{kind.upper()} again" if again else ""
        known = self._half.pop(member, self.picture.get(member))
        half = known is not self.picture.get(member)
        if kind == "left":
            self.picture.pop(member, None)
        elif now is not None:
            self.picture[member] = now
            if kind == "changed" and known is not None and now["state"] != known["state"]:
                self._half[member] = known
        if before != known:
            return f"{kind.upper()} of {member} after {before}, but knew {known}"
        if now is None or kind in ("joined", "left"):
            return ""
        wrong = _wrong(kind, now, known, half)
        return f"{kind.upper()} of {member}, {wrong}" if wrong else ""


def _wrong(kind: str, now: Description, known: Description | None, half: bool) -> str:
    """Say what is wrong with a change; *half*: CHANGED was told, and the state comes now."""
    if known is None:
        return "who had not joined"
    if kind == "changed":
        return "without a change" if half or _same(now, known) else ""
    if now["state"] != kind or now["state"] == known["state"]:
        return f"who was {known['state']} and is {now['state']}"
    return "" if half or _same(now, known) else "that swallows a change"


def _same(now: Description, known: Description) -> bool:
    return bool(now["life"] == known["life"] and now["word"] == known["word"])


def _compared(view: Entry, picture: dict[str, Description]) -> Iterator[tuple[float, str]]:
    for member in sorted(picture.keys() | view["members"].keys()):
        told, seen = picture.get(member), view["members"].get(member)
        if told != seen:
            words = f"{view['who']} was told {told} of {member}, and sees {seen}"
            yield view["at"], words
