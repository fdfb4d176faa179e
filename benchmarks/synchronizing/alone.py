"""What takes memory, measured in an interpreter of its own: ``alone WHAT ENTITIES``.

Prints bytes: an unchanged entity's, or the peak of a process that reads many in pages.
"""

from __future__ import annotations

import gc
import pathlib
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import IO

import msgspec

from benchmarks.figures import Figure
from benchmarks.synchronizing.carrying import services
from benchmarks.synchronizing.shapes import TYPE, Service, flat, listed, rows
from servicegroup.synchronizer import wire
from servicegroup.synchronizer.baseline import Baseline, Reading
from servicegroup.synchronizer.collecting import PAGE

#: Entities in one page of a source.
SOURCE_PAGE = 1000


def figures(most: int) -> Iterator[Figure]:
    """Measure both."""
    yield Figure("memory of an unchanged entity", most, _elsewhere("entity", most), unit="B")
    yield Figure("peak of a child, read in pages", most, _elsewhere("peak", most), unit="B")


def entity(entities: int) -> float:
    """Return the bytes that the baseline takes for one, by the resident set."""
    baseline = Baseline([TYPE])
    gc.collect()
    before = _resident()
    reading = baseline.poll()
    with tempfile.TemporaryFile() as changes:
        for start in range(0, entities, SOURCE_PAGE):
            _read(reading, services(range(start, min(entities, start + SOURCE_PAGE))), changes)
        _note(baseline, changes)
    gc.collect()
    return (_resident() - before) / entities


def peak(entities: int) -> float:
    """Return the highest resident set of three polls, the last one with changes."""
    gc.disable()  # as a collector's process has it
    baseline, decoder = Baseline([TYPE]), msgspec.json.Decoder(list[Service])
    for version in (0, 0, 1):
        reading = baseline.poll()
        with tempfile.TemporaryFile() as changes:
            for start in range(0, entities, SOURCE_PAGE):
                page = range(start, min(entities, start + SOURCE_PAGE))
                body = msgspec.json.encode(listed(page, flat, version))
                _read(reading, decoder.decode(body), changes)
            _note(baseline, changes)
        gc.collect()
    # Not ru_maxrss, which an exec inherits from whoever started us.
    status = pathlib.Path("/proc/self/status").read_text().splitlines()
    (highest,) = (line.split()[1] for line in status if line.startswith("VmHWM"))
    return float(highest) * 1024


def _read(reading: Reading, page: list[Service], changes: IO[bytes]) -> None:
    """Read a page as a collector does: what changed goes to a file until the poll counts."""
    changed = list(reading.rows(rows(page)))
    for start in range(0, len(changed), PAGE):
        changes.write(wire.frame(wire.Rows(changed[start : start + PAGE])))


def _note(baseline: Baseline, changes: IO[bytes]) -> None:
    changes.seek(0)
    frames = wire.Frames()
    while data := changes.read(1 << 20):
        for body in frames.feed(data):
            message = wire.from_child(body)
            assert isinstance(message, wire.Rows)
            baseline.note(message.rows)


def _resident() -> int:
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _elsewhere(what: str, entities: int) -> float:
    command = [sys.executable, "-m", "benchmarks.synchronizing.alone", what, str(entities)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


if __name__ == "__main__":
    print({"entity": entity, "peak": peak}[sys.argv[1]](int(sys.argv[2])))
