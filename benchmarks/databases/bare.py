"""The other side of every ratio: hand-written SQL on the bare client library.

One kept connection in autocommit mode; each statement asks for just what the answer needs. The
cursor's rows are fetched and, for full objects, the attributes decoded together; nothing else.
"""

from __future__ import annotations

import json
import pathlib
import queue
import sqlite3
import threading
import time
import uuid
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from benchmarks import rivals
from benchmarks.databases.rows import service
from benchmarks.places import member_id

#: What a verdict needs: the id, the age of the beat, and one flag for everything that overrules it.
VERDICTS = """
SELECT s.member_id, {now} - i.beat_at,
       CASE WHEN s.forced_down THEN 1 WHEN i.ended_at IS NOT NULL THEN 2
            WHEN s.withdrawn IS NOT NULL THEN 3 WHEN i.boot_id <> {boot} THEN 4 END
FROM services s LEFT JOIN instances i ON i.instance_id = s.instance_id
WHERE s.group_id = {group} AND s.left_at IS NULL"""

#: All that a listing shows: the member, its attributes and life, the record, the verdict's grounds.
OBJECTS = """
SELECT s.attributes, s.member_id, s.name, s.hostname, s.process_id, s.started_at, s.version,
       s.instance_id, s.incarnation, s.revision, s.withdrawn, s.withdrawn_at, s.id, s.uuid,
       s.created_at, s.updated_at, s.disabled, s.disabled_reason, s.forced_down,
       s.forced_down_reason, s.forced_down_at, {now} - i.beat_at, {now} - i.steady_since,
       {now} - s.up_since, i.ended_at, i.ended_reason, i.boot_id <> {boot}
FROM services s LEFT JOIN instances i ON i.instance_id = s.instance_id
WHERE s.group_id = {group} AND s.left_at IS NULL"""

ATTRIBUTES = 0  # the column of OBJECTS

ONE = VERDICTS + " AND s.member_id = {member}"
#: Whose members are inserted by hand.
_LIFE = str(uuid.uuid4())
BEAT = "UPDATE instances SET beat_at = {now} WHERE instance_id = {instance}"


class Bare(rivals.Bare):
    """SQLite through ``sqlite3``; the clock is a parameter, since SQLite has none of its own."""

    now = ":now"
    boot = ":boot"
    parameter = ":{}"
    #: As the library sets them.
    pragmas: Sequence[str] = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL")

    def __init__(self, url: sa.URL, *, joined: str = "", beats: bool = False) -> None:
        self.url = url
        self.beats = beats
        self._joined = joined
        # As ours keep one for beats.
        self._for_beats = self if beats else type(self)(url, beats=True)
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id")
        self._boot = boot.read_text().strip() if boot.exists() else ""
        self._connection = self._connect()
        words = {"now": self.now, "boot": self.boot}
        words |= {name: self.parameter.format(name) for name in ("group", "member", "instance")}
        self._verdicts, self._objects, self._one, self._beat = (
            text.format_map(words) for text in (VERDICTS, OBJECTS, ONE, BEAT)
        )

    def verdicts(self, group: str) -> Sequence[Any]:
        return self._all(self._verdicts, {"group": group})

    def objects(self, group: str) -> tuple[Sequence[Any], Sequence[Any]]:
        rows = self._all(self._objects, {"group": group})
        return rows, json.loads("[" + ",".join([row[ATTRIBUTES] for row in rows]) + "]")

    load = objects
    again = verdicts

    def one(self, group: str, member: str) -> Any:
        return self._all(self._one, {"group": group, "member": member})[0]

    def beat(self, instance: str) -> int:
        return self._for_beats._write(self._beat, {"instance": instance})

    def join(self, name: str) -> None:
        """Add one row of ``services`` in a transaction of its own."""
        row = service(name, _LIFE, group_id=self._joined)
        self._write(self._insertion(row), row)

    def join_all(self, group: str, size: int) -> None:
        """Add rows of ``services`` in one transaction."""
        rows = [service(member_id(number), _LIFE, group_id=group) for number in range(size)]
        cursor = self._connection.cursor()
        cursor.execute("BEGIN")
        cursor.executemany(self._insertion(rows[0]), rows)
        cursor.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()
        if not self.beats:
            self._for_beats.close()

    def _insertion(self, columns: Iterable[str]) -> str:
        names = list(columns)
        values = ", ".join(self.parameter.format(name) for name in names)
        return f"INSERT INTO services ({', '.join(names)}) VALUES ({values})"

    def _connect(self) -> Any:
        connection = sqlite3.connect(str(self.url.database), isolation_level=None)
        for pragma in self.pragmas:
            connection.execute(pragma)
        return connection

    def _all(self, statement: str, parameters: dict[str, Any]) -> Sequence[Any]:
        return self._execute(statement, parameters).fetchall()  # type: ignore[no-any-return]

    def _write(self, statement: str, parameters: Mapping[str, Any]) -> int:
        return int(self._execute(statement, dict(parameters)).rowcount)

    def _execute(self, statement: str, parameters: dict[str, Any]) -> Any:
        parameters["now"] = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
        parameters["boot"] = self._boot
        return self._connection.execute(statement, parameters)


class BarePostgreSQL(Bare):
    """PostgreSQL through psycopg, beats without waiting for the disk as ours."""

    now = "(SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
    boot = "''"
    pragmas = ()
    parameter = "%({})s"

    def _connect(self) -> Any:
        import psycopg

        return psycopg.connect(
            self.url.set(drivername="postgresql").render_as_string(hide_password=False),
            autocommit=True,
            options="-c synchronous_commit=off" if self.beats else None,
        )

    def _execute(self, statement: str, parameters: dict[str, Any]) -> Any:
        return self._connection.execute(statement, parameters)

    def events(self, interval: float) -> Generator[float]:  # noqa: ARG002
        """Notify, and be notified elsewhere."""
        told: queue.SimpleQueue[float] = queue.SimpleQueue()
        listening, enough = self._connect(), threading.Event()
        listening.execute("LISTEN benchmark")

        def listen() -> None:
            while not enough.is_set():
                for _ in listening.notifies(timeout=0.5):
                    told.put(time.perf_counter())

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            while True:
                start = time.perf_counter()
                self._connection.execute("SELECT pg_notify('benchmark', '')")
                yield told.get(timeout=10) - start
        finally:
            enough.set()
            thread.join()
            listening.close()


class BareMariaDB(Bare):
    """MariaDB through PyMySQL."""

    now = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"
    boot = "''"
    pragmas = ()
    parameter = "%({})s"

    def _connect(self) -> Any:
        import pymysql

        return pymysql.connect(
            host=self.url.host,
            port=self.url.port or 3306,
            user=self.url.username,
            password=self.url.password or "",
            database=self.url.database,
            charset="utf8mb4",
            autocommit=True,
        )

    def _execute(self, statement: str, parameters: dict[str, Any]) -> Any:
        cursor = self._connection.cursor()
        cursor.execute(statement, parameters)
        return cursor


def bare(url: sa.URL, *, joined: str) -> Bare:
    """Return the bare client for a URL, which joins that group."""
    kinds = {"postgresql": BarePostgreSQL, "mysql": BareMariaDB, "mariadb": BareMariaDB}
    return kinds.get(url.get_backend_name(), Bare)(url, joined=joined)
