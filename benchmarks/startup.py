"""What importing costs, each time in a fresh interpreter."""

from __future__ import annotations

import statistics
import subprocess
import sys

from benchmarks.figures import Figure

_SCRIPT = """
import time
start = time.perf_counter()
from servicegroup import ServiceGroup
print(time.perf_counter() - start)
"""


def figure(times: int) -> Figure:
    """Return the median time of importing what a daemon uses."""
    taken = [_once() for _ in range(times + 1)][1:]  # the first one may write byte code
    return Figure("import servicegroup", None, statistics.median(taken))


def _once() -> float:
    command = [sys.executable, "-c", _SCRIPT]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
