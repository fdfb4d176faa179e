"""How members are kept in Leases: names, labels and what is in them.

All in one namespace; ids are hashed where Kubernetes allows no text, and stand in annotations::

    sgi-<instance>        the sign of life of one process, renewed at every beat
        holderIdentity    the instance
        renewTime         the last beat, by the API server's clock
        acquireTime       since when beats are unbroken
        leaseTransitions  the generation: somebody else changed something of this instance
    sgm-<stem>-<hash>     a member; label servicegroup/kind says whether it is there or left
        holderIdentity    the instance that carries it
        leaseTransitions  its incarnation
        annotations       ids, state (a JSON list, see :class:`Row`) and attributes
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from servicegroup.decoding import decoded
from servicegroup.flaps import remade
from servicegroup.model import Member

from . import leases
from .leases import Lease, Object

#: Of the state of members; others are foreign.
VERSION = 1
BEAT, HERE, GRAVE = "beat", "member", "grave"
_API = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
_SAFE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_UNSAFE = re.compile(r"[^a-z0-9]+")
#: Characters of a name that only people read.
_STEM = 60

#: Names of which it is remembered whose they are.
REMEMBERED = 100_000

Key = tuple[str, str]


class Life(NamedTuple):
    """Which life of a member is meant."""

    instance_id: str
    incarnation: int


class Stored(NamedTuple):
    """What a member's Lease says; ``left``: how, where the member is no longer there.

    ``since``: when it last came up, withdrew or left, by the server's clock.
    """

    member: Member
    since: float | None
    left: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether it is a member now."""
        return self.left is None


class Row(msgspec.Struct, array_like=True, frozen=True):
    """The state of a member, as it is in its annotation."""

    version: int
    instance_id: str
    incarnation: int
    revision: int
    since: float | None
    name: str
    hostname: str
    process_id: int
    service_version: int
    started_at: float | None
    withdrawn: str | None
    flaps: list[float | int] | None
    left: str | None = None


OWN, REMOVED = "own", "removed"
_decode_rows = msgspec.json.Decoder(list[Row]).decode


def digest(*texts: str) -> str:
    """Return what stands for texts where few characters are allowed."""
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:40]


def group_label(group_id: str) -> str:
    """Return by what the Leases of a group are selected."""
    return digest(group_id)


def instance_label(instance_id: str) -> str:
    """Return an instance as a label and in names: itself where that is legal, as uuids are."""
    return instance_id if _SAFE.match(instance_id) else digest(instance_id)


def beat_name(instance_id: str) -> str:
    """Return the name of an instance's sign of life."""
    return f"sgi-{instance_label(instance_id)}"


def member_name(group_id: str, member_id: str) -> str:
    """Return the name of a member's Lease."""
    stem = _UNSAFE.sub("-", f"{group_id}-{member_id}".lower())[:_STEM].strip("-")
    return (
        f"sgm-{stem}-{digest(group_id, member_id)}"
        if stem
        else (f"sgm-{digest(group_id, member_id)}")
    )


def member_label(group_id: str, member_id: str) -> str:
    """Return by what one member's Lease is selected among others."""
    return digest(group_id, member_id)


def key_of(member: Member) -> Key:
    """Return what a member is kept under."""
    return (member.group_id, member.member_id)


def life_of(member: Member) -> Life:
    """Return what tells one life of a member from another."""
    return Life(member.instance_id, member.incarnation)


def packed(stored: Stored, now: float, before: Object | None = None) -> Object:
    """Return the Lease of a member; *before*: the one that it takes the place of."""
    member = stored.member
    row = [
        VERSION,
        member.instance_id,
        member.incarnation,
        member.revision,
        stored.since,
        member.name,
        member.hostname,
        member.process_id,
        member.version,
        member.started_at,
        member.withdrawn,
        member.flaps,
        stored.left,
    ]
    labels = {
        leases.KIND: HERE if stored.is_here else GRAVE,
        leases.GROUP: group_label(member.group_id),
        leases.MEMBER: member_label(member.group_id, member.member_id),
        leases.INSTANCE: instance_label(member.instance_id),
    }
    notes = {
        leases.GROUP: member.group_id,
        leases.MEMBER: member.member_id,
        leases.STATE: _dumped(row),
    }
    if stored.is_here:
        notes[leases.ATTRIBUTES] = _dumped(dict(member.attributes))
    spec = {
        "holderIdentity": member.instance_id,
        "leaseTransitions": member.incarnation,
        "renewTime": leases.micro_time(now),
    }
    made = lease(member_name(member.group_id, member.member_id), labels, notes, spec, before)
    if not stored.is_here:
        made["metadata"]["annotations"].pop(leases.ATTRIBUTES, None)
    return made


def lease(
    name: str, labels: Object, notes: Object, spec: Object, before: Object | None = None
) -> Object:
    """Return a Lease; what others wrote into *before*'s metadata stays there."""
    old = {} if before is None else before["metadata"]
    metadata = {key: value for key, value in old.items() if key != "managedFields"}
    metadata["name"] = name
    metadata["labels"] = {**(old.get("labels") or {}), **labels}
    metadata["annotations"] = {**(old.get("annotations") or {}), **notes}
    return {**_API, "metadata": metadata, "spec": spec}


def _dumped(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


class Reader:
    """Makes members of Leases; remembers which name stands for which ids. Any thread."""

    def __init__(self) -> None:
        self._names: dict[str, Key] = {}

    def stored(self, found: Lease) -> Stored | None:
        """Return the member in one Lease, or ``None`` if it is none of ours, or damaged."""
        (stored,) = self.all([found], {}, attributes=True)
        return stored

    def all(
        self, found: list[Lease], known: dict[Key, Member], *, attributes: bool
    ) -> list[Stored | None]:
        """Return the members in Leases, each ``None`` if it is none of ours, or damaged.

        One that *known* has with the same life and revision is given back as it is.
        """
        rows = _rows([one.metadata.notes.state for one in found])
        ours = [self._is_ours(one, row) for one, row in zip(found, rows, strict=True)]
        held = [
            known.get((one.metadata.notes.group, one.metadata.notes.member)) if known else None
            for one in found
        ]
        held = [
            one if one is not None and row is not None and _is_same(one, row) else None
            for one, row in zip(held, rows, strict=True)
        ]
        wanted = [
            at
            for at, one in enumerate(found)
            if attributes
            and ours[at]
            and held[at] is None
            and one.metadata.notes.attributes != "{}"
        ]
        decoded = _attributes([found[at].metadata.notes.attributes for at in wanted])
        values: dict[int, dict[str, Any] | None] = dict(zip(wanted, decoded, strict=True))
        result: list[Stored | None] = []
        for at, (one, row) in enumerate(zip(found, rows, strict=True)):
            member = held[at]
            given = values.get(at, {}) if values else {}
            if not ours[at] or row is None or given is None:
                result.append(None)
                continue
            if member is None:
                notes = one.metadata.notes
                member = _made(
                    Member,
                    (
                        notes.group,
                        notes.member,
                        row.name,
                        row.hostname,
                        row.process_id,
                        row.started_at,
                        given,
                        row.service_version,
                        row.instance_id,
                        row.incarnation,
                        row.revision,
                        row.withdrawn,
                        None if row.flaps is None else _flaps(row.flaps),
                    ),
                )
            result.append(_made(Stored, (member, row.since, row.left)))
        return result

    def _is_ours(self, found: Lease, row: Row | None) -> bool:
        """Whether a Lease has the name that its ids have."""
        if row is None or row.version != VERSION:
            return False
        name, notes = found.metadata.name, found.metadata.notes
        key = (notes.group, notes.member)
        if self._names.get(name) == key:
            return True
        if member_name(*key) != name:
            return False
        if len(self._names) > REMEMBERED:
            self._names.clear()
        self._names[name] = key
        return True


def _is_same(member: Member, row: Row) -> bool:
    return (
        member.revision == row.revision
        and member.incarnation == row.incarnation
        and member.instance_id == row.instance_id
    )


#: What the classes themselves would do, in half the time: there are tens of thousands.
_made: Any = tuple.__new__


def _rows(states: list[str]) -> list[Row | None]:
    """Decode all at once; where that fails halves of them, until what is damaged stands alone."""
    try:
        rows = _decode_rows(f"[{','.join(states)}]")
    except (msgspec.DecodeError, UnicodeEncodeError):
        rows = None
    if rows is not None and len(rows) == len(states):
        return [*rows]
    if len(states) <= 1:
        return [None] * len(states)
    half = len(states) // 2
    return _rows(states[:half]) + _rows(states[half:])


def _attributes(texts: list[str]) -> list[dict[str, Any] | None]:
    """As :func:`_rows`; by json, which alone gives back every number and every text."""
    return [one if type(one) is dict else None for one in decoded(texts)]


def _flaps(value: object) -> Any:
    try:
        return remade(value)
    except ValueError:
        return None


def selected(kind: str, **labels: str | Iterable[str]) -> str:
    """Return a label selector: of one kind (or any, with ""), and with one or some values each."""
    parts = [f"{leases.KIND}={kind}" if kind else leases.KIND]
    for name, wanted in labels.items():
        label = f"servicegroup/{name}"
        if isinstance(wanted, str):
            parts.append(f"{label}={wanted}")
        else:
            parts.append(f"{label} in ({','.join(wanted)})")
    return ",".join(parts)
