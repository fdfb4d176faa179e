"""Saving a database's rows and putting them back, under those who live in it."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from servicegroup.db.tables import instances, removed, services

TABLES = (services, instances, removed)


def save(url: str, folder: str) -> Callable[[], None]:
    """Save what the database at *url* holds; returns what puts it back.

    SQLite has a way of its own to copy a file that is in use. On a server the rows are replaced in
    one transaction, as a restored dump does it.
    """
    if url.startswith("sqlite"):
        return _saved_file(str(make_url(url).database), f"{folder}/backup.sqlite")
    return _saved_rows(url)


def delete(url: str, statements: Iterable[sa.Delete]) -> None:
    """Lose rows by hand, in one transaction."""
    with _connected(url) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount


def _saved_file(path: str, backup: str) -> Callable[[], None]:
    def copy(origin: str, target: str) -> None:
        with (
            contextlib.closing(sqlite3.connect(origin, timeout=30)) as read,
            contextlib.closing(sqlite3.connect(target, timeout=30)) as written,
        ):
            read.backup(written)

    copy(path, backup)
    return lambda: copy(backup, path)


def _saved_rows(url: str) -> Callable[[], None]:
    with _connected(url) as connection:
        saved = {table: connection.execute(sa.select(table)).mappings().all() for table in TABLES}

    def restore() -> None:
        with _connected(url) as connection:
            for table, rows in saved.items():
                connection.execute(sa.delete(table))
                if rows:
                    connection.execute(sa.insert(table), [dict(row) for row in rows])

    return restore


@contextlib.contextmanager
def _connected(url: str):  # type: ignore[no-untyped-def]
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
