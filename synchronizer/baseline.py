"""The baseline of one collector: what was last told of each key, as 64 bits.

``{type: {key: generation << 64 | mark}}``: each poll has a number of its own, so that what was not
seen in it is found without a second set of all keys. A mark of 0 is unknown: it equals nothing.
An unchanged entity costs its key, its mark and a place in a dictionary, about 180 bytes.

A poll that fails must not have changed anything, so only what is unchanged is noted while reading;
what changed is noted once the whole poll counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from .fingerprint import fingerprint, row_fingerprint, signed, unsigned
from .model import MAX_TEXT, Deleted, Entity, Item, Unchanged
from .plugin import Rows
from .wire import Row

_MARK = (1 << 64) - 1
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entity).decode

Marks = dict[str, dict[str, int]]


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
        self._known: Marks = {type_: {} for type_ in types}
        self._ignored = frozenset(ignored)
        self._fields = fields
        self._generation = 0

    def __len__(self) -> int:
        return sum(map(len, self._known.values()))

    def load(self, type_: str, marks: Iterable[tuple[str, int]]) -> None:
        """Take in what the parent kept."""
        known = self._known.get(type_)
        if known is not None:
            known.update((key, unsigned(mark)) for key, mark in marks)

    def doubt(self, keys: Iterable[tuple[str, str]]) -> None:
        """Forget what was told of these (type, key): somebody else told something newer."""
        for type_, key in keys:
            if type_ in self._known:
                self._known[type_][key] = 0

    def poll(self) -> Reading:
        """Begin to read the source."""
        self._generation += 1
        return Reading(self._known, self._fields, self._ignored, self._generation << 64)

    def note(self, rows: Iterable[Row]) -> None:
        """Note what was told."""
        here = self._generation << 64
        for row in rows:
            if row.data:
                self._known[row.type][row.key] = here | unsigned(row.mark)
            else:
                self._known[row.type].pop(row.key, None)

    def forget(self, type_: str, keys: Iterable[str]) -> None:
        """Note that these are gone."""
        known = self._known[type_]
        for key in keys:
            known.pop(key, None)


class Reading:
    """One poll: sorts what the plugin yields into changed and unchanged, and counts."""

    def __init__(
        self, known: Marks, fields: Sequence[str] | None, ignored: frozenset[str], here: int
    ) -> None:
        self._known = known
        self._fields = fields
        self._ignored = ignored
        self._here = here
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
        here = self._here >> 64
        for type_, known in self._known.items():
            yield type_, [key for key, value in known.items() if value >> 64 != here]

    def _entity(self, entity: Entity, digest: int | None = None) -> Iterator[Row]:
        known = self._of(entity)
        if digest is None:
            digest = self._digest(entity)
        self._stamp(entity.timestamp)
        if not self._is_known(known, entity.key, digest):
            yield self._row(entity, digest, digest)

    def _batch(self, rows: Rows[Any]) -> Iterator[Row]:
        """The fast path: nothing is made of a row that did not change."""
        known = self._known_of(rows.type, rows)
        key_of, here, get = rows.key, self._here, known.get
        read = 0
        for row in rows.rows:
            read += 1
            key = key_of(row)
            mark = row_fingerprint(row)
            old = get(key)
            if old is not None and old & _MARK == mark and old >> 64 != here >> 64:
                known[key] = here | mark
                continue
            self._count_changed(old)
            if old is not None:
                known[key] = here | old & _MARK
            entity = rows.entity(row)
            if not isinstance(entity, Entity) or entity.key != key or entity.type != rows.type:
                raise TypeError(
                    f"the entity made of row {_shown(key)} of type {rows.type!r} is "
                    f"{_shown(entity)}: it must be an Entity with that key and type"
                )
            self._of(entity)
            self._stamp(entity.timestamp)
            yield self._row(entity, mark, self._digest(entity))
        self.read += read

    def _unchanged(self, item: Unchanged) -> None:
        known = self._of(item)
        self.read += 1
        old = known.get(item.key)
        if old is not None:
            known[item.key] = self._here | old & _MARK

    def _deleted(self, item: Deleted) -> Iterator[Row]:
        known = self._of(item)
        self.read += 1
        self._stamp(item.timestamp)
        if item.key in known:
            self.changed += 1
            known[item.key] = self._here | known[item.key] & _MARK
            yield Row(item.type, item.key, 0, 0, None, None, item.timestamp, b"")

    def _is_known(self, known: dict[str, int], key: str, mark: int) -> bool:
        self.read += 1
        old = known.get(key)
        if old is not None:
            known[key] = self._here | old & _MARK
            if old & _MARK == mark and old >> 64 != self._here >> 64:
                return True
        self._count_changed(old)
        return False

    def _count_changed(self, old: int | None) -> None:
        """Count one that is to be told; a second one of its key is, whatever the first one said."""
        if old is not None and old >> 64 == self._here >> 64:
            self.duplicates += 1
        else:
            self.changed += 1

    def _digest(self, entity: Entity) -> int:
        try:
            return fingerprint(entity, self._fields)
        except (TypeError, ValueError, AttributeError) as error:
            raise TypeError(
                f"entity {entity.key!r} of type {entity.type!r} cannot be told: {error}; use "
                f"text, numbers, true, false, None, lists and mappings"
            ) from error

    def _row(self, entity: Entity, mark: int, digest: int) -> Row:
        return row_of(entity, mark, digest)

    def _of(self, item: Item) -> dict[str, int]:
        check_key(item)
        return self._known_of(item.type, item)

    def _known_of(self, type_: object, item: object) -> dict[str, int]:
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


def row_of(entity: Entity, mark: int, digest: int) -> Row:
    """Return what is told and kept of an entity.

    :raises TypeError: a field of it is not what it must be
    """
    data = _encode(entity)
    try:
        _decode(data)
    except msgspec.ValidationError as error:
        raise TypeError(f"entity {entity.key!r} of type {entity.type!r}: {error}") from None
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


def _shown(value: object) -> str:
    words = repr(value)
    return words if len(words) <= 120 else f"{words[:117]}..."
