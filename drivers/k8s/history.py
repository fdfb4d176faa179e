"""When each sign of life changed, as this process saw it: ages by our own clock.

A beat is any change of ``renewTime``; what time it names matters only for what nobody watched. Each
look at a sign of life that has changed says: it beat since the look before. So its age has bounds
by our own clock alone, and what the API server's clock says is taken within them.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from . import leases
from .clock import GRAIN, Clock


class Seen(NamedTuple):
    """A sign of life as last seen, by our own clock.

    ``first``: when this value was first there. ``not_before``: when an older one was still there.
    ``last``: when this value was last seen to be there.
    """

    value: datetime | None
    first: float
    not_before: float
    last: float


class History:
    """Usable from any thread."""

    def __init__(self, clock: Clock, limit: float) -> None:
        self._clock = clock
        self._limit = limit
        self._lock = threading.Lock()
        self._seen: dict[str, Seen] = {}
        self._absent: dict[str, float] = {}

    def saw(self, instance: str, value: datetime | None, sent: float, received: float) -> float:
        """Note what a look showed; returns how long it had been silent for certain before.

        :param instance: its label
        :param sent: when the look began, and when its answer was *received*
        """
        before = self._seen.get(instance)
        if before is not None and before.value == value:
            if sent > before.last:
                self._seen[instance] = before._replace(last=sent)
            return 0.0
        if before is not None and sent < before.last:
            # One of two answers was overtaken. Whichever it was, it beat since both were asked for.
            since = max(before.not_before, min(sent, before.first))
            self._seen[instance] = before._replace(not_before=since)
            return 0.0
        not_before = float("-inf") if before is None else before.last
        # Two writes, the second of which another thread may overtake: either is right.
        self._seen[instance] = Seen(value, received, not_before, sent)
        self._absent.pop(instance, None)
        return 0.0 if before is None else received - before.first

    def missed(self, instance: str, now: float) -> float:
        """Note that a sign of life is not there; returns for how many seconds it has not been."""
        return now - self._absent.setdefault(instance, now)

    def age(self, instance: str, value: datetime | None, now: float) -> tuple[float, float]:
        """Return the least and the most that the age of a sign of life may be, in seconds."""
        least, most = 0.0, math.inf
        renewed = leases.seconds(value)
        if renewed is not None and self._clock.known:
            low, high = self._clock.bounds(now)
            least = max(0.0, low - renewed - GRAIN)
            most = max(0.0, high - renewed)
        seen = self._seen.get(instance)
        if seen is None:
            return least, most
        watched_most = now - seen.not_before
        watched_least = max(0.0, now - seen.first) if seen.value == value else 0.0
        # Where the two contradict each other the clocks do; then ours is right.
        least = min(max(least, watched_least), watched_most)
        most = max(min(most, watched_most), watched_least)
        return least, most if most < math.inf else least

    def judged(self, least: float, most: float) -> float:
        """Return one age for the two: as old as it may be, but not beyond the limit by a guess."""
        return self._limit if least <= self._limit < most else most

    def forget(self, there: Collection[str]) -> None:
        """Forget all signs of life but these."""
        with self._lock:
            for instance in [one for one in self._seen if one not in there]:
                self._seen.pop(instance, None)
