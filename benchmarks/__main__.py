"""Prints the benchmark: ``python -m benchmarks [--place NAME] [--sizes N,N] [--quick]``."""

from __future__ import annotations

import argparse
import contextlib
import gc
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from benchmarks import memory, page, rest, startup
from benchmarks.figures import Figure
from benchmarks.latency import Latency
from benchmarks.measures import Measures
from benchmarks.pace import Pace
from benchmarks.places import PLACES, Place, kind
from benchmarks.placing import pages as node_pages
from benchmarks.placing import section as placing
from benchmarks.storm import Storm
from benchmarks.summary import summary
from benchmarks.synchronizing import section as synchronizing
from benchmarks.targets import LARGE

#: Stores that are measured if nothing else is asked for, and thus side by side.
USUAL = ("sqlite", "postgresql", "mariadb", "zookeeper", "memcache")
#: Processes that hold all members in the variant of the largest size.
FEW = 10


def main() -> int:
    """Measure what was asked for and print it."""
    asked = _arguments()
    if asked.quick:
        gc.freeze()  # most of the time would go into collecting what we are made of
    started = time.monotonic()
    chosen = asked.place or USUAL
    names = [name for name in chosen if name not in PARTS]
    imported = startup.figures(times=2 if asked.quick else 10)
    pieces = [page.head(imported, [kind(name) for name in names])]
    print(pieces[0], flush=True)
    measured = {}
    for name in names:
        since = time.monotonic()
        with kind(name).serve() as place:
            sizes = asked.sizes or place.sizes
            figures = list(_told(place, _measured(place, sizes, quick=asked.quick)))
            pieces.append(page.dated(page.section(place, figures), time.monotonic() - since))
            measured[place.title.split()[0]] = figures
        print(pieces[-1], flush=True)
    for name, part in PARTS.items():
        if name in chosen:
            since = time.monotonic()
            section = part(asked)
            pieces.append(page.dated(section, time.monotonic() - since))
            print(pieces[-1], flush=True)
    if measured:
        pieces.append(summary(measured))
        pieces.append(page.foot(time.monotonic() - started))
        print("\n".join(pieces[-2:]), flush=True)
    if asked.output is not None:
        old = asked.output.read_text() if asked.output.exists() else ""
        whole = set(USUAL) <= set(chosen)
        asked.output.write_text(page.merged(old, "\n".join(pieces), whole=whole))
    return 0


def _placed(asked: argparse.Namespace) -> str:
    """Measure conductors and nodes."""
    if asked.quick:
        return placing.section(2_000, 1_000, ["sqlite"], _pace(asked))
    on_the_ring, in_tables = asked.nodes or placing.ON_THE_RING, asked.nodes or placing.IN_TABLES
    return placing.section(on_the_ring, in_tables, node_pages.DATABASES, _pace(asked))


def _pace(asked: argparse.Namespace) -> Pace:
    return Pace(0.01, 1) if asked.quick else Pace(0.6, 7)


def _rest(asked: argparse.Namespace) -> str:
    """Measure the REST faces."""
    return rest.section(max(asked.sizes or [rest.SIZE]), _pace(asked))


def _synchronized(asked: argparse.Namespace) -> str:
    """Measure the synchronizer."""
    if asked.quick:
        return synchronizing.section(1_000, 1_000, 0, Pace(0.01, 1, time.process_time))
    pace = Pace(3.0, 7, time.process_time)
    return synchronizing.section(
        synchronizing.ENTITIES, synchronizing.MOST, synchronizing.MESSAGES, pace
    )


#: What is measured in no place, by name.
PARTS: dict[str, Callable[[argparse.Namespace], str]] = {
    placing.NAME: _placed,
    rest.NAME: _rest,
    synchronizing.NAME: _synchronized,
}


def _measured(place: Place, sizes: Sequence[int], *, quick: bool) -> Iterator[Figure]:
    pace = Pace(0.01, 1) if quick else Pace(0.6, 7)
    with contextlib.ExitStack() as stack:
        fleet = stack.enter_context(contextlib.closing(place.fleet()))
        rivals = [stack.enter_context(contextlib.closing(rival)) for rival in place.rivals()]
        measures = Measures(place, fleet, rivals, pace)
        stack.enter_context(contextlib.closing(measures))
        latency = Latency(place, fleet, rivals, 1 if quick else 5)
        storm = Storm(place, rivals[:1], 1, 2) if quick else Storm(place, rivals, 3)
        stormy = [size for size in sizes if size <= place.storms_until]
        yield from measures.beats()
        for size in sizes:
            fleet.set_size(size)
            # Targets are for large fleets.
            measures.pace = pace if size == max(sizes) or size == LARGE else pace.brief()
            yield from measures.listings(size)
            yield from measures.questions(size)
            yield from measures.watches(size)
            if size == max(sizes) or size == LARGE:
                yield from memory.figures(place, rivals[:1] if quick else rivals, size)
            yield from measures.joins(size)
            yield from latency.at(size)
            if stormy and size in (stormy[0], stormy[-1]):
                yield from storm.at(size)
        share = getattr(fleet, "share", None)
        if share is not None:
            share(FEW)
            for figure in measures.shared(max(sizes)):
                yield figure._replace(operation=f"{figure.operation}, of {FEW} processes")


def _told(place: Place, figures: Iterator[Figure]) -> Iterator[Figure]:
    """Say on standard error what has just been measured, and how long that took."""
    since = time.monotonic()
    for figure in figures:
        members = "" if figure.members is None else f", {figure.members:,} members"
        taken = time.monotonic() - since
        print(f"{place.name}: {figure.operation}{members} ({taken:.1f} s)", file=sys.stderr)
        yield figure
        since = time.monotonic()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--place",
        action="append",
        choices=[*PLACES, *PARTS],
        help=f"measure this one; may be given several times (default: {', '.join(USUAL)})",
    )
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(size) for size in text.split(",")],
        help="numbers of members, by commas (default: 100,1000,10000; memcache also 50000)",
    )
    parser.add_argument(
        "--nodes",
        type=int,
        help="with placement: so many nodes, on the ring and in each database (default: 1,000,000 "
        "on the ring, 100,000 in databases)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="few repetitions: for trying, not for figures"
    )
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        help="also write the page to this file; what it says of others stays",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
