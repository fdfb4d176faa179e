"""The one clock by which this process measures times of its own."""

from __future__ import annotations

import time


def boottime() -> float:
    """Seconds by a clock that runs on while the machine sleeps and that nobody can set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
