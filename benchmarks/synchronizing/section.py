"""The part of the page on the synchronizer."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from benchmarks.figures import Figure
from benchmarks.pace import Pace
from benchmarks.synchronizing import alone, bus, carrying, differences
from benchmarks.table import table
from benchmarks.targets import missed

NAME = "synchronizer"
ENTITIES, MOST, MESSAGES = 100_000, 1_000_000, 20_000

_WORDS = """\
*Body to differences*: from the JSON of a poll to what is to be told, one in a hundred changed, as
a collector's process does it; beside `json.loads`, sorted `json.dumps` and SHA-1 of each, which
must find as many. *Flat* are services of Nagios, of which six fields count, *nested* servers of
nova; *in no order*: listed differently each time. *Child to parent*: frames of 500 changed
entities, both ends in one thread. *Notifications of RabbitMQ*: versioned ones of nova, from the
first to the last, until they are on disk; bare: oslo.messaging's own batch listener with an
endpoint that only counts, on a queue of its own with the same messages, in turns.
"""


def section(entities: int, most: int, messages: int, pace: Pace) -> str:
    """Measure, and return the part. Without *messages*, no broker is started."""
    figures = list(_figures(entities, most, messages, pace))
    failed = list(dict.fromkeys(missed(figures, NAME)))
    verdict = f"Missed: {'; '.join(failed)}." if failed else "All targets are reached."
    drawn = table(figures, NAME).replace("| members ", "| items   ", 1)
    words = textwrap.fill(_WORDS.replace("\n", " "), 100)
    return f"## The synchronizer\n\n{words}\n\n{drawn}\n\n{textwrap.fill(verdict, 100)}\n"


def _figures(entities: int, most: int, messages: int, pace: Pace) -> Iterator[Figure]:
    yield from differences.figures(entities, pace)
    yield from carrying.figures(entities, pace)
    yield from alone.figures(most)
    if messages:
        yield from bus.figures(messages)
