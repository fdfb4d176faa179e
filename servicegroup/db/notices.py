"""Telling watchers which members changed, where the database can (PostgreSQL's NOTIFY)."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from servicegroup.db import payload
from servicegroup.db.dialect import Dialect

#: Sends the text that is its parameter to everybody who listens.
NOTIFY = sa.select(sa.func.pg_notify(payload.CHANNEL, sa.bindparam("payload")))


class Notices:
    """Sends notices within a transaction: they are delivered when it is committed."""

    def __init__(self, dialect: Dialect) -> None:
        self._works = dialect.notifies

    def members(self, connection: sa.Connection, keys: Iterable[tuple[str, str]]) -> None:
        """Say that these members, (group id, member id), changed."""
        if self._works:
            for one in payload.packed(keys):
                connection.execute(NOTIFY, {"payload": one})
