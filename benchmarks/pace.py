"""Measuring several ways of doing one thing in turns, so that noise hits all of them alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.rivals import TooSlow

Work = Callable[[], Any]

#: A work shorter than this is repeated within one measurement, so that the clock's own cost and
#: the waking of a core do not count.
SHORTEST = 0.002
#: Measurements of each work at least, where even the least number of turns takes too long.
FEW = 3
#: After so many times the seconds that it was given, a measurement ends with fewer turns.
PATIENCE = 5
#: A work that alone took so many times those seconds is run no more; but twice, unless that takes
#: longer than ``LONG`` seconds.
SHARE, LONG = 2, 4.0


class Pace:
    """How long to measure, and how often at least.

    :param clock: what counts; ``time.process_time`` for what only computes
    """

    def __init__(
        self, seconds: float, least: int, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.seconds = seconds
        self.least = least
        self._clock = clock

    def brief(self) -> Pace:
        """Return a shorter one, for what no target is held against."""
        return Pace(self.seconds / 3, min(self.least, FEW), self._clock)

    def medians(
        self, works: Mapping[str, Work], *, between: Work | None = None, most: int | None = None
    ) -> dict[str, float]:
        """Run *works* in turns (A B C A B C ...); returns the median seconds of each.

        A work that raises :exc:`TooSlow` is left out, unless that says how long it takes. One that
        takes longer alone than all turns should is not run in every turn. The first time, which
        prepares, counts only where there is no other.

        :param between: what clears up after each single run, unmeasured
        :param most: turns, where something is used up with each
        """
        firsts: dict[str, float] = {}
        times: dict[str, list[float]] = {}
        counts: dict[str, int] = {}
        for name, work in works.items():
            try:  # the first time prepares statements and connections
                first = self._timed(work, 1)
            except TooSlow as slow:
                if slow.seconds is not None:  # longer than anything that is done twice
                    times[name], firsts[name], counts[name] = [slow.seconds], 0.0, 1
                continue
            finally:
                if between is not None:
                    between()
            times[name], firsts[name] = [], first if first > self.seconds else 0.0
            single = between is not None or most is not None or firsts[name]
            counts[name] = 1 if single else self._count(work)
        begin = self._clock()
        turns = 0
        while most is None or turns < most:
            spent = self._clock() - begin
            if spent > self.seconds and turns >= self.least:
                break
            if spent > PATIENCE * self.seconds and turns >= min(FEW, self.least):
                break
            turns += 1
            for name, taken in times.items():
                spent = firsts[name] + sum(taken)
                if spent > LONG or (spent > SHARE * self.seconds and len(taken) > 1):
                    continue
                taken.append(self._timed(works[name], counts[name]))
                if between is not None:
                    between()
        return {name: statistics.median(taken or [firsts[name]]) for name, taken in times.items()}

    def _count(self, work: Work) -> int:
        fastest = self._timed(work, 1)
        if fastest < 10 * SHORTEST:  # one slow moment must not decide
            fastest = min(fastest, *(self._timed(work, 3) for _ in range(5)))
        return max(1, round(SHORTEST / fastest))

    def _timed(self, work: Work, count: int) -> float:
        if count == 1:
            gc.collect()  # a long work starts with nothing to collect, and pays for its own
        start = self._clock()
        for _ in range(count):
            result = work()
        taken = (self._clock() - start) / count
        del result  # freeing is not measured on either side
        return taken
