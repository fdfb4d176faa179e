"""Deliberate defects of the library, one for each promise: each must be caught."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from servicegroup import child, door, liveness, picture
from servicegroup.db import boot_clock
from servicegroup.diff import diff
from servicegroup.driver import Loss, Lost
from servicegroup.model import Member, State


def _wall_clock() -> None:
    """Beats and ages by the caller's wall clock, as if all hosts agreed on it."""
    boot_clock._boottime = lambda: time.time_ns() // 1000


def _no_witness() -> None:
    """Silence is believed, whoever else was silent too."""

    def silence(age: float, limit: float, *, witnessed: bool) -> State:
        return State.UP if liveness.within(age, limit) else State.DOWN

    liveness.silence = silence


def _no_assertion() -> None:
    """What the store lost stays lost, though its process beats on."""
    heartbeat = door.Door.heartbeat

    def careless(self: door.Door, instance_id: str, members: Sequence[Member]) -> list[Lost]:
        lost = heartbeat(self, instance_id, members)
        return [one for one in lost if one.loss is not Loss.MISSING]

    setattr(door.Door, "heartbeat", careless)  # noqa: B010


def _doubled_event() -> None:
    """After a reconnect everybody's last event is told again."""
    mark_contact = picture.Picture.mark_contact

    def again(self: picture.Picture, stale: str | None) -> None:
        if stale is None and self._stale is not None:
            for one in self._current.values():
                self._tell(one.status.member_id)
                self._out.extend(diff(None, one.status)[:1])
        mark_contact(self, stale)

    picture.Picture.mark_contact = again  # type: ignore[method-assign]


def _open_pipe() -> None:
    """Forked children keep the guardian's channel, so that it does not see the parent's end."""

    class Forgetful(set[Any]):
        def update(self, *others: Iterable[Any]) -> None:
            pass

    child._open = Forgetful()


DEFECTS: dict[str, Callable[[], None]] = {
    "wall clock": _wall_clock,
    "no witness": _no_witness,
    "no assertion": _no_assertion,
    "doubled event": _doubled_event,
    "open pipe": _open_pipe,
}


def introduce(name: str) -> None:
    """Put one of them into the library of this process."""
    DEFECTS[name]()
