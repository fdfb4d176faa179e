"""What the ``memory`` driver keeps its members in, with the switches for its faults."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import ClassVar

from servicegroup.model import Member

Key = tuple[str, str]
Changed = Callable[[Collection[str] | None], None]


class MemoryStoreDown(OSError):
    """What every call raises while its store is unavailable."""


@dataclass
class Place:
    """What is kept under one group and member id: the last life there, also after it left."""

    member: Member
    up_since: float
    withdrawn_at: float | None = None
    left_at: float | None = None

    def holds(self, member: Member) -> bool:
        """Whether this very life is a member now."""
        return self.left_at is None and life(self.member) == life(member)


@dataclass
class Pulse:
    """What is kept of one instance. Unbroken beats since ``steady_since`` make it a witness."""

    beat_at: float
    steady_since: float
    ended_at: float | None = None
    ended_reason: str = ""


class MemoryStore:
    """One store. Its contents are touched with ``lock`` held, its switches at any time."""

    _named: ClassVar[dict[str, MemoryStore]] = {}

    def __init__(self) -> None:
        #: Seconds from any origin: the clock that all ages are measured by.
        self.clock: Callable[[], float] = time.monotonic
        self.unavailable = False
        self.hang = threading.Event()
        self.lock = threading.RLock()
        self.places: dict[Key, Place] = {}
        self.pulses: dict[str, Pulse] = {}
        self.watches: dict[object, tuple[str, Changed]] = {}

    @classmethod
    def named(cls, name: str) -> MemoryStore:
        """Return the store of that name, the same one for everybody in this process."""
        return cls._named.setdefault(name, cls())

    def lose(self) -> None:
        """Forget everything, evidence included."""
        with self.lock:
            self.places.clear()
            self.pulses.clear()
            watches = list(self.watches.values())
        for _, changed in watches:
            changed(None)

    def answer(self) -> None:
        """Wait while the store hangs; raise while it is unavailable."""
        while self.hang.is_set():
            time.sleep(0.005)
        if self.unavailable:
            raise MemoryStoreDown("the memory store was made unavailable")


def life(member: Member) -> tuple[str, int]:
    """Return what tells one life of a member from another."""
    return (member.instance_id, member.incarnation)
