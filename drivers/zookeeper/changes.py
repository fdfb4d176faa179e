"""Changes of members: what one is made of, and how it is made while others make theirs.

Each is one transaction, on condition that every node still is as it was read; otherwise all is read
again and tried anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from servicegroup.driver import Loss, Lost
from servicegroup.model import Member

from . import layout
from .attempts import again
from .layout import Life, Paths, Stored
from .session import Session
from .wire import Node

#: Bytes of one transaction, and nodes: the server takes at most 1 MB and holds up all others.
CHANGE_BYTES = 500_000
CHANGE_MEMBERS = 500
T = TypeVar("T")
Key = tuple[str, str]


class Place(NamedTuple):
    """What is kept under one group and member id.

    A ``node`` without what is ``stored`` in it is none of ours, and is overwritten.
    """

    node: Node | None
    stored: Stored | None
    grave: Node | None
    life: Life | None

    @property
    def incarnation(self) -> int:
        """The highest that is known here."""
        stored = self.stored.member.incarnation if self.stored else 0
        return max(stored, self.life.incarnation if self.life else 0)


class View(NamedTuple):
    """What one read before a change found."""

    own: Node | None
    noted: bool
    places: list[Place]


class Changes:
    """The parts that changes of one instance's process are put together from."""

    def __init__(self, session: Session, paths: Paths, instance_id: str) -> None:
        self._session = session
        self._paths = paths
        self._instance_id = instance_id

    def view(self, members: Iterable[Member]) -> View:
        """Read what a change of these members depends on."""
        paths = [self._paths.instance(self._instance_id), self._paths.note(self._instance_id)]
        keys = [key_of(member) for member in members]
        for key in keys:
            paths += (self._paths.member(*key), self._paths.grave(*key))
        own, note, *rest = self._session.read(paths, newest=True)
        places = []
        for (group_id, member_id), node, grave in zip(keys, rest[::2], rest[1::2], strict=True):
            stored = None
            if node is not None:
                (stored,) = layout.unpacked(group_id, [layout.name(member_id)], [node.data])
            life = None if grave is None else layout.unpacked_life(grave.data)
            places.append(Place(node, stored, grave, life))
        return View(own, note is not None, places)

    def living(self, view: View) -> list[Any]:
        """Return what makes our own node, or requires that it is there."""
        path = self._paths.instance(self._instance_id)
        if view.own is not None and view.own.stat.ephemeralOwner == self._session.id:
            return [self._session.check(path)]
        changes = []
        if view.own is not None:  # it would end with the session that made it
            changes.append(self._session.delete(path, view.own.stat.version))
        changes.append(self._session.create(path, mortal=True))
        if view.noted:
            changes.append(self._session.delete(self._paths.note(self._instance_id)))
        return changes

    def put(self, member: Member, since: float | None, place: Place) -> list[Any]:
        """Return what stores a member in its place, over a grave if there is one."""
        key = key_of(member)
        path, data = self._paths.member(*key), layout.packed(member, since)
        changes = [
            self._session.create(path, data)
            if place.node is None
            else self._session.write(path, data, place.node.stat.version)
        ]
        if place.grave is not None:
            grave = self._paths.grave(*key)
            changes.append(self._session.delete(grave, place.grave.stat.version))
        return changes

    def touch(self, instance_ids: Iterable[str]) -> list[Any]:
        """Return what makes other instances look at their next beat."""
        paths = [
            self._paths.instance(one)
            for one in sorted(instance_ids)
            if one and one != self._instance_id
        ]
        changes = []
        for path, node in zip(paths, self._session.read(paths) if paths else (), strict=True):
            if node is not None:
                changes.append(self._session.write(path))
            else:  # it must not come back meanwhile, look, and find all well
                changes += [self._session.create(path), self._session.delete(path)]
        return changes

    def again(self, attempt: Callable[[], T], members: Iterable[Member]) -> T:
        """Make one change, again and again while others overtake it or nodes are to be made."""
        return again(self._session, attempt, lambda: self._folders(members))

    def _folders(self, members: Iterable[Member]) -> dict[str, bytes]:
        paths = self._paths
        folders = paths.folders()
        for group_id in {member.group_id for member in members}:
            folders[paths.group(group_id)] = layout.packed_group(group_id)
            folders[paths.graves(group_id)] = b""
        return folders


def batches(members: Sequence[Member]) -> Iterator[list[Member]]:
    """Split *members* into what one transaction can hold."""
    batch: list[Member] = []
    size = 0
    for member in members:
        more = len(layout.packed(member, None)) + 1000
        if batch and (len(batch) >= CHANGE_MEMBERS or size + more > CHANGE_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(member)
        size += more
    if batch:
        yield batch


def key_of(member: Member) -> Key:
    """Return what a member is kept under."""
    return (member.group_id, member.member_id)


def life_of(member: Member) -> Life:
    """Return what tells one life of a member from another."""
    return Life(member.instance_id, member.incarnation)


def evidence(place: Place, member: Member) -> Lost | None:
    """Return how the store knows that *member*'s life is over; ``None`` where it does not."""
    if place.stored is not None:
        stored = place.stored.member
        if life_of(stored) == life_of(member) or stored.incarnation < member.incarnation:
            return None
        return Lost(member, Loss.SUPERSEDED, stored)
    if place.life is None or place.life.incarnation < member.incarnation:
        return None
    return Lost(member, Loss.REMOVED if place.life == life_of(member) else Loss.SUPERSEDED)
