"""A database as a store for the suite: the ``db`` driver's, or the records beside another one."""

from __future__ import annotations

import sqlalchemy as sa

from servicegroup.db import migrate
from servicegroup.db.engine import Database
from servicegroup.db.tables import instances, removed, services
from servicegroup.testing.store import Store

#: Every column that an age is counted from.
_TIMES = {
    instances: ("beat_at", "steady_since", "ended_at"),
    services: ("up_since", "left_at", "withdrawn_at", "last_seen_at"),
    removed: ("removed_at",),
}


class DatabaseStore(Store):
    """Gives the database at *url* our tables; time passes in it by making its rows older.

    :param url: with its password; nobody else may use the database
    :param exact: the caller has stopped the database's clock
    """

    def __init__(self, url: str, *, exact: bool = False) -> None:
        options = {"servicegroup_database": {"connection": url}}
        super().__init__("db", options, age=self._age, lose=self._lose, exact=exact)
        self.database = Database(self.conf, self.settings)
        migrate.upgrade(self.database)

    def stop(self) -> None:
        super().stop()
        self.database.close()

    def _age(self, seconds: float) -> None:
        shift = round(seconds * 1_000_000)

        def write(connection: sa.Connection) -> None:
            for table, names in _TIMES.items():
                values = {name: table.c[name] - shift for name in names}
                connection.execute(sa.update(table).values(values))

        self.database.transaction(write)

    def _lose(self) -> None:
        def write(connection: sa.Connection) -> None:
            for table in _TIMES:
                connection.execute(sa.delete(table))

        self.database.transaction(write)
