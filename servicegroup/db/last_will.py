"""Ending an instance by the client library alone: what the guardian does for the ``db`` driver.

The statements are the texts of those in :mod:`servicegroup.db.ending`.
"""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Callable, Sequence
from typing import Any

from servicegroup.db import boot_clock, payload

#: A text and its parameters.
Statement = Sequence[Any]


def prepared(
    *,
    kind: str,
    timeout: float,
    connecting: tuple[Sequence[Any], dict[str, Any]],
    end: Statement,
    held: Statement | None = None,
    notify: Statement | None = None,
) -> Callable[[], None]:
    """Import the client library, and return what ends the instance.

    :param held: finds its members, who are told to watchers by *notify*
    """
    connect = _CONNECTORS[kind](timeout)
    positional, named = connecting

    def carry_out() -> None:
        with contextlib.closing(connect(*positional, **named)) as connection:
            cursor = connection.cursor()
            cursor.execute(*end)
            if cursor.rowcount and held is not None and notify is not None:
                cursor.execute(*held)
                text, parameters = notify
                for one in payload.packed(cursor.fetchall()):
                    cursor.execute(text, {**parameters, "payload": one})
            connection.commit()

    return carry_out


def _sqlite(timeout: float) -> Callable[..., Any]:  # noqa: ARG001 - it is in the arguments
    import sqlite3

    def connect(path: str, *, uri: bool = False, **named: Any) -> sqlite3.Connection:
        if not uri:  # a file that is not there must not be made
            path = f"file:{urllib.parse.quote(path)}?mode=rw"
        connection: sqlite3.Connection = sqlite3.connect(path, uri=True, **named)
        boot_clock.install(connection)
        return connection

    return connect


def _postgresql(timeout: float) -> Callable[..., Any]:
    from servicegroup.db.patience import connector

    return connector(timeout)


def _mysql(timeout: float) -> Callable[..., Any]:  # noqa: ARG001 - it is in the arguments
    import pymysql

    return pymysql.connect


_CONNECTORS = {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mysql}
