"""The page around the tables: machine, versions, method, tables, what was missed."""

from __future__ import annotations

import os
import pathlib
import platform
from collections.abc import Sequence
from importlib import metadata

from benchmarks.figures import Figure, missed, table
from benchmarks.places import Place

#: Distributions whose versions matter for the figures.
LIBRARIES = ("servicegroup", "SQLAlchemy", "oslo.db", "psycopg", "PyMySQL")

_HEAD = """\
# Benchmarks

Made by `make bench` on {cpu}, {cores} cores, Linux {kernel}.
Python {python}, {libraries}.

The servers run on the same machine, so that a round trip costs next to nothing: with a network in
between, all ratios come closer to one. Each line is the median of runs in turns: servicegroup, the
bare client library, SQLAlchemy Core, and again. The bare client keeps one connection in autocommit
mode, runs the best statement that we could write by hand for just what the answer needs, and
fetches the rows:

- *ids and verdicts* is `sg.states(group)`, held against one narrow SELECT of the id, the age by the
  server's clock and a flag for whatever overrules the age;
- *full objects* is `sg.get_members(group)`, every member with 130 bytes of attributes in seven
  fields, held against one SELECT of all the columns needed, and decoding all attributes at once;
- *beat* is what a process sends once an interval, however many members it holds, against an UPDATE
  of one column of one row by its primary key (PostgreSQL: `synchronous_commit=off` on both sides);
- *is_up by query* is held against the narrow SELECT of one member; *by a watch* it is answered
  from memory, its check that the view is current included;
- *first load* opens a watch until its view is complete, against the SELECT of full objects; a
  *poll* is one look at a group in which nothing changed, against the SELECT of ids and verdicts;
- *join, one* is `sg.join` until it returns, against one INSERT; *all by one process* is one call of
  the driver, against one transaction of INSERTs. The bare statements neither look for an older life
  of the member nor lock, notify or beat;
- *event* is the time from the call that makes a change to the event that tells of it. A database
  that cannot call back is polled: half an interval on average, one at most, and the look itself.
  Where PostgreSQL calls back, the bare figure is NOTIFY to LISTEN alone;
- *memory of a watch* is what its view and its consumer's copy keep, divided by the members: objects
  counted by `tracemalloc`; and what the resident set grew by, in another interpreter.

{imported}
"""


def head(imported: Figure) -> str:
    """Return what comes before the databases."""
    return _HEAD.format(
        cpu=_cpu(),
        cores=os.cpu_count(),
        kernel=platform.release(),
        python=platform.python_version(),
        libraries=", ".join(f"{name} {version}" for name, version in _versions()),
        imported=table([imported]),
    )


def section(place: Place, figures: Sequence[Figure]) -> str:
    """Return one database's part."""
    failed = sorted({figure.operation for figure in missed(figures, place.name)})
    words = f"Missed: {', '.join(failed)}." if failed else "All targets are reached."
    return f"## {place.title}\n\n{table(figures, place.name)}\n\n{words}\n"


def foot(seconds: float) -> str:
    """Return what comes last."""
    return f"The whole run took {seconds:.0f} s.\n"


def _cpu() -> str:
    path = pathlib.Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _versions() -> list[tuple[str, str]]:
    found = []
    for name in LIBRARIES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return found
