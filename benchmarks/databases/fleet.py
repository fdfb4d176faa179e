"""A fleet to look at: members written straight into the tables, one process each or shared."""

from __future__ import annotations

import sqlalchemy as sa

from benchmarks.databases.rows import instance, service
from benchmarks.places import GROUP, Place, member_id
from servicegroup import config
from servicegroup.db import migrate
from servicegroup.db.engine import Database
from servicegroup.db.tables import instances, services

_AT_ONCE = 1000
_SOME_INSTANCES = sa.select(instances.c.instance_id).order_by(instances.c.instance_id).limit(100)


class DatabaseFleet:
    """The rows of one group, whose processes all beat when it was made."""

    def __init__(self, place: Place) -> None:
        conf = place.configuration()
        self._database = Database(conf, config.settings(conf))
        dialect = self._database.dialect
        self._clocks = sa.select(
            sa.literal_column(dialect.now, sa.BigInteger),
            sa.literal_column(dialect.wall, sa.BigInteger),
            sa.literal_column(dialect.boot, sa.String),
        )
        migrate.upgrade(self._database)

    def set_size(self, size: int) -> None:
        """Leave nothing in the tables but *size* members, each of a process of its own."""
        self._execute(sa.delete(services))
        self._execute(sa.delete(instances))
        self._database.transaction(lambda connection: self._fill(connection, size))
        if self._database.dialect.name == "postgresql":  # else autovacuum would, mid-run
            self._execute(sa.text("ANALYZE"))

    def share(self, processes: int) -> None:
        """Let the members be held by so many processes, in equal parts."""
        ids = self._database.read(lambda connection: connection.scalars(_SOME_INSTANCES).all())
        for index, instance_id in enumerate(ids[:processes]):
            part = services.c.id % processes == index
            self._execute(sa.update(services).where(part).values(instance_id=instance_id))

    def remove(self, group_id: str) -> None:
        """Remove the members of a group without a trace."""
        self._execute(sa.delete(services).where(services.c.group_id == group_id))

    def instance_of(self, member_id: str) -> str:
        """Return the life that holds a member."""
        statement = sa.select(services.c.instance_id).where(services.c.member_id == member_id)
        return str(self._database.read(lambda connection: connection.scalar(statement)))

    def close(self) -> None:
        self._database.close()

    def _execute(self, statement: sa.Executable) -> None:
        self._database.transaction(lambda connection: connection.execute(statement))

    def _fill(self, connection: sa.Connection, size: int) -> None:
        now, wall, boot = connection.execute(self._clocks).one()
        lives = [instance(member_id(number), now, boot) for number in range(size)]
        members = [
            service(life["hostname"], life["instance_id"], now, wall, GROUP) for life in lives
        ]
        for start in range(0, size, _AT_ONCE):
            connection.execute(sa.insert(instances), lives[start : start + _AT_ONCE])
            connection.execute(sa.insert(services), members[start : start + _AT_ONCE])
