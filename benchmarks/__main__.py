"""Prints the benchmark: ``python -m benchmarks [--database NAME] [--sizes N,N] [--quick]``."""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import sys
import time
from collections.abc import Iterator

from benchmarks import memory, page, startup
from benchmarks.figures import Figure
from benchmarks.fleet import Fleet
from benchmarks.latency import Latency
from benchmarks.measures import Measures
from benchmarks.pace import Pace
from benchmarks.places import DATABASES, Place, place

#: Processes that hold all members in the variant of the largest size.
FEW = 10


def main() -> int:
    """Measure what was asked for and print it."""
    asked = _arguments()
    started = time.monotonic()
    imported = startup.figure(times=2 if asked.quick else 10)
    pieces = [page.head(imported)]
    print(pieces[0], flush=True)
    for name in asked.database or DATABASES:
        with place(name) as database:
            figures = list(_measured(database, asked.sizes, quick=asked.quick))
            pieces.append(page.section(database, figures))
        print(pieces[-1], flush=True)
    pieces.append(page.foot(time.monotonic() - started))
    print(pieces[-1], flush=True)
    if asked.output is not None:
        asked.output.write_text("\n".join(pieces))
    return 0


def _measured(database: Place, sizes: list[int], *, quick: bool) -> Iterator[Figure]:
    pace = Pace(0.02, 2) if quick else Pace(1.0, 7)
    with contextlib.closing(Fleet(database.url)) as fleet:
        measures = Measures(database.url, fleet, pace)
        latency = Latency(database.url, fleet, 2 if quick else 7)
        with contextlib.closing(measures):
            yield from measures.beats()
            for size in sizes:
                _say(f"{database.name}: {size:,} members")
                fleet.set_size(size)
                yield from measures.listings(size)
                yield from measures.questions(size)
                yield from measures.watches(size)
                yield from measures.joins(size)
                if size == max(sizes):
                    yield from memory.figures(database.url, size)
                yield from latency.at(size)
            yield from measures.shared(max(sizes), FEW)


def _say(words: str) -> None:
    if sys.stderr.isatty():
        print(words, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--database",
        action="append",
        choices=DATABASES,
        help="measure this one; may be given several times (default: all)",
    )
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(size) for size in text.split(",")],
        default=[100, 1_000, 10_000],
        help="numbers of members, by commas (default: 100,1000,10000)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="few repetitions: for trying, not for figures"
    )
    parser.add_argument("--output", type=pathlib.Path, help="also write the page to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
