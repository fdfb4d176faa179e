"""The part of the page on conductors and nodes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from benchmarks.figures import Figure
from benchmarks.pace import Pace
from benchmarks.placing import pages, ring
from benchmarks.table import table
from benchmarks.targets import missed

NAME = "placement"
#: Numbers of nodes: on the ring alone, and in each database.
ON_THE_RING, IN_TABLES = 1_000_000, 100_000

_WORDS = """\
{conductors:,} conductors with 32 points each. tooz's `HashRing` maps the same keys in the same run,
and every key to the same host, or the run fails. *Map all nodes* starts from the positions that are
stored beside the nodes. The databases hold the nodes in a table of ours, and a process that follows
the conductors asks for a page of {limit:,}; *with a look* it does not follow them, and reads all
{conductors:,} first.
"""


def section(on_the_ring: int, in_tables: int, databases: Sequence[str], pace: Pace) -> str:
    """Measure, and return the part."""
    figures: list[Figure] = list(ring.figures(ring.keys(on_the_ring), pace))
    uuids = ring.keys(in_tables)
    for name in databases:
        figures += pages.figures(name, uuids, pace)
    words = _WORDS.format(conductors=ring.CONDUCTORS, limit=pages.LIMIT).replace("\n", " ")
    failed = list(dict.fromkeys(missed(figures, NAME)))
    verdict = f"Missed: {'; '.join(failed)}." if failed else "All targets are reached."
    drawn = table(figures, NAME).replace("| members ", "| nodes   ", 1)
    return (
        f"## Conductors and nodes\n\n{textwrap.fill(words, 100)}\n\n{drawn}\n\n"
        f"{textwrap.fill(verdict, 100)}\n"
    )
