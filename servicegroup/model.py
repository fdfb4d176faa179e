"""What is passed around: members, sightings of them, verdicts, events. Values only, no behaviour.

These are named tuples because a listing makes tens of thousands of them: they are immutable,
small, and built several times faster than frozen dataclasses. Read them by name.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from servicegroup import exceptions
from servicegroup.flaps import Flaps, came_back, remade

#: Longest id, name and host name, in characters (Nova's ``services.host`` and ``topic`` are 255).
MAX_TEXT = 255
#: Largest attribute set, in bytes of JSON; below the smallest limit of any supported store.
MAX_ATTRIBUTES = 64 * 1024


class Member(NamedTuple):
    """One participant of a group, and which life of it is meant.

    ``started_at`` is the store's wall clock in seconds since 1970 (UTC) at the time of the join:
    shown to people, never compared. ``revision`` counts changes of the attributes within one
    incarnation. ``withdrawn`` is the reason why the member took itself out, or ``None``. ``flaps``
    is how often it came back lately, if it did.
    """

    group_id: str
    member_id: str
    name: str = ""
    hostname: str = ""
    process_id: int = 0
    started_at: float | None = None
    attributes: Mapping[str, Any] = {}
    version: int = 0
    instance_id: str = ""
    incarnation: int = 0
    revision: int = 0
    withdrawn: str | None = None
    flaps: Flaps | None = None

    @classmethod
    def remade(cls, fields: Mapping[str, Any]) -> Member:
        """Return the member of which *fields* are the ``_asdict()``, after JSON."""
        return cls(**{**fields, "flaps": remade(fields["flaps"])})

    def joined(self, incarnation: int, now: float, before: Member | None) -> Member:
        """Return this member as a driver's ``join`` stores it.

        :param now: the store's wall clock, in seconds since 1970
        :param before: the life under this id that did not leave, if there is one: this is a return
        """
        returns = None if before is None else came_back(before.flaps, now)
        return self._replace(incarnation=incarnation, started_at=now, flaps=returns)

    @property
    def created_at(self) -> datetime | None:
        """``started_at`` as an aware datetime in UTC, whole microseconds."""
        return None if self.started_at is None else datetime.fromtimestamp(self.started_at, UTC)


class EndKind(enum.Enum):
    """How a member's life came to an end that the store has evidence of."""

    ENDED = "ended"  #: its process is gone without leaving; it stays listed
    WITHDRAWN = "withdrawn"  #: it took itself out (unhealthy), while its process beats on
    LEFT = "left"  #: it left or was removed: no longer a member
    VANISHED = "vanished"  #: the store lost what it knew of its life: no verdict is possible


class Ending(NamedTuple):
    """What the store says of a life that is not going on; *age* in seconds, if known."""

    kind: EndKind
    reason: str
    age: float | None = None


class Record(NamedTuple):
    """The row of the ``services`` table: who should exist, and what the operator said of it.

    Times are wall times in seconds since 1970 by the database's clock, for people. ``age`` is how
    old the record's own sign of life is, in seconds by the database's clock; ``None`` where the
    sighting already carries it (driver ``db``).
    """

    id: int
    uuid: str
    created_at: float | None = None
    updated_at: float | None = None
    left_at: float | None = None
    disabled: bool = False
    disabled_reason: str | None = None
    forced_down: bool = False
    forced_down_reason: str | None = None
    forced_down_at: float | None = None
    age: float | None = None


class Sighting(NamedTuple):
    """What a driver knows of one member.

    ``age``: seconds since its instance's last beat, by one clock; ``None`` where presence in the
    store is itself the proof of life. ``since``: seconds since it last came up, if the store knows.
    ``record``: the service record, from drivers with ``Capability.RECORDS``.
    """

    member: Member
    age: float | None = None
    ended: Ending | None = None
    since: float | None = None
    record: Record | None = None


class State(enum.Enum):
    """The verdict: three states, because "we could not tell" is neither of the other two."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class EventType(enum.Enum):
    """What a watch tells. The last three concern the whole watch and carry no member."""

    JOINED = "joined"
    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    LEFT = "left"
    READY = "ready"  #: the first load is complete
    STALE = "stale"  #: the store cannot be read: the view is no longer current
    FRESH = "fresh"  #: the view is current again


def check_text(what: str, value: object, *, empty: bool = False) -> str:
    """Return *value* if every store can keep it; *what* names it in the error.

    :raises InvalidMember: not text, empty (unless allowed), longer than ``MAX_TEXT`` characters,
        or holding NUL or a lone surrogate (which no UTF-8 store can keep).
    """
    if not isinstance(value, str):
        raise exceptions.InvalidMember(f"{what} must be text, not {type(value).__name__}")
    if not value and not empty:
        raise exceptions.InvalidMember(f"{what} is empty; use 1 to {MAX_TEXT} characters")
    if len(value) > MAX_TEXT:
        raise exceptions.InvalidMember(
            f"{what} has {len(value)} characters ({value[:20]!r}...); use at most {MAX_TEXT}"
        )
    if "\0" in value:
        raise exceptions.InvalidMember(f"{what} {value!r} holds a NUL character; leave it out")
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise exceptions.InvalidMember(
            f"{what} {value!r} holds a lone surrogate; decode it as UTF-8 first"
        )
    return value


def storable_text(words: str) -> str:
    """Return *words* as text that every store can keep, whatever they came from.

    For what nobody chose, such as the text of an error: what cannot be kept is replaced, what is
    longer than ``MAX_TEXT`` characters ends in dots.
    """
    words = words.encode("utf-8", "replace").decode().replace("\0", "?")
    return words if len(words) <= MAX_TEXT else f"{words[: MAX_TEXT - 3]}..."


def check_attributes(attributes: object) -> dict[str, Any]:
    """Return a copy of *attributes* exactly as every store will give it back.

    :raises InvalidMember: not a mapping with text keys, not JSON (numbers must be finite), or
        more than ``MAX_ATTRIBUTES`` bytes of it.
    """
    if not isinstance(attributes, Mapping):
        raise exceptions.InvalidMember(
            f"attributes must be a mapping, not {type(attributes).__name__}"
        )
    for key in attributes:
        if not isinstance(key, str):
            raise exceptions.InvalidMember(f"attribute name {key!r} is not text")
    try:
        text = encode_attributes(attributes)
    except (TypeError, ValueError, RecursionError) as error:
        raise exceptions.InvalidMember(
            f"attributes are not JSON: {error}; use text, numbers, true, false, null, lists and "
            f"mappings"
        ) from error
    if len(text) > MAX_ATTRIBUTES:
        raise exceptions.InvalidMember(
            f"attributes take {len(text)} bytes as JSON; at most {MAX_ATTRIBUTES} are allowed: "
            f"publish a reference instead"
        )
    decoded: dict[str, Any] = json.loads(text)
    return decoded


def encode_attributes(attributes: Mapping[str, Any]) -> str:
    """Compact JSON in plain ASCII, so that no store's character set can matter."""
    return json.dumps(dict(attributes), allow_nan=False, separators=(",", ":"))
