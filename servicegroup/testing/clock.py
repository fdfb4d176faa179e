"""A clock that a test moves by hand."""

from __future__ import annotations

import threading


class FakeClock:
    """Seconds that pass only when told. Called like ``time.monotonic``; usable from any thread."""

    def __init__(self, now: float = 1000.0) -> None:
        self._now = now
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass; negative ones step the clock back, as a bad time server does."""
        with self._lock:
            self._now += seconds
