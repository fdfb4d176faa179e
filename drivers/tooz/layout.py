"""What stands in tooz's groups: names, and what an entry says.

Each of our groups is two of tooz's. In the first one every instance has an entry, by which its
coordinator is present; it says all members of that instance in the group. In the second one is the
evidence: notes of lives that are over, each by a coordinator of its own that never beats again, so
that it stays for as long as it was given.
"""

from __future__ import annotations

import functools
import hashlib
import json
import operator
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import quote

from servicegroup.decoding import decoded
from servicegroup.flaps import remade
from servicegroup.model import Member

#: What our entry is kept under, among what others may say. It is JSON, so that what all of a group
#: say is decoded at once.
KEY = "servicegroup"
#: Raised when what an entry says changes its meaning.
FORMAT = 1
_MEMBERS, _EVIDENCE = "servicegroup.m.", "servicegroup.e."
#: Characters of a quoted group id beyond which it is hashed: memcached's keys have 250 bytes.
_LONGEST = 150

#: What evidence tells: members that left or were taken out, those that a later life took over, and
#: that an instance is over.
LEFT, TAKEN, ENDED = "left", "taken", "ended"

#: A member as its entry has it: its ``FIELDS``. An entry has them one after another.
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


def is_instance(name: str) -> bool:
    """Whether a name may be that of an instance."""
    return name.startswith("i.")


def instance_of(name: str) -> str:
    """Return the instance that tooz knows by a name."""
    return name.partition(".")[2]


def concerned(name: str) -> str:
    """Return the instance that a piece of evidence concerns, by its name."""
    return instance_of(name).partition(".")[0]


def concerns(name: str, instance_id: str) -> bool:
    """Whether a name is that of evidence that concerns an instance."""
    return name.startswith(f"n.{instance_id}.")


def entry(group_id: str, life: int, members: Iterable[Member]) -> dict[str, Any]:
    """Return what an instance says. *life* is how often it was ended and beat all the same."""
    return _said(group_id, life, [field for one in members for field in _row(one)])


def note(group_id: str, kind: str, what: Sequence[Any]) -> dict[str, Any]:
    """Return what a piece of evidence says."""
    return _said(group_id, kind, what)


def _said(group_id: str, head: int | str, rest: Sequence[Any]) -> dict[str, Any]:
    text = json.dumps([FORMAT, group_id, head, *rest], allow_nan=False, separators=(",", ":"))
    return {KEY: text}


def texts(said: Iterable[Any]) -> list[str]:
    """Return what stands under our key in each entry; nothing if it is nobody of ours."""
    found = [one.get(KEY) if type(one) is dict else None for one in said]
    return [one if type(one) is str else "" for one in found]


def contents(found: Iterable[str]) -> list[list[Any] | None]:
    """Return what texts say; ``None`` for one that is none of ours."""
    whole = decoded([one or "null" for one in found])
    return [one if _is_ours(one) else None for one in whole]


def _is_ours(said: Any) -> bool:
    """Whether something begins as entries and evidence do."""
    if type(said) is not list or len(said) < HEAD:
        return False
    return bool(said[0] == FORMAT) and type(said[1]) is str


def content(said: Any) -> list[Any] | None:
    """Return what stands under our key in one entry; ``None`` if it is nobody of ours."""
    return contents(texts([said]))[0]


def opened(ours: Sequence[Any] | None) -> tuple[int, list[Row]]:
    """Return which life of its instance an entry is of, and its rows; none where it is not ours."""
    if ours is None or type(ours[HEAD - 1]) is not int:
        return 0, []
    width = len(FIELDS)
    return ours[HEAD - 1], [ours[at : at + width] for at in range(HEAD, len(ours), width)]


def is_evidence(kind: Any, what: Sequence[Any]) -> bool:
    """Whether a note says what we write: who else did is not known to have been careful."""
    if kind == ENDED:
        return list(map(type, what)) == [int, str]
    return kind in (LEFT, TAKEN) and all(
        type(life) is list and list(map(type, life)) == [str, str, int] for life in what
    )


#: What a row has of a member, in its order: all but the group and the instance.
FIELDS = tuple(one for one in Member._fields if one not in ("group_id", "instance_id"))
_ATTRIBUTES, _FLAPS = FIELDS.index("attributes"), FIELDS.index("flaps")
#: Fields of an entry before its rows, the last of which says which life it is of; a note has as
#: many before what it says, the last of which is its kind.
HEAD = 3
_NULL = type(None)
#: The types that each may have.
_TYPES: Sequence[set[type]] = (
    {str},  # member_id
    {str},  # name
    {str},  # hostname
    {int},  # process_id
    {float, int, _NULL},  # started_at
    {dict},  # attributes
    {int},  # version
    {int},  # incarnation
    {int},  # revision
    {str, _NULL},  # withdrawn
    {list, _NULL},  # flaps
)
_KEPT = operator.itemgetter(*map(Member._fields.index, FIELDS))
#: What the class itself would do, in half the time: there are tens of thousands.
_made: Callable[[Iterable[Any]], Member] = functools.partial(tuple.__new__, Member)


def _row(member: Member) -> list[Any]:
    fields = list(_KEPT(member))
    fields[_ATTRIBUTES] = dict(member.attributes)
    return fields


def are_rows(found: Sequence[Row]) -> bool:
    """Whether all of them are what we write: who else did is not known to have been careful."""
    if set(map(len, found)) - {len(FIELDS)}:
        return False
    for allowed, column in zip(_TYPES, zip(*found, strict=True), strict=False):
        if not allowed.issuperset(map(type, column)):
            return False
    try:
        for one in found:
            if one[_FLAPS] is not None:
                remade(one[_FLAPS])
    except ValueError:
        return False
    return True


def members(group_id: str, instance_ids: Iterable[str], held: Sequence[Row]) -> list[Member]:
    """Return the members of rows, each of its instance."""
    if not held:
        return []
    columns = dict(zip(FIELDS, zip(*held, strict=True), strict=True))
    columns["group_id"], columns["instance_id"] = (group_id,) * len(held), tuple(instance_ids)
    columns["flaps"] = tuple(None if one is None else remade(one) for one in columns["flaps"])
    return list(map(_made, zip(*(columns[field] for field in Member._fields), strict=True)))
