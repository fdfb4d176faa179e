"""Writing members: joins, repairs, beats, leaves and ends.

Every change of a member is one transaction with its neighbours, on condition that each node still
is as it was read; otherwise all is read again. Whoever takes a member from a living instance also
touches that instance's node in the same transaction: its owner sees at its next beat that something
of it changed, and looks.
"""

from __future__ import annotations

import contextlib
import functools
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from kazoo.exceptions import (
    BadVersionError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    OperationTimeoutError,
)

from servicegroup.driver import Loss, Lost
from servicegroup.model import Member

from . import layout
from .clock import ServerClock, elapsed
from .layout import Life, Note, Paths, Stored
from .session import CLIENT_ERRORS, Session
from .wire import Node

#: Bytes of one transaction, and nodes: the server takes at most 1 MB and holds up all others.
CHANGE_BYTES = 500_000
CHANGE_MEMBERS = 500
#: Tries of a change that others keep overtaking; each time at least one of them succeeds.
TRIES = 100
#: Seconds before the next try at most.
LONGEST_WAIT = 0.05
#: By the server's clock as learned, in seconds: a sign of life that began later than the member's
#: own ``since`` by no more than this is the same one.
SAME_TIME = 0.2
#: Seconds between two tries to take our sign of life back.
TAKE_BACK = 1.0

CONFLICTS = (BadVersionError, NodeExistsError, NoNodeError, NotEmptyError)

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


class Beaten(NamedTuple):
    """Which sign of life was found well, and which members with it."""

    token: tuple[int, int, int]
    well: set[tuple[str, str, int]]


class Members:
    """What this process, or an operator through it, does to members. Usable from any thread."""

    def __init__(
        self, session: Session, paths: Paths, clock: ServerClock, instance_id: str, limit: float
    ) -> None:
        self._session = session
        self._paths = paths
        self._clock = clock
        self._instance_id = instance_id
        self._limit = limit
        self._lock = threading.Lock()
        self._held: set[Key] = set()
        self._writes = 0
        self._beaten = Beaten((0, 0, 0), set())
        self._beaten_at: float | None = None
        self._take_back_at = float("-inf")
        session.pulse = self._pulse

    @property
    def holds(self) -> bool:
        """Whether members of ours are in the store, as far as we know."""
        return bool(self._held)

    def join(self, members: Sequence[Member]) -> list[Member]:
        """See :meth:`servicegroup.driver.Driver.join`."""
        self._beaten_at = elapsed()
        joined: list[Member] = []
        for batch in _batches(members):
            joined += self._again(functools.partial(self._join, batch), batch)
            self._wrote({_key(member) for member in batch})
        return joined

    def update(self, members: Sequence[Member]) -> list[Lost]:
        """See :meth:`servicegroup.driver.Driver.update`."""
        self._beaten_at = elapsed()
        lost: list[Lost] = []
        for batch in _batches(members):
            lost += self._again(functools.partial(self._update, batch), batch)
            self._wrote({_key(member) for member in batch} - {_key(one.member) for one in lost})
        return lost

    def leave(self, members: Sequence[Member]) -> None:
        """See :meth:`servicegroup.driver.Driver.leave`."""
        for batch in _batches(members):
            self._again(functools.partial(self._leave, batch), batch)
            self._wrote(set())
            with self._lock:
                self._held -= {_key(member) for member in batch}

    def heartbeat(self, members: Sequence[Member]) -> list[Lost]:
        """See :meth:`servicegroup.driver.Driver.heartbeat`.

        One read where all is well. Members are looked at when somebody touched our node, when we
        made it anew, and after every write of our own.
        """
        self._beaten_at = elapsed()
        writes = self._writes
        own = self._again(self._alive, members)
        stat = own.stat
        token = (stat.ephemeralOwner, stat.mzxid, writes)
        beaten = self._beaten
        if beaten.token != token:
            beaten = self._beaten = Beaten(token, set())
        doubtful = [one for one in members if (*_key(one), one.incarnation) not in beaten.well]
        return self._look(doubtful, beaten, stat.ctime / 1000.0) if doubtful else []

    def end(self, instance_id: str, reason: str) -> None:
        """See :meth:`servicegroup.driver.Driver.end`."""
        self._again(lambda: self._end(instance_id, Note(reason, True)), ())

    # -- one try of each ----------------------------------------------------------------------

    def _join(self, members: Sequence[Member]) -> list[Member]:
        view = self._view(members)
        now = self._clock.now()
        changes = self._living(view)
        joined = []
        taken = set()
        for member, place in zip(members, view.places, strict=True):
            one = member._replace(incarnation=place.incarnation + 1, started_at=now)
            joined.append(one)
            changes += self._put(one, now, place)
            if place.stored is not None:
                taken.add(place.stored.member.instance_id)
        self._session.change(changes + self._touch(taken))
        return joined

    def _update(self, members: Sequence[Member]) -> list[Lost]:
        view = self._view(members)
        now = self._clock.now()
        changes: list[Any] = []
        lost = []
        taken = set()
        for member, place in zip(members, view.places, strict=True):
            loss = _evidence(place, member)
            stored = place.stored
            if loss is not None:
                lost.append(loss)
            elif stored is None or _life(stored.member) != _life(member):
                changes += self._put(member, now, place)
                if stored is not None:
                    taken.add(stored.member.instance_id)
            elif stored.member.revision <= member.revision:
                same = (stored.member.withdrawn is None) == (member.withdrawn is None)
                changes += self._put(member, stored.since if same else now, place)
        if changes or len(lost) < len(members):
            self._session.change(self._living(view) + changes + self._touch(taken))
        return lost

    def _leave(self, members: Sequence[Member]) -> None:
        view = self._view(members)
        changes = []
        taken = set()
        for member, place in zip(members, view.places, strict=True):
            stored = place.stored
            if place.node is None or stored is None or _life(stored.member) != _life(member):
                continue
            group_id, member_id = _key(member)
            grave = self._paths.grave(group_id, member_id)
            life = layout.packed_life(stored.member)
            changes.append(
                self._session.delete(
                    self._paths.member(group_id, member_id), place.node.stat.version
                )
            )
            changes.append(
                self._session.create(grave, life)
                if place.grave is None
                else self._session.write(grave, life, place.grave.stat.version)
            )
            taken.add(member.instance_id)
        if changes:
            self._session.change(changes + self._touch(taken))

    def _alive(self) -> Node:
        """Return our own node, made anew where it is gone or belongs to an earlier session."""
        path = self._paths.instance(self._instance_id)
        (own,) = self._session.read([path])
        if own is None or own.stat.ephemeralOwner != self._session.id:
            self._session.change(self._living(self._view(())))
            (own,) = self._session.read([path])
        if own is None:  # ended at this very moment
            raise NoNodeError
        return own

    def _end(self, instance_id: str, note: Note) -> None:
        path, place = self._paths.instance(instance_id), self._paths.note(instance_id)
        own, before = self._session.read([path, place], newest=True)
        data = layout.packed_note(note)
        changes = [] if own is None else [self._session.delete(path)]
        if before is None:
            if own is not None:  # else nobody there knew it: it left, or its session expired
                changes.append(self._session.create(place, data))
        else:
            known = layout.unpacked_note(before.data)
            if own is not None or known is None or not known.seen:
                changes.append(self._session.write(place, data, before.stat.version))
        if changes:
            self._session.change(changes)

    # -- parts of changes ---------------------------------------------------------------------

    def _view(self, members: Iterable[Member]) -> View:
        paths = [self._paths.instance(self._instance_id), self._paths.note(self._instance_id)]
        keys = [_key(member) for member in members]
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

    def _living(self, view: View) -> list[Any]:
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

    def _put(self, member: Member, since: float | None, place: Place) -> list[Any]:
        key = _key(member)
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

    def _touch(self, instance_ids: Iterable[str]) -> list[Any]:
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

    def _look(self, members: Sequence[Member], beaten: Beaten, alive_since: float) -> list[Lost]:
        lost = []
        risen = []
        for member, place in zip(members, self._view(members).places, strict=True):
            stored = place.stored
            if stored is not None and _life(stored.member) == _life(member):
                early = stored.since is None or stored.since + SAME_TIME < alive_since
                if early and member.withdrawn is None:
                    risen.append((stored, place))
                else:
                    beaten.well.add((*_key(member), member.incarnation))
                continue
            one = _evidence(place, member) or Lost(member, Loss.MISSING)
            lost.append(one)
            if one.loss is not Loss.MISSING:
                self._held.discard(_key(member))
        self._rise(risen, alive_since)
        return lost

    def _rise(self, risen: Sequence[tuple[Stored, Place]], alive_since: float) -> None:
        """Note since when members are up again whose instance was away; best effort."""
        changes = [
            change
            for stored, place in risen
            for change in self._put(stored.member, alive_since, place._replace(grave=None))
        ]
        if changes:
            with contextlib.suppress(*CONFLICTS):  # the next beat looks at them again
                self._session.change(changes[:CHANGE_MEMBERS])

    # -- the rest -----------------------------------------------------------------------------

    def _again(self, attempt: Callable[[], T], members: Iterable[Member]) -> T:
        """Make one change, again and again while others overtake it or nodes are to be made."""
        for count in range(TRIES):
            try:
                return attempt()
            except NoNodeError:
                self._session.ensure(self._folders(members))
            except CONFLICTS:
                pass
            if count:
                time.sleep(random.uniform(0, min(LONGEST_WAIT, 0.001 * 2**count)))  # noqa: S311
        raise OperationTimeoutError(f"others overtook this change {TRIES} times")

    def _folders(self, members: Iterable[Member]) -> dict[str, bytes]:
        paths = self._paths
        folders = dict.fromkeys(
            (paths.clock, paths.groups, paths.removed, paths.instances, paths.ended), b""
        )
        for group_id in {member.group_id for member in members}:
            folders[paths.group(group_id)] = layout.packed_group(group_id)
            folders[paths.graves(group_id)] = b""
        return folders

    def _wrote(self, keys: set[Key]) -> None:
        with self._lock:
            self._writes += 1
            self._held |= keys

    def _pulse(self) -> None:
        """Take our sign of life back when the heart is silent; on kazoo's thread, never waits.

        The session alone would keep members up whose process has stopped to beat.
        """
        beaten_at, now = self._beaten_at, elapsed()
        if beaten_at is None or now - beaten_at <= self._limit or now < self._take_back_at:
            return
        self._take_back_at = now + TAKE_BACK
        with contextlib.suppress(*CLIENT_ERRORS):
            self._session.attempt([self._session.delete(self._paths.instance(self._instance_id))])


def _batches(members: Sequence[Member]) -> Iterator[list[Member]]:
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


def _key(member: Member) -> Key:
    return (member.group_id, member.member_id)


def _life(member: Member) -> Life:
    return Life(member.instance_id, member.incarnation)


def _evidence(place: Place, member: Member) -> Lost | None:
    """Return how the store knows that *member*'s life is over; ``None`` where it does not."""
    if place.stored is not None:
        stored = place.stored.member
        if _life(stored) == _life(member) or stored.incarnation < member.incarnation:
            return None
        return Lost(member, Loss.SUPERSEDED, stored)
    if place.life is None or place.life.incarnation < member.incarnation:
        return None
    return Lost(member, Loss.REMOVED if place.life == _life(member) else Loss.SUPERSEDED)
