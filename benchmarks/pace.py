"""Measuring several ways of doing one thing in turns, so that noise hits all of them alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

Work = Callable[[], Any]

#: A work shorter than this is repeated within one measurement, so that the clock's own cost and
#: the waking of a core do not count.
SHORTEST = 0.002


class Pace:
    """How long to measure, and how often at least."""

    def __init__(self, seconds: float, least: int) -> None:
        self.seconds = seconds
        self.least = least

    def medians(self, *works: Work, between: Work | None = None) -> list[float]:
        """Run *works* in turns (A B C A B C ...); returns the median seconds of each.

        :param between: what clears up after each single run, unmeasured
        """
        counts = [self._count(work) if between is None else 1 for work in works]
        times: list[list[float]] = [[] for _ in works]
        until = time.perf_counter() + self.seconds
        while time.perf_counter() < until or len(times[0]) < self.least:
            for work, count, taken in zip(works, counts, times, strict=True):
                taken.append(_timed(work, count))
                if between is not None:
                    between()
        return [statistics.median(taken) for taken in times]

    @staticmethod
    def _count(work: Work) -> int:
        work()  # the first time prepares statements and connections
        fastest = _timed(work, 1)
        if fastest < 10 * SHORTEST:  # one slow moment must not decide
            fastest = min(fastest, *(_timed(work, 3) for _ in range(5)))
        return max(1, round(SHORTEST / fastest))


def _timed(work: Work, count: int) -> float:
    if count == 1:
        gc.collect()  # a long work starts with nothing to collect, and pays for its own
    start = time.perf_counter()
    for _ in range(count):
        result = work()
    taken = (time.perf_counter() - start) / count
    del result  # freeing is not measured on either side
    return taken
