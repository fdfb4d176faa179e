"""The API server's clock, learned from the ``Date`` of its answers.

Two clocks are used and never mixed: our own, which nobody can set, for what this process saw
itself; and the API server's, for what it could not see. A ``Date`` is in whole seconds, so the
server's time is known only within bounds; each answer narrows them.
"""

from __future__ import annotations

import email.utils
import threading

from servicegroup.clock import boottime

#: Seconds by which two clocks may drift apart in one: 500 millionths is the most that NTP slews.
DRIFT = 0.0005
#: Seconds that a ``Date`` leaves open.
GRAIN = 1.0


class Clock:
    """Usable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._low = float("-inf")  # of the server's time less ours
        self._high = float("inf")
        self._at = 0.0
        #: How often the server's clock was set by more than its answers leave open.
        self.steps = 0

    @staticmethod
    def now() -> float:
        """Return our own time, in seconds from any origin."""
        return boottime()

    def heard(self, date: str | None, sent: float, received: float) -> None:
        """Learn from an answer; *sent* and *received* by :meth:`now`."""
        if date is None:
            return
        try:
            said = email.utils.parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        low, high = said - received, said + GRAIN - sent
        with self._lock:
            widened = DRIFT * max(0.0, received - self._at)
            self._low, self._high = self._low - widened, self._high + widened
            self._at = received
            if low > self._high or high < self._low:  # it was set, or this is another server
                self.steps += low - self._high > GRAIN or self._low - high > GRAIN
                self._low, self._high = low, high
            else:
                self._low, self._high = max(self._low, low), min(self._high, high)

    @property
    def known(self) -> bool:
        """Whether the server ever told its time."""
        return self._low > float("-inf")

    def bounds(self, now: float) -> tuple[float, float]:
        """Return the least and the most that the server's clock may show when ours shows *now*.

        In seconds since 1970; infinite both ways where it was never heard.
        """
        with self._lock:
            widened = DRIFT * max(0.0, now - self._at)
            return now + self._low - widened, now + self._high + widened

    def stamp(self) -> float:
        """Return the server's time now, to be written: it may be too early, by ``GRAIN`` at most.

        So an age that is measured from it is never too small by more than a slow answer makes it.
        """
        low, high = self.bounds(self.now())
        return max(low, high - GRAIN)
