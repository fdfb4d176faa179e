"""What the pipe from a collector and the ledger carry of entities that changed."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Iterator

from benchmarks.figures import Figure
from benchmarks.pace import Pace
from benchmarks.synchronizing.shapes import TYPE, Service, rows
from servicegroup.synchronizer import wire
from servicegroup.synchronizer.baseline import Baseline
from servicegroup.synchronizer.collecting import PAGE
from servicegroup.synchronizer.ledger import Ledger


def services(numbers: range) -> list[Service]:
    """Return rows with keys of 36 characters."""
    return [
        Service(f"{n:08d}-0000-4000-8000-000000000000", "h", "d", 2, "o", False) for n in numbers
    ]


def figures(entities: int, pace: Pace) -> Iterator[Figure]:
    """Measure both, each in one thread."""
    changed = list(Baseline([TYPE]).poll().rows(rows(services(range(entities)))))

    def carry() -> None:
        frames = wire.Frames()
        for start in range(0, entities, PAGE):
            for body in frames.feed(wire.frame(wire.Rows(changed[start : start + PAGE]))):
                wire.from_child(body)

    def store() -> None:
        with tempfile.TemporaryDirectory() as folder:
            ledger = Ledger(pathlib.Path(folder) / "baseline.sqlite")
            ledger.polled("benchmark", changed, ledger.seq)
            ledger.close()

    for words, work in (("child to parent", carry), ("into the ledger, on disk", store)):
        seconds = pace.medians({"ours": work})["ours"]
        yield Figure(words, entities, seconds, note=f"{entities / seconds:,.0f}/s")
