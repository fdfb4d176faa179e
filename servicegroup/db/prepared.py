"""The few statements that everything waits for, run on the client library's own cursor.

SQLAlchemy compiles them, once, and keeps their connections. Run through it each time, a beat takes
twice as long as by the client library alone, and a listing a third longer (``make bench``).
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as oslo_db_exception

Again = Callable[[Callable[[sa.Connection], Any]], Any]
#: Takes what is wanted from a cursor, or from SQLAlchemy's result.
Take = Callable[[Any], Any]

_FETCHALL = operator.methodcaller("fetchall")
_ALL = operator.methodcaller("all")
_ROWCOUNT = operator.attrgetter("rowcount")


class Kept:
    """A connection that is not given back to its pool between two statements.

    That alone costs a beat a quarter of its time. Usable from any thread.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._idle: list[sa.PoolProxiedConnection] = []

    def take(self) -> sa.PoolProxiedConnection:
        """Return the connection for one statement; a new one where there is none to spare."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._engine.raw_connection()

    def give(self, connection: sa.PoolProxiedConnection) -> None:
        """Take it back."""
        if self._idle:
            connection.close()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Give the connection back to the pool."""
        while self._idle:
            self._idle.pop().close()


class Prepared:
    """One statement, compiled for one engine. Usable from any thread.

    What goes wrong is tried again through SQLAlchemy, which replaces dead connections and knows
    the errors of every client library; but not once half of *timeout* has passed, in seconds.

    :param again: runs a function with a connection of SQLAlchemy's
    :param kept: the connection to use in place of any from the pool
    """

    def __init__(
        self,
        engine: sa.Engine,
        statement: sa.Executable,
        timeout: float,
        again: Again,
        kept: Kept | None = None,
    ) -> None:
        self._engine = engine
        self._statement = statement
        self._patience = timeout / 2
        self._again = again
        self._kept = kept
        compiled: Any = statement.compile(engine)  # type: ignore[attr-defined]
        self._text: str = compiled.string
        self._constants: dict[str, Any] = dict(compiled.params)
        self._order: Sequence[str] | None = compiled.positiontup if compiled.positional else None
        self._encoders: dict[str, Callable[[Any], Any]] = {}
        for name, parameter in compiled.binds.items():
            kind = parameter.type.dialect_impl(engine.dialect)
            encode = kind.bind_processor(engine.dialect)
            if encode is not None:
                self._encoders[name] = encode

    def rows(self, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Return all rows as the client library makes them: without names, ids maybe as bytes."""
        found: Sequence[Sequence[Any]] = self._run(parameters, _FETCHALL, _ALL)
        return found

    def count(self, parameters: Mapping[str, Any]) -> int:
        """Return how many rows were matched."""
        matched: int = self._run(parameters, _ROWCOUNT, _ROWCOUNT)
        return matched

    def _run(self, parameters: Mapping[str, Any], take: Take, take_again: Take) -> Any:
        begun = time.monotonic()
        try:
            return self._directly(parameters, take)
        except (self._engine.dialect.loaded_dbapi.Error, sa.exc.ResourceClosedError) as error:
            if time.monotonic() - begun > self._patience:
                raise oslo_db_exception.DBConnectionError(error) from error
        return self._again(
            lambda connection: take_again(connection.execute(self._statement, dict(parameters)))
        )

    def _directly(self, parameters: Mapping[str, Any], take: Take) -> Any:
        encoded: Any = {**self._constants, **parameters}
        for name, encode in self._encoders.items():
            encoded[name] = encode(encoded[name])
        if self._order is not None:
            encoded = [encoded[name] for name in self._order]
        connection = self._engine.raw_connection() if self._kept is None else self._kept.take()
        try:
            cursor = connection.cursor()
            cursor.execute(self._text, encoded)
            taken = take(cursor)
            cursor.close()
        except BaseException:
            connection.invalidate()  # whatever state it is in
            raise
        if self._kept is None:
            connection.close()
        else:
            self._kept.give(connection)
        return taken
