"""The databases that are measured, each on a server private to the run."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

DATABASES = ("sqlite", "postgresql", "mariadb")

#: Where the tests keep what starts private servers.
_TESTS = pathlib.Path(__file__).parents[1] / "tests"
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


class Place(NamedTuple):
    """An empty database, and what it is in words."""

    name: str
    url: str
    title: str


@contextlib.contextmanager
def place(name: str) -> Iterator[Place]:
    """Make an empty database of that kind, and remove it afterwards with its server."""
    if name == "sqlite":
        with tempfile.TemporaryDirectory(prefix="servicegroup-benchmark-") as folder:
            url = f"sqlite:///{pathlib.Path(folder) / 'benchmark.sqlite'}"
            version = sqlite3.sqlite_version
            yield Place(name, url, f"SQLite {version} (WAL, synchronous=NORMAL)")
        return
    with _server(name) as server:
        url = server.create_database()
        settings = ", ".join(f"{key}={value}" for key, value in server.settings.items())
        yield Place(name, url, f"{_version(url)} ({settings})")


@contextlib.contextmanager
def _server(name: str) -> Iterator[Any]:
    if str(_TESTS) not in sys.path:
        sys.path.insert(0, str(_TESTS))
    from servers.home import Home
    from servers.mariadb import MariaDB
    from servers.postgresql import PostgreSQL

    with Home() as home:
        if name == "postgresql":
            server: Any = PostgreSQL(home, settings=_POSTGRESQL)
        else:
            server = MariaDB(home, settings=_MARIADB)
        with server:
            yield server


def _version(url: str) -> str:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        words = str(connection.scalar(sa.text("SELECT version()")))
    engine.dispose()
    if words.startswith("PostgreSQL"):
        return " ".join(words.split()[:2])
    return f"MariaDB {words.partition('-')[0]}"
