"""The statements that take in what is true by now, many rows at once.

Whether a row is a change, and whether it counts at all, is found in the same statement.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

#: Most rows of one statement. Whoever runs it gives up the interpreter's lock once for all of them;
#: row by row, a thread that hears messages beside it would take the lock between any two.
TOGETHER = 128
#: Parameters of all rows: source, time of observation, window; then those of each: type, key, seq,
#: mark, digest, parent, project, stamp, data.
_COMMON, _EACH = 3, 9

_ROWS = """
INSERT INTO entities VALUES {values}
ON CONFLICT (type, key) DO UPDATE SET
    source = excluded.source,
    seq = CASE WHEN {same} THEN seq ELSE excluded.seq END,
    risen = CASE WHEN entities.data IS NULL THEN excluded.risen ELSE risen END,
    streamed = max(streamed, excluded.streamed),
    mark = excluded.mark, digest = excluded.digest,
    parent = coalesce(excluded.parent, CASE WHEN excluded.data IS NULL THEN parent END),
    project = coalesce(excluded.project, CASE WHEN excluded.data IS NULL THEN project END),
    stamp = coalesce(excluded.stamp, stamp),
    observed = CASE WHEN {same} THEN observed ELSE excluded.observed END,
    data = excluded.data
WHERE {accepted}
"""
_VALUES = (
    "(?{0}, ?{1}, ?1, ?{2}, ?{2}, CASE WHEN ?{8} IS NULL THEN 0 ELSE ?{2} END, "
    "{streamed}, {mark}, ?{4}, ?{5}, ?{6}, ?{7}, ?2, ?{8})"
)
_SAME = (
    "((entities.data IS NULL) = (excluded.data IS NULL) "
    "AND (entities.data IS NULL OR entities.digest = excluded.digest))"
)
#: While the source was read, a stream told something newer of this key.
_POLLED = "entities.streamed <= ?3"
#: Something newer, by the source's own clock, was told before.
_STREAMED = "excluded.stamp IS NULL OR entities.stamp IS NULL OR excluded.stamp >= entities.stamp"

#: One key that a complete poll missed.
GONE = """
UPDATE entities SET seq = :seq, mark = 0, observed = :observed, data = NULL
WHERE type = :type AND key = :key AND data IS NOT NULL AND streamed <= :window
"""


def blocks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield *rows* in blocks whose sizes are powers of two, so that statements are few."""
    start = 0
    while left := len(rows) - start:
        size = min(TOGETHER, 1 << left.bit_length() - 1)
        yield rows[start : start + size]
        start += size


@functools.cache
def taking(rows: int, streamed: bool) -> str:
    """Return the statement that takes in so many rows, in their order."""
    values = []
    for first in range(_COMMON + 1, _COMMON + 1 + rows * _EACH, _EACH):
        each = range(first, first + _EACH)
        own = {"streamed": "0", "mark": f"?{each[3]}"}
        if streamed:
            own = {"streamed": f"?{each[2]}", "mark": "0"}
        values.append(_VALUES.format(*each, **own))
    accepted = _STREAMED if streamed else _POLLED
    return _ROWS.format(values=", ".join(values), same=_SAME, accepted=accepted)
