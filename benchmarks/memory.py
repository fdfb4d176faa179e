"""What a watch keeps in memory, measured in an interpreter of its own.

Prints a number of bytes a member: what ``tracemalloc`` counts as still allocated by then, or by how
much the resident set grew in an interpreter that traced nothing.
"""

from __future__ import annotations

import gc
import pathlib
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence

import servicegroup
from benchmarks.figures import Figure
from benchmarks.places import GROUP, Place, kind
from benchmarks.rivals import Rival
from servicegroup import EventType


def figures(place: Place, rivals: Sequence[Rival], size: int) -> Iterator[Figure]:
    """Yield bytes a member by ``tracemalloc`` and by resident set."""
    columns = [rival.column for rival in rivals if hasattr(rival, "objects")]
    others = {column: _elsewhere(place, size, "traced", column) for column in columns}
    ours = _elsewhere(place, size, "traced", "")
    yield Figure("memory of a watch", size, ours, others, unit="B")
    ours = _elsewhere(place, size, "resident", "")
    yield Figure("resident set of a watch", size, ours, unit="B")


def _elsewhere(place: Place, size: int, how: str, who: str) -> float:
    arguments = [place.name, place.address, str(size), how, who]
    command = [sys.executable, "-m", "benchmarks.memory", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def _ours(place: Place, size: int, how: str) -> float:
    with servicegroup.ServiceGroup(place.configuration(poll_interval=30.0)) as group:
        with group.watch("nobody") as watch:  # loads all code and opens all connections
            watch.next_event(10)
        used = _begun(how)
        with group.watch(GROUP) as watch:
            while (event := watch.next_event(60)) and event.type is not EventType.READY:
                pass  # told of every member: the consumer's copy is part of what is kept
            del event
            return used() / size


def _theirs(place: Place, size: int, how: str, who: str) -> float:
    """Return what somebody keeps who holds what a listing returned."""
    (rival,) = (one for one in place.rivals() if one.column == who)
    rival.objects(GROUP)
    used = _begun(how)
    kept = rival.objects(GROUP)
    memory = used() / size
    del kept
    rival.close()
    return memory


def _begun(how: str) -> Callable[[], int]:
    gc.collect()
    if how == "traced":
        tracemalloc.start()
    before = _used(how)

    def used() -> int:
        gc.collect()
        return _used(how) - before

    return used


def _used(how: str) -> int:
    if how == "traced":
        return tracemalloc.get_traced_memory()[0]
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def main() -> None:
    """Measure what the arguments say."""
    name, address, size, how, who = sys.argv[1:]
    place = kind(name)(address)
    measured = _theirs(place, int(size), how, who) if who else _ours(place, int(size), how)
    print(measured)


if __name__ == "__main__":
    main()
