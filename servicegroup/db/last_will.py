"""Ending an instance by the client library alone: what the guardian does for the ``db`` driver.

The statements are the texts of those in :mod:`servicegroup.db.ending`.
"""

from __future__ import annotations

import contextlib
import functools
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
    positional, named = connecting
    connected = _CONNECTORS[kind](timeout, *positional, **named)

    def carry_out() -> None:
        with contextlib.closing(connected()) as connection:
            cursor = connection.cursor()
            cursor.execute(*end)
            if cursor.rowcount and held is not None and notify is not None:
                cursor.execute(*held)
                text, parameters = notify
                for one in payload.packed(cursor.fetchall()):
                    cursor.execute(text, {**parameters, "payload": one})
            connection.commit()

    return carry_out


def _sqlite(_timeout: float, path: str, *, uri: bool = False, **named: Any) -> Callable[[], Any]:
    import sqlite3

    if not uri:  # a file that is not there must not be made
        path = f"file:{urllib.parse.quote(path)}?mode=rw"

    def connected() -> sqlite3.Connection:
        connection: sqlite3.Connection = sqlite3.connect(path, uri=True, **named)
        boot_clock.install(connection)
        return connection

    return connected


def _postgresql(timeout: float, **named: Any) -> Callable[[], Any]:
    from servicegroup.db.patience import connector

    return functools.partial(connector(timeout), **named)


def _mysql(_timeout: float, **named: Any) -> Callable[[], Any]:
    import encodings.idna  # noqa: F401 - names of hosts go through it

    import pymysql

    # What is deferred is the connecting. To prepare for TLS takes 20 ms, needed or not.
    connection = pymysql.connect(defer_connect=True, **named)

    def connected() -> Any:
        connection.connect()
        return connection

    return connected


_CONNECTORS: dict[str, Callable[..., Callable[[], Any]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mysql": _mysql,
}
