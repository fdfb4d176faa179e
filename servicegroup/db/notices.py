"""Telling watchers which members changed, where the database can (PostgreSQL's NOTIFY)."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

import sqlalchemy as sa

from servicegroup.db.dialect import Dialect

CHANNEL = "servicegroup"
#: Bytes; PostgreSQL refuses a payload of 8000 or more.
_LARGEST = 7900


class Notices:
    """Sends notices within a transaction: they are delivered when it is committed."""

    def __init__(self, dialect: Dialect) -> None:
        self._works = dialect.notifies

    def members(self, connection: sa.Connection, keys: Iterable[tuple[str, str]]) -> None:
        """Say that these members, (group id, member id), changed."""
        if not self._works:
            return
        groups: dict[str, list[str]] = {}
        for group_id, member_id in keys:
            groups.setdefault(group_id, []).append(member_id)
        for group_id, ids in groups.items():
            payload = json.dumps([group_id, ids])
            if len(payload) > _LARGEST:
                payload = json.dumps([group_id, None])  # anything of that group
            connection.execute(sa.select(sa.func.pg_notify(CHANNEL, payload)))


def read(payload: str) -> tuple[str | None, Collection[str] | None]:
    """Return group and member ids of a notice; ``None`` means any. Foreign text means all."""
    try:
        group_id, ids = json.loads(payload)
    except (ValueError, TypeError):
        return None, None
    return group_id, ids
