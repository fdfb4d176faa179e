"""What SQLAlchemy Core alone takes for the statements of :mod:`benchmarks.databases.bare`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from benchmarks.databases import bare
from benchmarks.rivals import Rival
from servicegroup.db.connection import SCHEMES


class Core(Rival):
    """The bare client's statements through an engine in autocommit mode with a pool."""

    column = "SQLAlchemy Core"

    def __init__(self, url: sa.URL, client: bare.Bare) -> None:
        postgresql = url.get_backend_name() == "postgresql"
        self._engine = sa.create_engine(
            url.set(drivername=SCHEMES[url.get_backend_name()]),
            isolation_level="AUTOCOMMIT",
            connect_args={"options": "-c synchronous_commit=off"} if postgresql else {},
        )
        if client.pragmas:
            sa.event.listen(self._engine, "connect", _set_pragmas)
        words = {"now": client.now, "boot": client.boot}
        words |= {name: f":{name}" for name in ("group", "member", "instance")}
        self._verdicts, self._objects, self._one, self._beat = (
            sa.text(text.format_map(words).replace("::", "\\:\\:"))
            for text in (bare.VERDICTS, bare.OBJECTS, bare.ONE, bare.BEAT)
        )

    def verdicts(self, group: str) -> Sequence[Any]:
        return self._all(self._verdicts, {"group": group})

    def objects(self, group: str) -> tuple[Sequence[Any], Sequence[Any]]:
        rows = self._all(self._objects, {"group": group})
        return rows, json.loads("[" + ",".join([row[bare.ATTRIBUTES] for row in rows]) + "]")

    def one(self, group: str, member: str) -> Any:
        return self._all(self._one, {"group": group, "member": member})[0]

    def beat(self, instance: str) -> int:
        with self._engine.connect() as connection:
            return connection.execute(self._beat, self._clocked({"instance": instance})).rowcount

    def close(self) -> None:
        self._engine.dispose()

    def _all(self, statement: sa.TextClause, parameters: dict[str, Any]) -> Sequence[Any]:
        with self._engine.connect() as connection:
            return connection.execute(statement, self._clocked(parameters)).all()

    def _clocked(self, parameters: dict[str, Any]) -> dict[str, Any]:
        if self._engine.name == "sqlite":
            parameters["now"] = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
            parameters["boot"] = ""
        return parameters


def _set_pragmas(connection: Any, record: Any) -> None:  # noqa: ARG001
    for pragma in bare.Bare.pragmas:
        connection.execute(pragma)
