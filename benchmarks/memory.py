"""What a watch keeps in memory, measured in an interpreter of its own: ``URL SIZE`` as arguments.

Prints two numbers of bytes a member: what ``tracemalloc`` counts as still allocated by then, and
by how much the resident set grew in a second interpreter that traced nothing.
"""

from __future__ import annotations

import gc
import pathlib
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator

import servicegroup
from benchmarks.figures import Figure
from benchmarks.fleet import GROUP, configuration
from servicegroup import EventType


def figures(url: str, size: int) -> Iterator[Figure]:
    """Yield bytes a member by ``tracemalloc`` and by resident set."""
    yield Figure("memory of a watch", size, _elsewhere(url, size, "traced"), unit="B")
    yield Figure("resident set of a watch", size, _elsewhere(url, size, "resident"), unit="B")


def _elsewhere(url: str, size: int, how: str) -> float:
    command = [sys.executable, "-m", "benchmarks.memory", url, str(size), how]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def _measure(url: str, size: int, how: str) -> float:
    with servicegroup.ServiceGroup(configuration(url, poll_interval=30.0)) as group:
        with group.watch("nobody") as watch:  # loads all code and opens all connections
            watch.next_event(10)
        gc.collect()
        if how == "traced":
            tracemalloc.start()
        before = _used(how)
        with group.watch(GROUP) as watch:
            while (event := watch.next_event(60)) and event.type is not EventType.READY:
                pass  # told of every member: the consumer's copy is part of what is kept
            del event
            gc.collect()
            return (_used(how) - before) / size


def _used(how: str) -> int:
    if how == "traced":
        return tracemalloc.get_traced_memory()[0]
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    print(_measure(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
