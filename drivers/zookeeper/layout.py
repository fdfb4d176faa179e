"""Where things lie in ZooKeeper and what is in them: names, paths and the contents of nodes.

All under ``root``::

    instances/<instance>        ephemeral, empty: this process is there
    groups/<group>/<member>     a member: a JSON list, see :func:`packed`
    groups/<group>              {"group": id}, for ids that are hashed
    removed/<group>/<member>    {"instance", "incarnation", "own"}: the last life, after it left
    ended/<instance>            {"reason", "seen"}; its time of creation is when
    clock                       empty; written to learn the server's time
"""

from __future__ import annotations

import functools
import hashlib
import json
import urllib.parse
from collections.abc import Sequence
from itertools import repeat
from typing import Any, NamedTuple

from servicegroup.flaps import remade
from servicegroup.model import Member

#: Bytes; a longer name is hashed. ZooKeeper itself knows no limit but that of a request.
LONGEST_NAME = 200
#: Of the contents of members; others are foreign.
VERSION = 1


class Paths:
    """The paths under one root."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.clock = f"{root}/clock"
        self.groups = f"{root}/groups"
        self.removed = f"{root}/removed"
        self.instances = f"{root}/instances"
        self.ended = f"{root}/ended"

    def instance(self, instance_id: str) -> str:
        """Return the ephemeral node of one process."""
        return f"{self.instances}/{name(instance_id)}"

    def note(self, instance_id: str) -> str:
        """Return where the end of one process is noted."""
        return f"{self.ended}/{name(instance_id)}"

    def group(self, group_id: str) -> str:
        """Return the folder of a group's members."""
        return f"{self.groups}/{name(group_id)}"

    def graves(self, group_id: str) -> str:
        """Return the folder of those who left a group."""
        return f"{self.removed}/{name(group_id)}"

    def member(self, group_id: str, member_id: str) -> str:
        """Return the node of one member."""
        return f"{self.groups}/{name(group_id)}/{name(member_id)}"

    def grave(self, group_id: str, member_id: str) -> str:
        """Return where the last life of one who left is kept."""
        return f"{self.removed}/{name(group_id)}/{name(member_id)}"

    def folders(self) -> dict[str, bytes]:
        """Return the nodes that hold all others, with their contents."""
        folders = (self.clock, self.groups, self.removed, self.instances, self.ended)
        return dict.fromkeys(folders, b"")


class Stored(NamedTuple):
    """A member as kept; ``since``: when it last came up or withdrew, by the server's clock."""

    member: Member
    since: float | None


#: What the classes themselves would do, in half the time: there are tens of thousands.
_made = tuple.__new__


class Life(NamedTuple):
    """Which life of a member is meant."""

    instance_id: str
    incarnation: int


def name(text: str) -> str:
    """Return *text* as a node's name: the same for no two texts, and legal for every one."""
    if len(text) <= LONGEST_NAME and text.isascii() and text.replace("-", "").isalnum():
        return text
    quoted = urllib.parse.quote(text, safe="")
    if len(quoted) > LONGEST_NAME:
        # No quoted text holds "#", so that a hash is never taken for a name.
        return "#" + hashlib.sha256(text.encode()).hexdigest()
    return quoted.replace(".", "%2E") if quoted in {".", ".."} else quoted


def plain(names: str) -> bool:
    """Whether these names of nodes, run together, are the very texts that they stand for."""
    return "%" not in names and "#" not in names


def text(node_name: str, data: bytes) -> str | None:
    """Return what a group's folder stands for; ``None`` if it is none of ours."""
    if node_name.startswith("#"):
        try:
            group_id = json.loads(data)["group"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
    else:
        try:
            group_id = urllib.parse.unquote(node_name, errors="strict")
        except UnicodeDecodeError:
            return None
    return group_id if isinstance(group_id, str) and name(group_id) == node_name else None


def packed_group(group_id: str) -> bytes:
    """Return the contents of a group's folder: nothing where its name says all."""
    if not name(group_id).startswith("#"):
        return b""
    return json.dumps({"group": group_id}).encode()


def packed(member: Member, since: float | None) -> bytes:
    """Return the contents of a member's node."""
    row = [
        VERSION,
        member.instance_id,
        member.incarnation,
        member.revision,
        since,
        member.member_id,
        member.name,
        member.hostname,
        member.process_id,
        member.version,
        member.started_at,
        member.withdrawn,
        member.flaps,
        dict(member.attributes),
    ]
    return json.dumps(row, allow_nan=False, separators=(",", ":")).encode()


def same(data: bytes, member: Member) -> Stored | None:
    """Return *member* itself if these contents tell of the same life and revision."""
    quoted = _quoted(member.instance_id)
    begin = f"[{VERSION},{quoted},{member.incarnation},{member.revision},".encode()
    if not data.startswith(begin):
        return None
    since = data[len(begin) : data.find(b",", len(begin))]
    try:
        return Stored(member, None if since == b"null" else float(since))
    except ValueError:
        return None


@functools.lru_cache(maxsize=20_000)
def _quoted(instance_id: str) -> str:
    return json.dumps(instance_id)


_NULL = type(None)
#: The types that may be in each place of a member's row.
_COLUMNS: Sequence[set[type]] = (
    {int},  # version
    {str},  # instance_id
    {int},  # incarnation
    {int},  # revision
    {float, int, _NULL},  # since
    {str},  # member_id
    {str},  # name
    {str},  # hostname
    {int},  # process_id
    {int},  # version of the service
    {float, int, _NULL},  # started_at
    {str, _NULL},  # withdrawn
    {list, _NULL},  # flaps
    {dict},  # attributes
)


def unpacked(group_id: str, names: Sequence[str], data: Sequence[bytes]) -> list[Stored | None]:
    """Return the members in these nodes; ``None`` for what is corrupt or foreign.

    All are decoded and checked at once, which takes half the time of one after another. Where that
    fails, halves of them are, until what is corrupt or foreign stands alone.
    """
    try:
        rows = json.loads(b"[" + b",".join(data) + b"]")
    except (ValueError, RecursionError):
        rows = None
    # A node that holds half a list may have moved its neighbours: names are compared.
    if rows is not None and len(rows) == len(data):
        stored = _stored(group_id, names, rows)
        if stored is not None:
            return [*stored]
    if len(data) == 1:
        return [None]
    half = len(data) // 2
    first = unpacked(group_id, names[:half], data[:half])
    return first + unpacked(group_id, names[half:], data[half:])


def _stored(group_id: str, names: Sequence[str], rows: Sequence[Any]) -> list[Stored] | None:
    """Return the members in these rows; ``None`` if one of them is none of ours."""
    if not rows:
        return []
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {len(_COLUMNS)}:
        return None
    columns = list(zip(*rows, strict=True))
    pairs = zip(_COLUMNS, columns, strict=True)
    if not all(allowed.issuperset(map(type, column)) for allowed, column in pairs):
        return None
    (
        versions,
        instance_ids,
        incarnations,
        revisions,
        since,
        member_ids,
        shown,
        hostnames,
        process_ids,
        service_versions,
        started_at,
        withdrawn,
        flaps,
        attributes,
    ) = columns
    if set(versions) != {VERSION}:
        return None
    for member_id, node_name in zip(member_ids, names, strict=True):
        if member_id != node_name and name(member_id) != node_name:
            return None
    try:
        returns = list(map(remade, flaps))
    except ValueError:
        return None
    fields = zip(
        repeat(group_id),
        member_ids,
        shown,
        hostnames,
        process_ids,
        started_at,
        attributes,
        service_versions,
        instance_ids,
        incarnations,
        revisions,
        withdrawn,
        returns,
        strict=False,
    )
    members = map(_made, repeat(Member), fields)
    return list(map(_made, repeat(Stored), zip(members, since, strict=True)))


def packed_life(member: Member, *, own: bool) -> bytes:
    """Return the contents of a grave; *own*: it left by its own will."""
    row = {"instance": member.instance_id, "incarnation": member.incarnation, "own": own}
    return json.dumps(row).encode()


def peaceful(data: bytes) -> bool:
    """Whether a grave is that of the only life under its id, which left by its own will."""
    try:
        row = json.loads(data)
        return bool(row["own"]) and row["incarnation"] == 1
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def unpacked_life(data: bytes) -> Life | None:
    """Return the life that a grave stands for; ``None`` if it is none of ours."""
    try:
        row = json.loads(data)
        life = Life(row["instance"], row["incarnation"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    valid = type(life.instance_id) is str and type(life.incarnation) is int
    return life if valid else None


class Note(NamedTuple):
    """How an instance ended; ``seen``: somebody saw it, rather than only its absence."""

    reason: str
    seen: bool


def packed_note(note: Note) -> bytes:
    """Return the contents of a note."""
    return json.dumps(note._asdict()).encode()


def unpacked_note(data: bytes) -> Note | None:
    """Return a note; ``None`` if it is none of ours."""
    try:
        row = json.loads(data)
        note = Note(row["reason"], row["seen"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return note if type(note.reason) is str and type(note.seen) is bool else None
