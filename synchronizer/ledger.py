"""What is true by now, on disk: every entity's newest state, each change with a number of its own.

It is the one place where snapshots and streams meet, and from which consumers are told. Whoever
writes gives whole states; whether that is a change is found here, in the same statement. A change
replaces the one before of its key, so it stays as large as the sources are, however far a
consumer lags behind.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from .statements import GONE, blocks, taking
from .tables import File
from .wire import Row

T = TypeVar("T")

#: Rows written in one transaction, so that others need not wait long.
CHUNK = 20_000
#: Seconds for which it is remembered that something is gone: late messages must not revive it.
REMEMBERED = 600.0


class Status(NamedTuple):
    """How a source is: ``ok``, ``failing`` or ``warning``, why, and since which change."""

    state: str
    reason: str
    seq: int
    observed: float


class Ledger:
    """The baseline file and its writers. Usable from any thread.

    :param path: ``None``: nothing outlives this object
    :raises ConfigurationError: the file cannot be used
    """

    def __init__(self, path: Path | None) -> None:
        self.file = File(path)
        self.epoch = self.file.epoch
        self._writer = self.file.writer
        self._writing = threading.Lock()
        self._committed = threading.Condition()
        self._closed = False
        self._owners: dict[str, object] = {}
        #: The number of the last change that was committed.
        self.seq: int = self._meta("seq")
        self._next = self.seq
        #: Up to there, it is no longer known what is gone.
        self.purged: int = self._meta("purged")

    # -- writing ------------------------------------------------------------------------------

    def polled(self, source: str, rows: Iterable[Row], window: int) -> int:
        """Take in what a poll found; returns how many were changes.

        :param window: :attr:`seq` when the poll began
        """
        return self._put(source, rows, window, streamed=False)[1]

    def streamed(self, source: str, rows: Iterable[Row]) -> tuple[int, int]:
        """Take in what a stream said, in its order; returns how many were changes, and too late."""
        taken, changed, given = 0, 0, 0
        for chunk in _chunks(rows, CHUNK):
            given += len(chunk)
            put, new = self._put(source, chunk, 0, streamed=True)
            taken += put
            changed += new
        return changed, given - taken

    def gone(self, type_: str, keys: Iterable[str], window: int) -> int:
        """Take in what a complete poll missed; returns how many were still there."""
        before = 0
        for chunk in _chunks(keys, CHUNK):
            with self.write() as write:
                for key in chunk:
                    values = {"type": type_, "key": key, "window": window}
                    done = self._writer.execute(GONE, values | write.stamp())
                    before += done.rowcount
        return before

    def ready(self, types: Collection[str]) -> None:
        """Note that all that there is of these types is known."""
        missing = set(types) - self.complete()
        if missing:
            with self.write() as write:
                self._writer.executemany(
                    "INSERT OR IGNORE INTO types VALUES (?, ?)",
                    [(type_, write.next()) for type_ in missing],
                )

    def say(self, source: str, state: str, reason: str, types: Collection[str]) -> bool:
        """Note how a source is; a change of its state is told. Returns whether it was one."""
        with self._writing:
            query = "SELECT state FROM sources WHERE name = ?"
            row = self._writer.execute(query, (source,)).fetchone()
        changed = (row[0] if row else "ok") != state
        with self.write() as write:
            stamp = write.stamp() if changed else {"seq": 0, "observed": time.time()}
            self._writer.execute(
                "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, NULL, NULL) ON CONFLICT DO UPDATE "
                "SET state = excluded.state, reason = excluded.reason, types = excluded.types, "
                "seq = max(seq, excluded.seq), observed = excluded.observed",
                (source, state, reason, json.dumps(sorted(types)), *stamp.values()),
            )
        return changed

    def retire(self, present: Collection[str]) -> None:
        """Note that sources which are none any more do not fail."""
        with self._writing:
            query = "SELECT name, types FROM sources WHERE state <> 'ok'"
            failing = self._writer.execute(query).fetchall()
        for name, types in failing:
            if name not in present:
                self.say(name, "ok", "it is not configured any more", json.loads(types))

    def succeeded(self, source: str, newest: float | None) -> None:
        """Note that a source was just polled, and the newest time of any of its entities."""
        with self.write():
            self._writer.execute(
                "UPDATE sources SET succeeded = ?, "
                "newest = max(coalesce(newest, ?), coalesce(?, newest)) WHERE name = ?",
                (time.time(), newest, newest, source),
            )

    def claim(self, name: str, owner: object) -> None:
        """Let *owner* alone change the position of a named consumer from now on."""
        with self._writing:
            self._owners[name] = owner

    def acknowledge(self, name: str, seq: int, types: Collection[str], owner: object) -> None:
        """Keep how far a named consumer is."""
        with self.write():
            if self._owners.get(name) is owner:
                self._writer.execute(
                    "INSERT OR REPLACE INTO consumers VALUES (?, ?, ?, ?)",
                    (name, seq, json.dumps(sorted(types)), time.time()),
                )

    def disown(self, name: str, owner: object) -> None:
        """Forget how far a named consumer was."""
        with self.write():
            if self._owners.get(name) is owner:
                self._writer.execute("DELETE FROM consumers WHERE name = ?", (name,))

    def purge(self, until: int) -> None:
        """Forget what is gone, as far as everybody was told (*until*) and nothing can come late."""
        # A stream's word is needed until the collector was told of it, even if it was no change.
        where = "FROM entities WHERE data IS NULL AND max(seq, streamed) <= ? AND observed < ?"
        values = (until, time.time() - REMEMBERED)
        with self._writing:
            (newest,) = self._writer.execute(f"SELECT max(seq) {where}", values).fetchone()
        if newest is not None:
            with self.write():
                self._writer.execute(f"DELETE {where}", values)
                self._writer.execute(
                    "UPDATE meta SET value = max(value, ?) WHERE name = 'purged'", (newest,)
                )
            self.purged = max(self.purged, newest)

    def forget_consumers(self, before: float, present: Collection[str] = ()) -> list[str]:
        """Forget consumers that were last seen *before* (wall clock); returns their names.

        :param present: those that are seen now, though there may be nothing new to acknowledge
        """
        with self.write() as write:
            self._writer.executemany(
                "UPDATE consumers SET seen = ? WHERE name = ?",
                [(max(write.now, before), name) for name in present],
            )
            done = self._writer.execute(
                "DELETE FROM consumers WHERE seen < ? RETURNING name", (before,)
            )
            return [name for (name,) in done.fetchall()]

    def positions(self) -> list[int]:
        """Return how far each named consumer is that is remembered."""
        with self._writing:
            return [seq for (seq,) in self._writer.execute("SELECT seq FROM consumers")]

    # -- what a source needs ------------------------------------------------------------------

    def marks(self, types: Sequence[str]) -> Iterator[tuple[str, list[tuple[str, int]]]]:
        """Yield, in pages of one type each, what a collector told before."""
        with self._reading() as reader:
            for type_ in types:
                found = reader.execute(
                    "SELECT key, mark FROM entities WHERE type = ? AND data IS NOT NULL", (type_,)
                )
                while page := found.fetchmany(5000):
                    yield type_, page

    def touched(self, types: Sequence[str], since: int) -> list[tuple[str, str, bool]]:
        """Return what streams said something of after *since*: type, key, whether it is there."""
        with self._reading() as reader:
            wanted = ", ".join("?" * len(types))
            query = (
                f"SELECT type, key, data IS NOT NULL FROM entities "  # noqa: S608
                f"WHERE streamed > max(?, 0) AND type IN ({wanted})"
            )
            found = reader.execute(query, (since, *types))
            return [(type_, key, bool(there)) for type_, key, there in found]

    def newest(self, source: str) -> float | None:
        """Return the newest time of a source's entities, if one was ever told."""
        with self._reading() as reader:
            query = "SELECT newest FROM sources WHERE name = ?"
            row = reader.execute(query, (source,)).fetchone()
        return None if row is None else row[0]

    def complete(self) -> set[str]:
        """Return the types of which all is known."""
        with self._writing:
            return {type_ for (type_,) in self._writer.execute("SELECT type FROM types")}

    def keys(self, type_: str) -> list[str]:
        """Return the keys of all that is there."""
        with self._reading() as reader:
            query = "SELECT key FROM entities WHERE type = ? AND data IS NOT NULL"
            return [key for (key,) in reader.execute(query, (type_,))]

    # -- what consumers need ------------------------------------------------------------------

    def wait(self, after: int, timeout: float, woken: Callable[[], bool]) -> None:
        """Wait until there is a change after *after*, *woken* is true, or for *timeout* seconds."""
        with self._committed:
            self._committed.wait_for(lambda: self._closed or self.seq > after or woken(), timeout)

    def wake(self) -> None:
        """Let everybody who waits look again."""
        with self._committed:
            self._committed.notify_all()

    # -- life ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the file; what is committed stays."""
        with self._writing:
            self._closed = True
            self.file.close()
        self.wake()

    @contextmanager
    def write(self) -> Iterator[Write]:
        """One transaction; what it changed is told when it is committed."""
        with self._writing:
            write = Write(self._next)
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield write
                if write.seq != self._next:
                    self._writer.execute(
                        "UPDATE meta SET value = ? WHERE name = 'seq'", (write.seq,)
                    )
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:  # a full disk may have ended it already
                    self._writer.execute("ROLLBACK")
                raise
            self._next = write.seq
        with self._committed:
            if write.seq > self.seq:
                self.seq = write.seq
                self._committed.notify_all()

    def _put(
        self, source: str, rows: Iterable[Row], window: int, *, streamed: bool
    ) -> tuple[int, int]:
        taken = changed = 0
        for chunk in _chunks(rows, CHUNK):
            with self.write() as write:
                first = write.seq
                execute = self._writer.execute
                for block in blocks(chunk):
                    values: list[Any] = [source, write.now, window]
                    for row in block:
                        values += (
                            *(row.type, row.key, write.next(), row.mark, row.digest),
                            *(row.parent_key, row.project, row.timestamp, row.data or None),
                        )
                    taken += execute(taking(len(block), streamed), values).rowcount
                (new,) = execute("SELECT count(*) FROM entities WHERE seq > ?", (first,)).fetchone()
                changed += new
        return taken, changed

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        reader = self.file.reader()
        try:
            yield reader
        finally:
            reader.close()

    def _meta(self, name: str) -> int:
        query = "SELECT value FROM meta WHERE name = ?"
        value: int = self._writer.execute(query, (name,)).fetchone()[0]
        return value


class Write:
    """One transaction: gives out the numbers of its changes."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.now = time.time()

    def next(self) -> int:
        """Return the number of one more change."""
        self.seq += 1
        return self.seq

    def stamp(self) -> dict[str, float]:
        """Return the number of one more change, and when we heard of it."""
        return {"seq": self.next(), "observed": self.now}


def _chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk
