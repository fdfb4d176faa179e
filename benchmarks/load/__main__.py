"""Prints how a fleet fares: ``python -m benchmarks.load [--place NAME] [--seconds N] ...``."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import pathlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence

from benchmarks.load import beating, page
from benchmarks.load.kills import Kills, kills
from benchmarks.load.plan import Plan
from benchmarks.page import merged
from benchmarks.places import PLACES, Place, kind

_WORDS = {
    "seconds": "for which each part runs",
    "members": "held by few processes",
    "processes": "that hold them, and that the instances beat from",
    "instances": "that beat each for itself",
    "connections": "that they beat over",
    "sessions": "instances at most where each needs a connection of its own (ZooKeeper)",
    "kills": "with guardian, and without",
    "victims": "processes that are made to be killed, so many at a time",
    "beside": "members that live on beside them",
    "interval": "seconds between two beats",
    "down_time": "seconds of silence that make a member down",
    "short_interval": "the former where no guardian tells of a death",
    "short_down_time": "the latter where no guardian tells of a death",
    "poll": "seconds between two looks of a watch that is not called back",
    "pause": "seconds between two listings",
}


def main() -> int:
    """Run what was asked for and print it."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = Plan(**{one.name: getattr(asked, one.name) for one in dataclasses.fields(Plan)})
    names = asked.place or PLACES
    pieces = [page.head(plan, [library for name in names for library in kind(name).libraries])]
    print(pieces[0], flush=True)
    try:
        for name in names:
            with kind(name).serve() as place:
                pieces.append(page.section(_seen(place, plan)))
            print(pieces[-1], flush=True)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    if asked.output is not None:
        old = asked.output.read_text() if asked.output.exists() else ""
        asked.output.write_text(merged(old, "\n".join(pieces), whole=asked.place is None))
    return 0


def _seen(place: Place, plan: Plan) -> page.Seen:
    with contextlib.closing(place.fleet()):  # makes tables, where there are any
        pass
    _say(place, "one beat")
    beat = beating.one_beat(place, plan)
    fleets: Sequence[Callable[[Place, Plan], beating.Beating]] = (
        beating.members,
        beating.instances,
    )
    seen = []
    for fleet in fleets:
        _say(place, fleet.__name__)
        seen.append(fleet(place, plan))
    return page.Seen(place, beat, seen, list(_killed(place, plan)))


def _killed(place: Place, plan: Plan) -> Iterator[Kills]:
    for guardian in (True, False) if place.remembers else ():
        _say(place, f"kills, {'with' if guardian else 'without'} guardian")
        yield kills(place, plan, guardian=guardian)


def _say(place: Place, words: str) -> None:
    print(f"{place.name}: {words}", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument(
        "--place",
        action="append",
        choices=PLACES,
        help="run on this one; may be given several times (default: all)",
    )
    for one in dataclasses.fields(Plan):
        parser.add_argument(
            f"--{one.name.replace('_', '-')}",
            type=type(one.default),
            default=one.default,
            metavar="N",
            help=f"{_WORDS[one.name]} (default: {one.default:g})",
        )
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        help="also write the page to this file; what it says of others stays",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
