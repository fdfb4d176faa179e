"""What the doctor asks of a database: its clock, its file, the processes that beat in it."""

from __future__ import annotations

import pathlib
import time
from typing import Any, NamedTuple

import sqlalchemy as sa

from servicegroup.db.engine import Database
from servicegroup.db.rows import MICROSECONDS
from servicegroup.db.tables import instances, services

_s, _i = services.c, instances.c


class Process(NamedTuple):
    """One row of ``instances``: ``age`` and ``report_interval`` in seconds."""

    hostname: str
    process_id: int
    report_interval: float
    age: float
    ended: bool
    members: int


class Clock(NamedTuple):
    """How many seconds the database's wall clock is ahead of ours, give or take *error*."""

    ahead: float
    error: float


class Connections(NamedTuple):
    """How many connections to the database's server are open, and how many may be."""

    used: int
    allowed: int


#: For each database what counts the connections in use, and what tells the limit: last column.
_CONNECTIONS = {
    "postgresql": (
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'",
        "SELECT setting FROM pg_settings WHERE name = 'max_connections'",
    ),
    "mysql": (
        "SHOW GLOBAL STATUS LIKE 'Threads_connected'",
        "SHOW GLOBAL VARIABLES LIKE 'max_connections'",
    ),
}


def sqlite_file(database: Database) -> pathlib.Path | None:
    """Return the file that an SQLite database lives in; ``None`` for the others."""
    if database.dialect.name != "sqlite":
        return None
    return pathlib.Path(str(database.url.database)).absolute()


def clock(database: Database) -> Clock | None:
    """Compare the database's wall clock with ours; ``None`` where they are the same one."""
    if database.dialect.name == "sqlite":
        return None
    statement = sa.select(sa.literal_column(database.dialect.wall, sa.BigInteger))

    def ask(connection: sa.Connection) -> Clock:
        connection.scalar(statement)  # the first one pays for the connection
        before = time.time()
        theirs = int(connection.scalar(statement) or 0) / MICROSECONDS
        after = time.time()
        return Clock(theirs - (before + after) / 2, (after - before) / 2)

    return database.read(ask)


def connections(database: Database) -> Connections | None:
    """Count the connections of all users; ``None`` where there is no limit that could matter."""
    queries = _CONNECTIONS.get(database.dialect.name)
    if queries is None:
        return None

    def ask(connection: sa.Connection) -> Connections:
        used, allowed = (connection.exec_driver_sql(one).one() for one in queries)
        return Connections(int(used[-1]), int(allowed[-1]))

    return database.read(ask)


def processes(database: Database) -> list[Process]:
    """Return every process that beats or once did, by host and process id. One SELECT."""
    now = sa.literal_column(database.dialect.now, sa.BigInteger)
    boot = sa.literal_column(database.dialect.boot, sa.String)
    held = (
        sa.select(sa.func.count())
        .where(_s.instance_id == _i.instance_id)
        .correlate(instances)
        .scalar_subquery()
    )
    gone = sa.or_(_i.ended_at.is_not(None), _i.boot_id != boot)
    statement: sa.Select[Any] = sa.select(
        _i.hostname,
        _i.process_id,
        _i.report_interval,
        (now - _i.beat_at).label("age"),
        gone.label("gone"),
        held.label("held"),
    ).order_by(_i.hostname, _i.process_id)
    rows = database.read(lambda connection: connection.execute(statement).all())
    return [
        Process(
            row.hostname,
            row.process_id,
            row.report_interval,
            max(0.0, row.age / MICROSECONDS),
            bool(row.gone),
            row.held,
        )
        for row in rows
    ]
