"""What one consumer is told: changes after its position, and complete snapshots, page by page."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from .ledger import Ledger
from .model import Entity, Event, LastKnown, Op

#: Rows read at once at most, and bytes after which it is enough.
PAGE, PAGE_BYTES = 500, 4 * 1024 * 1024

_decode = msgspec.msgpack.Decoder(Entity).decode
_COLUMNS = "type, key, source, seq, born, risen, parent, project, observed, data"


class Reader:
    """Reads the ledger for some types. For one thread at a time."""

    def __init__(self, ledger: Ledger, types: Sequence[str]) -> None:
        self._ledger = ledger
        self._types = list(types)
        self._in = f"type IN ({', '.join('?' * len(types))})"
        self._connection = ledger.file.reader()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def changes(self, seq: int) -> tuple[list[Event], int, int]:
        """Return the next events after *seq*, up to where these are all, and what was purged.

        Where that is beyond *seq*, something that is gone is missing among them.
        """
        query = f"SELECT {_COLUMNS} FROM entities WHERE seq > ? AND {self._in} ORDER BY seq LIMIT ?"  # noqa: S608
        self._connection.execute("BEGIN")
        try:
            now, purged = self._meta("seq"), self._meta("purged")
            rows, are_all = self._page(query, (seq, *self._types))
            until = now if are_all else rows[-1][3]
            statuses = self._statuses("seq > ? AND seq <= ?", (seq, until))
        finally:
            self._connection.execute("COMMIT")
        events = [event for row in rows if (event := self._change(row, seq)) is not None]
        return sorted([*events, *statuses], key=lambda event: event.seq), until, purged

    def complete(self) -> dict[str, int]:
        """Return those types of which all is known, and since which change."""
        query = f"SELECT type, ready FROM types WHERE {self._in}"  # noqa: S608
        return dict(self._all(query, self._types))

    def failing(self) -> list[Event]:
        """Return the status of each source that does not work well now."""
        return self._statuses("state <> 'ok'", ())

    def snapshot(self, type_: str, seq: int, reason: str = "") -> Iterator[Event]:
        """Yield all of one type as it was at *seq*; what changed since comes as changes."""
        where = "type = ? AND data IS NOT NULL AND seq <= ?"
        (count,) = self._one(f"SELECT count(*) FROM entities WHERE {where}", (type_, seq))  # noqa: S608
        blank = Event(
            op=Op.SNAPSHOT_BEGIN,
            source="",
            epoch=self._ledger.epoch,
            seq=0,
            after=seq,
            observed_at=time.time(),
            type=type_,
            reason=reason,
            count=count,
        )
        yield blank
        sent, last = 0, ""
        query = f"SELECT {_COLUMNS} FROM entities WHERE {where} AND key > ? ORDER BY key LIMIT ?"  # noqa: S608
        are_all = False
        while not are_all:
            rows, are_all = self._page(query, (type_, seq, last))
            for row in rows:
                yield msgspec.structs.replace(
                    blank,
                    op=Op.SNAPSHOT,
                    source=row[2],
                    observed_at=row[8],
                    reason="",
                    count=None,
                    entity=_decode(row[9]),
                )
            sent += len(rows)
            last = rows[-1][1] if rows else last
        yield msgspec.structs.replace(blank, op=Op.SNAPSHOT_END, seq=seq, count=sent)

    def picture(self) -> tuple[list[Entity], int]:
        """Return everything there is, and the number of the last change in it."""
        query = f"SELECT data FROM entities WHERE data IS NOT NULL AND {self._in}"  # noqa: S608
        self._connection.execute("BEGIN")
        try:
            seq = self._meta("seq")
            found = self._connection.execute(query, self._types)
            return [_decode(data) for (data,) in found], seq
        finally:
            self._connection.execute("COMMIT")

    def count(self) -> dict[str, int]:
        """Return how many there are of each type."""
        query = (
            f"SELECT type, count(*) FROM entities WHERE data IS NOT NULL AND {self._in} "  # noqa: S608
            "GROUP BY type"
        )
        return dict(self._all(query, self._types))

    def position(self, name: str) -> tuple[int, list[str]] | None:
        """Return how far the consumer of that name is, and of which types; ``None``: unknown."""
        query = "SELECT seq, types FROM consumers WHERE name = ?"
        row = self._one(query, (name,))
        return None if row is None else (row[0], json.loads(row[1]))

    def _change(self, row: Sequence[Any], seq: int) -> Event | None:
        type_, key, source, at, born, risen, parent, project, observed, data = row
        event = Event(
            op=Op.UPDATE,
            source=source,
            epoch=self._ledger.epoch,
            seq=at,
            after=seq,
            observed_at=observed,
            type=type_,
        )
        if data is not None:
            event.entity = _decode(data)
            if risen > seq:
                event.op = Op.CREATE
        elif born > seq:
            return None  # it came and went since
        else:
            event.op = Op.DELETE
            event.last_known = LastKnown(key, type_, parent, project)
        return event

    def _statuses(self, where: str, values: Sequence[object]) -> list[Event]:
        query = f"SELECT name, state, reason, types, seq, observed FROM sources WHERE {where}"  # noqa: S608
        events = []
        for name, state, reason, types, seq, observed in self._all(query, values):
            concerned = tuple(json.loads(types))
            if set(concerned) & set(self._types):
                events.append(
                    Event(
                        op=Op.STATUS,
                        source=name,
                        epoch=self._ledger.epoch,
                        seq=seq,
                        after=0,
                        observed_at=observed,
                        state=state,
                        reason=reason,
                        types=concerned,
                    )
                )
        return events

    def _page(self, query: str, values: Sequence[object]) -> tuple[list[Any], bool]:
        """Return the first rows of a query whose last column is data, and whether these are all."""
        rows, size = [], 0
        for row in self._connection.execute(query, (*values, PAGE)):
            rows.append(row)
            size += len(row[-1] or b"")
            if size >= PAGE_BYTES:
                return rows, False
        return rows, len(rows) < PAGE

    def _meta(self, name: str) -> int:
        value: int = self._one("SELECT value FROM meta WHERE name = ?", (name,))[0]
        return value

    def _one(self, query: str, values: Sequence[object]) -> Any:
        return self._connection.execute(query, values).fetchone()

    def _all(self, query: str, values: Sequence[object]) -> list[Any]:
        return self._connection.execute(query, values).fetchall()
