"""What was measured, and what it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

BARE = "bare client"
CORE = "SQLAlchemy Core"
TOOZ = "tooz"
NAIVE = "json and SHA-1"
#: The columns of rivals, in their order.
COLUMNS = (BARE, CORE, TOOZ, NAIVE)


class Elsewhere(NamedTuple):
    """What a rival takes at a smaller size, and what ours takes there: it is too slow at ours."""

    members: int
    rival: float
    ours: float


class Figure(NamedTuple):
    """One measurement, in seconds (or bytes): ours, and what others take for the same."""

    operation: str
    members: int | None
    ours: float
    others: Mapping[str, float] = {}
    elsewhere: Mapping[str, Elsewhere] = {}
    unit: str = "s"
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the bare client's time ours is."""
        bare = self.others.get(BARE)
        return None if bare is None else self.ours / bare

    def times(self, column: str) -> float | None:
        """How many times ours a rival's time is, at the same size."""
        other = self.others.get(column)
        if other is not None:
            return other / self.ours
        smaller = self.elsewhere.get(column)
        return None if smaller is None else smaller.rival / smaller.ours
