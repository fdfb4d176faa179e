"""The baseline of one collector: what was last told of each key, as 64 bits.

A poll that fails must not have changed anything: the marks are the old ones until the new ones are
noted, once the whole poll counts.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, islice
from typing import Any

import msgspec

from .fingerprint import fingerprint, row_fingerprints, signed, unsigned
from .marks import Marks
from .model import MAX_TEXT, Deleted, Entity, Item, Unchanged
from .plugin import Rows
from .wire import Row

#: Rows that are compared at once: few enough to stay in the processor's cache.
CHUNK = 500
#: Bytes of one entity, as it is kept.
LARGEST_ENTITY = 16 * 1024 * 1024
#: What encoding raises of something that is no plain data, or too deep, large or strange.
UNTELLABLE = (TypeError, ValueError, AttributeError, OverflowError, RecursionError)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entity).decode


class Baseline:
    """What one collector told so far.

    :param types: the entity types that it delivers
    :param ignored: those that it may yield although nobody wants them
    :param fields: of ``data``, those that count
    """

    def __init__(
        self,
        types: Iterable[str],
        fields: Sequence[str] | None = None,
        ignored: Iterable[str] = (),
    ) -> None:
        self._known = {type_: Marks() for type_ in types}
        self._ignored = frozenset(ignored)
        self._fields = fields

    def __len__(self) -> int:
        return sum(len(marks.settle()) for marks in self._known.values())

    def load(self, type_: str, marks: Iterable[tuple[str, int]]) -> None:
        """Take in what the parent kept."""
        if type_ in self._known:
            known = self._known[type_].settle()
            known.update((key, unsigned(mark)) for key, mark in marks)

    def doubt(self, said: Iterable[tuple[str, str, bool]]) -> None:
        """Forget what was told of these (type, key): somebody else told something newer.

        The third says whether it is there by that; else there is nothing to miss.
        """
        for type_, key, there in said:
            if type_ in self._known:
                known = self._known[type_].settle()
                if there:
                    known[key] = 0
                else:
                    known.pop(key, None)

    def poll(self, most: float = math.inf) -> Reading:
        """Begin to read the source. A reading ends with the next call of any method here.

        :param most: entities that it may yield
        """
        for marks in self._known.values():
            marks.begin()
        return Reading(self._known, self._fields, self._ignored, most)

    def note(self, rows: Iterable[Row]) -> None:
        """Note what was told."""
        for row in rows:
            known = self._known[row.type].settle()
            if row.data:
                known[row.key] = unsigned(row.mark)
            else:
                known.pop(row.key, None)

    def forget(self, type_: str, keys: Iterable[str]) -> None:
        """Note that these are gone."""
        known = self._known[type_].settle()
        for key in keys:
            known.pop(key, None)


class Reading:
    """One poll: sorts what the plugin yields into changed and unchanged, and counts."""

    def __init__(
        self,
        known: dict[str, Marks],
        fields: Sequence[str] | None,
        ignored: frozenset[str],
        most: float,
    ) -> None:
        self._known = known
        self._fields = fields
        self._ignored = ignored
        self._most = most
        self.read = 0
        self.changed = 0
        self.duplicates = 0
        self.newest: float | None = None

    def rows(self, item: Item | Rows[Any]) -> Iterator[Row]:
        """Return the rows to tell because of what the plugin yielded; few or none.

        :raises TypeError: it is nothing that a plugin may yield; the message names it
        :raises ValueError: likewise
        """
        if getattr(item, "type", None) in self._ignored:
            return iter(())
        if isinstance(item, Rows):
            return self._batch(item)
        if isinstance(item, Entity):
            return self._entity(item)
        if isinstance(item, Unchanged):
            self._unchanged(item)
            return iter(())
        if isinstance(item, Deleted):
            return self._deleted(item)
        raise TypeError(
            f"it yielded {_shown(item)}, which is no Entity; yield synchronizer.Entity(...), "
            f"Deleted, Unchanged or Rows"
        )

    def gone(self) -> Iterator[tuple[str, list[str]]]:
        """Yield, type by type, the known keys that were not there."""
        for type_, marks in self._known.items():
            yield type_, marks.missing()

    def _entity(self, entity: Entity) -> Iterator[Row]:
        marks = self._of(entity)
        digest = digest_of(entity, self._fields)
        self._stamp(entity.timestamp)
        self._count_read(1)
        (old,) = marks.find([entity.key])
        if old != digest:
            self._count_changed(marks, entity.key, old)
            yield row_of(entity, digest, digest)

    def _batch(self, rows: Rows[Any]) -> Iterator[Row]:
        """The fast path: nothing is made of a row that did not change."""
        marks = self._known_of(rows.type, rows)
        every = iter(rows.rows)
        while chunk := list(islice(every, CHUNK)):
            self._count_read(len(chunk))
            keys = list(map(rows.key, chunk))
            new = row_fingerprints(chunk)
            old = marks.find(keys)
            if old == new:
                continue
            for at in compress(range(len(chunk)), map(operator.ne, old, new)):
                self._count_changed(marks, keys[at], old[at])
                yield self._row(rows, chunk[at], keys[at], new[at])

    def _row(self, rows: Rows[Any], row: Any, key: str, mark: int) -> Row:
        entity = rows.entity(row)
        if not isinstance(entity, Entity) or entity.key != key or entity.type != rows.type:
            raise TypeError(
                f"the entity made of row {_shown(key)} of type {rows.type!r} is "
                f"{_shown(entity)}: it must be an Entity with that key and type"
            )
        check_key(entity)
        self._stamp(entity.timestamp)
        return row_of(entity, mark, digest_of(entity, self._fields))

    def _unchanged(self, item: Unchanged) -> None:
        marks = self._of(item)
        self._count_read(1)
        marks.find([item.key])

    def _deleted(self, item: Deleted) -> Iterator[Row]:
        marks = self._of(item)
        self._count_read(1)
        self._stamp(item.timestamp)
        (old,) = marks.find([item.key])
        if old is not None or marks.again(item.key) is not None:
            self.changed += 1
            yield Row(item.type, item.key, 0, 0, None, None, item.timestamp, b"")

    def _count_read(self, number: int) -> None:
        self.read += number
        if self.read > self._most:
            raise ValueError(f"it yielded more than max_entities={self._most} entities")

    def _count_changed(self, marks: Marks, key: str, old: int | None) -> None:
        """Count one that is to be told; a second one of its key is, whatever the first one said."""
        if old is None and marks.again(key) is not None:
            self.duplicates += 1
        else:
            self.changed += 1

    def _of(self, item: Item) -> Marks:
        check_key(item)
        return self._known_of(item.type, item)

    def _known_of(self, type_: object, item: object) -> Marks:
        known = self._known.get(type_) if isinstance(type_, str) else None
        if known is None:
            raise ValueError(
                f"it yielded {_shown(item)} of type {type_!r}, which is none of its entity_types: "
                f"{', '.join(self._known)}"
            )
        return known

    def _stamp(self, when: float | None) -> None:
        if when is not None and (self.newest is None or when > self.newest):
            self.newest = when


def check_key(item: Item) -> None:
    """Check what an entity is called.

    :raises TypeError: it is no text, or too long
    """
    if not isinstance(item.key, str) or not 0 < len(item.key) <= MAX_TEXT:
        raise TypeError(
            f"it gave a key that is {_shown(item.key)}; a key is text of 1 to {MAX_TEXT} characters"
        )


def digest_of(entity: Entity, fields: Sequence[str] | None) -> int:
    """Return the fingerprint of an entity.

    :raises TypeError: it cannot be told; the message names it
    """
    try:
        return fingerprint(entity, fields)
    except UNTELLABLE as error:
        raise untellable(entity, error) from error


def row_of(entity: Entity, mark: int, digest: int) -> Row:
    """Return what is told and kept of an entity.

    :raises TypeError: a field of it is not what it must be
    :raises ValueError: it is too large
    """
    try:
        data = _encode(entity)
        _decode(data)
    except msgspec.ValidationError as error:
        raise TypeError(f"entity {entity.key!r} of type {entity.type!r}: {error}") from None
    except UNTELLABLE as error:
        raise untellable(entity, error) from error
    if len(data) > LARGEST_ENTITY:
        raise ValueError(
            f"entity {_shown(entity.key)} of type {entity.type!r} has {len(data):,} bytes; at most "
            f"{LARGEST_ENTITY:,} are possible"
        )
    return Row(
        entity.type,
        entity.key,
        signed(mark),
        signed(digest),
        entity.parent_key,
        entity.project,
        entity.timestamp,
        data,
    )


def untellable(entity: Entity, error: Exception) -> TypeError:
    """Return the error of an entity that holds what cannot be encoded."""
    return TypeError(
        f"entity {_shown(entity.key)} of type {_shown(entity.type)} cannot be told: {error}; use "
        f"text, numbers below 2**64, true, false, None, lists and mappings"
    )


def _shown(value: object) -> str:
    words = repr(value)
    return words if len(words) <= 120 else f"{words[:117]}..."
