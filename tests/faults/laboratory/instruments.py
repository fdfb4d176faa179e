"""What a process of the laboratory writes down of its talk with the store, call by call."""

import time
from collections.abc import Callable
from typing import Any

from faults.laboratory.journal import Journal

from servicegroup.door import Door
from servicegroup.model import Member

#: Seconds: a look that takes longer may leave a watch without a fresh view.
LONG = 0.04


def listen(door: Door, journal: Journal) -> None:
    """Note every call by which *door* gives a sign of life, and what came of it; and slow looks."""
    heartbeat, join, update = door.heartbeat, door.join, door.update

    def beat(instance_id: str, members: list[Member]) -> Any:
        return _noted(journal, "beat", instance_id, lambda: heartbeat(instance_id, members))

    def joined(members: list[Member]) -> Any:
        return _noted(journal, "beat", members[0].instance_id, lambda: join(members))

    def updated(members: list[Member]) -> Any:
        return _noted(journal, "beat", members[0].instance_id, lambda: update(members))

    for name in ("sightings", "ages"):
        setattr(door, name, _timed(journal, getattr(door, name)))
    for name, noted in (("heartbeat", beat), ("join", joined), ("update", updated)):
        setattr(door, name, noted)


def _timed(journal: Journal, look: Callable[..., Any]) -> Callable[..., Any]:
    def looked(*arguments: Any, **named: Any) -> Any:
        begin = time.monotonic()
        try:
            return look(*arguments, **named)
        finally:
            if time.monotonic() - begin > LONG:  # the others are many, and tell nothing
                journal.note("look", begin=begin)

    return looked


def _noted(journal: Journal, what: str, instance_id: str, call: Callable[[], Any]) -> Any:
    begin, error = time.monotonic(), ""
    try:
        return call()
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}"
        raise
    finally:
        journal.note(what, begin=begin, instance=instance_id, error=error)
