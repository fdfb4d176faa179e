"""What PostgreSQL's notices of changed members hold. Plain Python: the guardian sends them, too."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator

CHANNEL = "servicegroup"
#: Bytes; PostgreSQL refuses a payload of 8000 or more.
_LARGEST = 7900


def packed(keys: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Return one payload a group for members, (group id, member id), that changed."""
    groups: dict[str, list[str]] = {}
    for group_id, member_id in keys:
        groups.setdefault(group_id, []).append(member_id)
    for group_id, ids in groups.items():
        payload = json.dumps([group_id, ids])
        # Too many of them mean anything of that group.
        yield payload if len(payload) <= _LARGEST else json.dumps([group_id, None])


def unpacked(payload: str) -> tuple[str | None, Collection[str] | None]:
    """Return group and member ids of a payload; ``None`` means any. Foreign text means all."""
    try:
        group_id, ids = json.loads(payload)
    except (ValueError, TypeError, RecursionError):
        return None, None
    listed = isinstance(ids, list) and all(isinstance(one, str) for one in ids)
    if not isinstance(group_id, str) or not (listed or ids is None):
        return None, None
    return group_id, ids
