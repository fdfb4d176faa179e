"""What stands in tooz's groups: names, and what an entry says.

Each of our groups is two of tooz's. In the first one every instance has an entry, by which its
coordinator is present; it says all members of that instance in the group. In the second one is the
evidence: notes of lives that are over, each by a coordinator of its own that never beats again, so
that it stays for as long as it was given.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from servicegroup.flaps import remade
from servicegroup.model import Member, encode_attributes

#: What our entry is kept under, among what others may say.
KEY = "servicegroup"
#: Raised when what an entry says changes its meaning.
FORMAT = 1
_MEMBERS, _EVIDENCE = "servicegroup.m.", "servicegroup.e."
#: Characters of a quoted group id beyond which it is hashed: memcached's keys have 250 bytes.
_LONGEST = 150

#: What evidence tells: members that left or were taken out, those that a later life took over, and
#: that an instance is over.
LEFT, TAKEN, ENDED = "left", "taken", "ended"

#: A member as its entry has it, without group and instance.
Row = Sequence[Any]


def members_of(group_id: str) -> str:
    """Return the name of the group that holds a group's instances."""
    return _MEMBERS + _quoted(group_id)


def evidence_of(group_id: str) -> str:
    """Return the name of the group that holds a group's evidence."""
    return _EVIDENCE + _quoted(group_id)


def holds_members(name: str) -> bool:
    """Whether a group of tooz's is one of ours with instances in it."""
    return name.startswith(_MEMBERS) and "/" not in name


def _quoted(group_id: str) -> str:
    quoted = quote(group_id, safe="")
    if len(quoted) <= _LONGEST:
        return quoted
    return "=" + hashlib.sha256(group_id.encode()).hexdigest()[:40]


def instance_name(instance_id: str) -> str:
    """Return what tooz knows an instance by."""
    return f"i.{instance_id}"


def note_name(instance_id: str) -> str:
    """Return a new name for evidence that concerns an instance."""
    return f"n.{instance_id}.{uuid.uuid4().hex}"


def concerns(name: str, instance_id: str) -> bool:
    """Whether a name is that of evidence that concerns an instance."""
    return name.startswith(f"n.{instance_id}.")


def entry(group_id: str, life: int, rows: Iterable[Row]) -> dict[str, Any]:
    """Return what an instance says. *life* is how often it was ended and beat all the same."""
    return {KEY: [FORMAT, group_id, life, list(rows)]}


def note(group_id: str, kind: str, what: Sequence[Any]) -> dict[str, Any]:
    """Return what a piece of evidence says."""
    return {KEY: [FORMAT, group_id, kind, list(what)]}


def content(said: Any) -> list[Any] | None:
    """Return what stands under our key in an entry; ``None`` if it is nobody of ours."""
    if not isinstance(said, dict):
        return None
    ours = said.get(KEY) or said.get(KEY.encode())
    if not isinstance(ours, list | tuple) or len(ours) != 4 or ours[0] != FORMAT:
        return None
    return list(ours)


#: Where in a row it says why the member took itself out, if it did.
WITHDRAWN = 9


def row(member: Member) -> Row:
    """Return a member as its entry has it. What is compared comes first."""
    return [
        member.member_id,
        member.incarnation,
        member.revision,
        member.name,
        member.hostname,
        member.process_id,
        member.started_at,
        encode_attributes(member.attributes),
        member.version,
        member.withdrawn,
        None if member.flaps is None else list(member.flaps),
    ]


def member(group_id: str, instance_id: str, held: Row, *, attributes: bool = True) -> Member:
    """Return the member of a row.

    :raises ValueError: somebody else wrote it
    :raises TypeError: likewise
    """
    member_id, incarnation, revision, name, hostname, process_id, started_at = held[:7]
    text, version, withdrawn, flaps = held[7:]
    return Member(
        group_id,
        member_id,
        name,
        hostname,
        process_id,
        started_at,
        json.loads(text) if attributes and text != "{}" else {},
        version,
        instance_id,
        incarnation,
        revision,
        withdrawn,
        None if flaps is None else remade(list(flaps)),
    )
