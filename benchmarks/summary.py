"""All places side by side: what matters for choosing one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.figures import Figure
from benchmarks.table import markdown, shown
from benchmarks.targets import LARGE

SIDE_BY_SIDE = "Side by side"
#: What is looked up in the page to be shown elsewhere.
BEGIN, END = "<!-- side by side -->", "<!-- to here -->"

OPERATIONS = (
    "beat of a process, 1 member",
    "full objects",
    "is_up by query",
    "is_up by a watch",
    "watch: first load",
    "join, one",
    "event: change to CHANGED",
    "memory of a watch",
)


def summary(places: Mapping[str, Sequence[Figure]]) -> str:
    """Return a table of our own figures, with a column for each place, at the same size."""
    sizes = [{figure.members for figure in figures} - {None} for figures in places.values()]
    common = set.intersection(*sizes)
    size = LARGE if LARGE in common else max(common, default=None)
    columns = {"operation": list(OPERATIONS)}
    for name, figures in places.items():
        found = {one.operation: one for one in figures if one.members in (None, size)}
        columns[name] = [
            shown(found[operation].ours, found[operation].unit) if operation in found else ""
            for operation in OPERATIONS
        ]
    words = "" if size is None else f", with {size:,} members"
    notes = sorted({one.note for figures in places.values() for one in figures if one.note})
    after = f"\nEvents: {notes[0]} where the store does not call back.\n" if notes else ""
    table = markdown(columns)
    return (
        f"## {SIDE_BY_SIDE}\n\nservicegroup alone{words}.\n\n{BEGIN}\n\n{table}\n{after}\n{END}\n"
    )
