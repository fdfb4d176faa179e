"""What importing costs, each time in a fresh interpreter."""

from __future__ import annotations

import statistics
import subprocess
import sys

from benchmarks.figures import Figure

_SCRIPT = """
import time
start = time.perf_counter()
{}
print(time.perf_counter() - start)
"""
#: What a daemon uses, and the part of it that every program configured with oslo.config has anyway.
_IMPORTS = {
    "import servicegroup": "from servicegroup import ServiceGroup",
    "of it: oslo.config": "from oslo_config import cfg",
}


def figures(times: int) -> list[Figure]:
    """Return the median time of each import, measured in turns."""
    taken: dict[str, list[float]] = {name: [] for name in _IMPORTS}
    for _ in range(times + 1):
        for name, line in _IMPORTS.items():
            taken[name].append(_once(line))
    # The first one may write byte code.
    return [Figure(name, None, statistics.median(some[1:])) for name, some in taken.items()]


def _once(line: str) -> float:
    command = [sys.executable, "-c", _SCRIPT.format(line)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
