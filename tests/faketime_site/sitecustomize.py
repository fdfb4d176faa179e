"""Mends ``time.sleep`` under libfaketime 0.9.10; imported by Python before anything else.

CPython 3.11 and later sleep by ``clock_nanosleep`` with an absolute monotonic time, which that
libfaketime turns into a time before the epoch: EINVAL. Waiting on no file does the same.
"""

import select
import time
from typing import SupportsIndex


def _sleep(seconds: float | SupportsIndex, /) -> None:
    duration = seconds if isinstance(seconds, float) else seconds.__index__()
    if duration < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], duration)


time.sleep = _sleep
