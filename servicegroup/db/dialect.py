"""What differs between the databases: clocks, connections, locks. One class each, no more."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import URL
from sqlalchemy.pool import QueuePool

from servicegroup.config import Settings
from servicegroup.db import boot_clock
from servicegroup.db.forks import ForkSafePool
from servicegroup.exceptions import DriverUnavailable

#: Seconds: the shortest connect time-out that libpq takes.
_SHORTEST_CONNECT = 2
#: Any number that is ours alone: PostgreSQL's advisory locks are named by numbers.
_MIGRATION_LOCK = 7308895158390256737
#: ER_DBACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR.
_DENIED = (1044, 1142, 1143)
#: Seconds until a refused connection to a new file asks again.
_ASK_AGAIN = 0.01


class Dialect:
    """SQLite, and what the others share.

    SQLite is one host by nature and has no server clock (its ``now`` is the caller's): liveness
    times are the host's ``CLOCK_BOOTTIME``, which no skewed wall clock touches and which runs
    during suspend, with the boot's id beside it: a row from another boot is from a dead process.
    """

    name: ClassVar[str] = "sqlite"
    begin: ClassVar[str] = "BEGIN IMMEDIATE"  # a later upgrade to a writer fails at once
    #: Liveness times: microseconds of the store's clock. Evaluated once per statement.
    now: ClassVar[str] = "(SELECT servicegroup_now())"
    #: Times for people: microseconds since 1970, UTC.
    wall: ClassVar[str] = "(SELECT servicegroup_wall())"
    boot: ClassVar[str] = "(SELECT servicegroup_boot())"
    #: What helps where there is none, and where it does not answer.
    create: ClassVar[str] = "create its directory, in which this process must be allowed to write"
    check: ClassVar[str] = "check that its disk has room, and that no stopped process locks it"
    locks_rows: ClassVar[bool] = False
    notifies: ClassVar[bool] = False
    #: Whether the connection for beats may stay taken between them; not where forks wait for it.
    keeps: ClassVar[bool] = False
    pool: ClassVar[type[QueuePool]] = ForkSafePool

    def __init__(self, settings: Settings) -> None:
        self.timeout = settings.call_timeout

    def connect_args(self, *, beats: bool) -> dict[str, Any]:  # noqa: ARG002 - others need it
        """Arguments of the client library: above all, every wait has an end."""
        return {"timeout": self.timeout}

    def connected(self, connection: Any) -> None:
        """Prepare a fresh connection of the client library."""
        connection.isolation_level = None  # no BEGIN behind our back
        self._write_ahead(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        boot_clock.install(connection)

    def _write_ahead(self, connection: sqlite3.Connection) -> None:
        """Switch to a write-ahead log; SQLite's own waiting does not cover a file's first switch.

        Beside one that switches, or writes the old way, it refuses at once: two that hold the file
        for reading, and both want it for themselves, could wait for one another for ever.
        """
        end = time.monotonic() + self.timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                    raise
                time.sleep(_ASK_AGAIN)
            else:
                return

    def returned(self, connection: Any) -> None:
        """Let go of what a connection of the client library need not keep while it is idle."""

    def denied(self, error: Any) -> bool:  # noqa: ARG002 - files have no users
        """Whether the client library's error says that its user lacks a right."""
        return False

    def connector(self) -> Callable[..., Any] | None:
        """Return what opens a connection in place of the library's own function, if anything."""
        return None

    def text(self, identifier: sa.Column[str]) -> sa.ColumnElement[str]:
        """Select an id as text, whatever it is kept as, so that nobody need decode it."""
        return sa.type_coerce(identifier, sa.Unicode)

    @contextlib.contextmanager
    def exclusive(self, connection: sa.Connection) -> Iterator[None]:  # noqa: ARG002
        """Keep every other migration out; SQLite's write transaction does so already."""
        yield


class _Server(Dialect):
    create = "create the database"
    check = "check that the server runs and that the URL is right"


class PostgreSQL(_Server):
    """The server's ``clock_timestamp()``, which moves on while a transaction waits for a lock."""

    name = "postgresql"
    begin = "BEGIN"
    now = "(SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
    wall = now
    boot = "''"
    locks_rows = True
    keeps = True
    notifies = True
    pool = QueuePool

    def connect_args(self, *, beats: bool) -> dict[str, Any]:
        seconds = max(_SHORTEST_CONNECT, int(self.timeout))
        arguments: dict[str, Any] = {
            "connect_timeout": seconds,
            "tcp_user_timeout": int(self.timeout * 1000),
            "keepalives_idle": seconds,
            "keepalives_interval": seconds,
            "keepalives_count": 2,
            "application_name": "servicegroup",
        }
        # A beat lost in a crash of the server is a beat that comes again. Nothing else is so large
        # that a second process of the server would help, and to start one takes ten milliseconds.
        setting = "synchronous_commit=off" if beats else "max_parallel_workers_per_gather=0"
        arguments["options"] = f"-c {setting}"
        return arguments

    def connected(self, connection: Any) -> None:
        pass

    def denied(self, error: Any) -> bool:
        return getattr(error, "sqlstate", None) == "42501"  # insufficient_privilege

    def connector(self) -> Callable[..., Any] | None:
        from servicegroup.db.patience import connector

        return connector(self.timeout)

    @contextlib.contextmanager
    def exclusive(self, connection: sa.Connection) -> Iterator[None]:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        yield


class MySQL(_Server):
    """MySQL and MariaDB: ``UTC_TIMESTAMP(6)``, which knows neither session zone nor summer time."""

    name = "mysql"
    begin = "START TRANSACTION"
    now = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"
    wall = now
    boot = "''"
    locks_rows = True
    keeps = True
    pool = QueuePool

    def connect_args(self, *, beats: bool) -> dict[str, Any]:  # noqa: ARG002
        return {
            "connect_timeout": max(1, round(self.timeout)),
            "read_timeout": self.timeout,
            "write_timeout": self.timeout,
            "charset": "utf8mb4",
        }

    def connected(self, connection: Any) -> None:
        # Repeatable read would lock the gaps around absent rows: joins of new members would
        # deadlock one another.
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            cursor.execute("SET SESSION sql_mode = 'TRADITIONAL'")

    def returned(self, connection: Any) -> None:
        connection._result = None  # PyMySQL keeps all rows of the last look until the next one

    def denied(self, error: Any) -> bool:
        return isinstance(error, Exception) and error.args[0] in _DENIED

    def text(self, identifier: sa.Column[str]) -> sa.ColumnElement[str]:
        return sa.cast(identifier, mysql.CHAR(charset="utf8mb4"))

    @contextlib.contextmanager
    def exclusive(self, connection: sa.Connection) -> Iterator[None]:
        # Every statement that changes a table ends the transaction: only a named lock lasts.
        locked = connection.exec_driver_sql("SELECT GET_LOCK('servicegroup', 60)").scalar()
        if not locked:
            raise DriverUnavailable("another migration of this database has not ended for 60 s")
        try:
            yield
        finally:
            connection.exec_driver_sql("SELECT RELEASE_LOCK('servicegroup')")


def dialect(url: URL, settings: Settings) -> Dialect:
    """Return the dialect of a checked URL."""
    family = url.get_backend_name()
    kinds = {"postgresql": PostgreSQL, "mysql": MySQL, "mariadb": MySQL}
    return kinds.get(family, Dialect)(settings)
