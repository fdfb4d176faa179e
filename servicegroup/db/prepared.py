"""The few statements that everything waits for, run on the client library's own cursor.

SQLAlchemy compiles them, once, and keeps their connections. Run through it each time, a beat takes
twice as long as by the client library alone, and a listing a third longer (``make bench``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from oslo_db import exception as oslo_db_exception

T = TypeVar("T")

Again = Callable[[Callable[[sa.Connection], T]], T]


class Prepared:
    """One statement, compiled for one engine. Usable from any thread.

    What goes wrong is tried again through SQLAlchemy, which replaces dead connections and knows
    the errors of every client library; but not once half of *timeout* has passed, in seconds.

    :param again: runs a function with a connection of SQLAlchemy's
    """

    def __init__(
        self, engine: sa.Engine, statement: sa.Executable, timeout: float, again: Again[Any]
    ) -> None:
        self._engine = engine
        self._statement = statement
        self._patience = timeout / 2
        self._again = again
        compiled: Any = statement.compile(engine)  # type: ignore[attr-defined]
        self._text: str = compiled.string
        self._order: Sequence[str] | None = compiled.positiontup if compiled.positional else None
        self._encoders: dict[str, Callable[[Any], Any]] = {}
        for name, parameter in compiled.binds.items():
            kind = parameter.type.dialect_impl(engine.dialect)
            encode = kind.bind_processor(engine.dialect)
            if encode is not None:
                self._encoders[name] = encode

    def rows(self, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Return all rows as the client library makes them: without names, ids maybe as bytes."""
        return self._run(parameters, lambda cursor: cursor.fetchall(), lambda found: found.all())

    def count(self, parameters: Mapping[str, Any]) -> int:
        """Return how many rows were matched."""
        matched: int = self._run(
            parameters, lambda cursor: cursor.rowcount, lambda done: done.rowcount
        )
        return matched

    def _run(
        self,
        parameters: Mapping[str, Any],
        take: Callable[[Any], T],
        take_again: Callable[[sa.CursorResult[Any]], T],
    ) -> T:
        begun = time.monotonic()
        try:
            return self._directly(parameters, take)
        except self._engine.dialect.loaded_dbapi.Error as error:
            if time.monotonic() - begun > self._patience:
                raise oslo_db_exception.DBConnectionError(error) from error
        result: T = self._again(
            lambda connection: take_again(connection.execute(self._statement, dict(parameters)))
        )
        return result

    def _directly(self, parameters: Mapping[str, Any], take: Callable[[Any], T]) -> T:
        encoded: Any = dict(parameters)
        for name, encode in self._encoders.items():
            encoded[name] = encode(encoded[name])
        if self._order is not None:
            encoded = [encoded[name] for name in self._order]
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(self._text, encoded)
            taken = take(cursor)
            cursor.close()
        except BaseException:
            connection.invalidate()  # whatever state it is in
            raise
        connection.close()
        return taken
