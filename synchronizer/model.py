"""What is passed around: entities, the marks of sources about them, and events.

Structs of msgspec: tens of thousands are made in a second, in children and in the parent.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

#: Longest key and type, in characters.
MAX_TEXT = 1024


class Entity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that a source knows of, as it is now: its whole state, never a difference.

    ``key`` is unique among the entities of its ``type``. ``parent_key`` and ``child_keys`` name
    others. ``timestamp`` is when it changed by the clock of the source, in seconds since 1970 (see
    :func:`timestamp`): it is only ever compared with the one before of the same key. ``data`` is
    anything that JSON can hold.

    Two entities are the same if all but ``timestamp`` is; a plugin's ``fields`` narrows ``data``.
    """

    key: str
    type: str
    state: str | None = None
    parent_key: str | None = None
    child_keys: tuple[str, ...] = ()
    project: str | None = None
    role: str | None = None
    timestamp: float | None = None
    data: dict[str, Any] = {}


class Deleted(msgspec.Struct, frozen=True):
    """Said by a plugin in place of an entity: it is gone."""

    key: str
    type: str
    timestamp: float | None = None


class Unchanged(msgspec.Struct, frozen=True):
    """Said by a collector in place of an entity: it is there, and what was said last still holds.

    For a source that cannot tell right now, such as one that is just reloading. Of a key that
    was never told it says nothing.
    """

    key: str
    type: str


Item = Entity | Deleted | Unchanged


class Op(enum.Enum):
    """What an event says. ``create`` and ``update`` both mean: this is its state now."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    SNAPSHOT_BEGIN = "snapshot_begin"  #: what you hold of this type is to be replaced
    SNAPSHOT = "snapshot"  #: one entity of it
    SNAPSHOT_END = "snapshot_end"  #: these were all; ``count`` of them
    STATUS = "status"  #: a source fails, recovers, or wants attention


class LastKnown(NamedTuple):
    """What is still known of an entity that is gone."""

    key: str
    type: str
    parent_key: str | None
    project: str | None


class Token(NamedTuple):
    """A place in the sequence of all changes, from which a consumer can resume."""

    epoch: str
    seq: int


class Event(msgspec.Struct, kw_only=True):
    """One thing told to a consumer.

    ``epoch`` names the life of the baseline, ``seq`` grows with each change in it; not every number
    reaches every consumer, so each event also says ``after`` which one it comes: whoever has seen
    less than that has missed something (:meth:`follows`) and asks for a snapshot.
    ``seq`` is 0 within a snapshot, until its end: there is nothing to resume from before that.

    ``source`` is the plugin that said it, ``observed_at`` when we heard of it (our wall clock,
    seconds since 1970, to be shown only). ``status`` events carry a ``state`` (``ok``,
    ``failing``, ``warning``), a ``reason`` and the ``types`` concerned; those of a snapshot a
    ``type`` and, at its end, the ``count``.
    """

    op: Op
    source: str
    epoch: str
    seq: int
    after: int
    observed_at: float
    type: str = ""
    entity: Entity | None = None
    last_known: LastKnown | None = None
    state: str | None = None
    reason: str = ""
    types: tuple[str, ...] = ()
    count: int | None = None
    acknowledge: Callable[[Event], None] | None = None

    @property
    def key(self) -> str | None:
        """The entity's key; ``None`` for events that concern no single one."""
        if self.entity is not None:
            return self.entity.key
        return None if self.last_known is None else self.last_known.key

    @property
    def token(self) -> Token | None:
        """From where to resume once this was handled; ``None`` within a snapshot."""
        return Token(self.epoch, self.seq) if self.seq else None

    def follows(self, token: Token | None) -> bool:
        """Whether nothing is missing between *token*, the last one handled, and this event."""
        if self.op in (Op.SNAPSHOT_BEGIN, Op.SNAPSHOT, Op.SNAPSHOT_END, Op.STATUS):
            return True
        return token is not None and token.epoch == self.epoch and self.after <= token.seq

    def ack(self) -> None:
        """Say that it was handled: it will not be told again after a restart. Any thread.

        Needed where events come through a queue; a callback acknowledges by returning.
        """
        if self.acknowledge is not None:
            self.acknowledge(self)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, the entity's own among them, as they become one line of JSON."""
        values: dict[str, Any] = {
            "op": self.op.value,
            "source": self.source,
            "epoch": self.epoch,
            "seq": self.seq,
            "after": self.after,
            "observed_at": self.observed_at,
        }
        if self.entity is not None:
            values |= msgspec.structs.asdict(self.entity)
        elif self.last_known is not None:
            values |= {"key": self.last_known.key, "type": self.type}
            values["last_known"] = self.last_known._asdict()
        elif self.op is Op.STATUS:
            values |= {"state": self.state, "reason": self.reason, "types": list(self.types)}
        else:
            values["type"] = self.type
            if self.reason:
                values["reason"] = self.reason
        if self.count is not None:
            values["count"] = self.count
        return values


class Snapshot(NamedTuple):
    """The complete picture of some types, and the place in the sequence that it stands for."""

    entities: list[Entity]
    token: Token


def timestamp(text: str) -> float:
    """Return a time in ISO 8601, which is UTC if it names no zone, as seconds since 1970.

    :raises ValueError: it is no such time
    """
    when = datetime.fromisoformat(text)
    return (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).timestamp()
