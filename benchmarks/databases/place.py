"""The databases that are measured."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from benchmarks import places
from benchmarks.databases.bare import bare
from benchmarks.databases.core import Core
from benchmarks.databases.fleet import DatabaseFleet
from benchmarks.rivals import Rival
from servicegroup import config

#: Tests log every statement and never wait for the disk; figures should come from neither.
_POSTGRESQL = {
    "log_statement": "none",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "128MB",
}
#: One flush a second in place of one a commit: else the disk would hide what the clients cost.
_MARIADB = {"innodb-flush-log-at-trx-commit": "2", "innodb-buffer-pool-size": "128M"}


class Database(places.Place):
    """A database with our tables; its address is a URL."""

    driver = "db"
    libraries = ("SQLAlchemy", "oslo.db")
    connections = 2  # one for beats, one for all else
    joined = "joiners"  # one table: the number of members of a group is of no account

    def options(self) -> Mapping[str, Mapping[str, Any]]:
        return {config.DATABASE_GROUP: {"connection": self.address}}

    def fleet(self) -> DatabaseFleet:
        return DatabaseFleet(self)

    def rivals(self) -> list[Rival]:
        url = sa.make_url(self.address)
        client = bare(url, joined=self.joined)
        return [client, Core(url, client)]


class SQLite(Database):
    name = "sqlite"

    @classmethod
    @contextlib.contextmanager
    def serve(cls) -> Iterator[Database]:
        with tempfile.TemporaryDirectory(prefix="servicegroup-benchmark-") as folder:
            url = f"sqlite:///{pathlib.Path(folder) / 'benchmark.sqlite'}"
            yield cls(url, f"SQLite {sqlite3.sqlite_version} (WAL, synchronous=NORMAL)")


class PostgreSQL(Database):
    name = "postgresql"
    libraries = (*Database.libraries, "psycopg")

    @classmethod
    @contextlib.contextmanager
    def serve(cls) -> Iterator[Database]:
        with places.servers() as home:
            from servers.postgresql import PostgreSQL as Server

            with Server(home, settings=_POSTGRESQL) as server:
                yield _described(cls, server)


class MariaDB(Database):
    name = "mariadb"
    libraries = (*Database.libraries, "PyMySQL")

    @classmethod
    @contextlib.contextmanager
    def serve(cls) -> Iterator[Database]:
        with places.servers() as home:
            from servers.mariadb import MariaDB as Server

            with Server(home, settings=_MARIADB) as server:
                yield _described(cls, server)


PLACES = {one.name: one for one in (SQLite, PostgreSQL, MariaDB)}


def _described(which: type[Database], server: Any) -> Database:
    url = server.create_database()
    settings = ", ".join(f"{key}={value}" for key, value in server.settings.items())
    return which(url, f"{_version(url)} ({settings})", server.pid)


def _version(url: str) -> str:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        words = str(connection.scalar(sa.text("SELECT version()")))
    engine.dispose()
    if words.startswith("PostgreSQL"):
        return " ".join(words.split()[:2])
    return f"MariaDB {words.partition('-')[0]}"
