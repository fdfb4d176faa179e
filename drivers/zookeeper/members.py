"""Writing members: joins, repairs, beats and leaves.

Whoever takes a member from a living instance also
touches that instance's node in the same transaction: its owner sees at its next beat that something
of it changed, and looks.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kazoo.exceptions import NoNodeError

from servicegroup.clock import boottime
from servicegroup.driver import Loss, Lost
from servicegroup.model import Member

from . import layout
from .attempts import CONFLICTS
from .changes import (
    Changes,
    Key,
    Place,
    batches,
    evidence,
    key_of,
    life_of,
)
from .client import CLIENT_ERRORS
from .clock import ServerClock
from .layout import Paths, Stored
from .session import Session
from .sweep import Sweep
from .wire import Node

#: By the server's clock as learned, in seconds: a sign of life that began later than the member's
#: own ``since`` by no more than this is the same one.
SAME_TIME = 0.2
#: Seconds between two tries to take our sign of life back.
TAKE_BACK = 1.0


class Beaten(NamedTuple):
    """Which sign of life was found well, and which members with it; ``all``: those of a beat."""

    token: tuple[int, int, int]
    at: float
    well: set[tuple[str, str, int]]
    all: Sequence[Member] = ()


class Members:
    """What this process, or an operator through it, does to members. Usable from any thread."""

    def __init__(
        self, session: Session, paths: Paths, clock: ServerClock, instance_id: str, limit: float
    ) -> None:
        self._session = session
        self._paths = paths
        self._changes = Changes(session, paths, instance_id)
        self._clock = clock
        self._sweep = Sweep(session, paths, clock)
        self._instance_id = instance_id
        self._limit = limit
        self._lock = threading.Lock()
        self._held: set[Key] = set()
        self._writes = 0
        self._beaten = Beaten((0, 0, 0), float("-inf"), set())
        self._beaten_at: float | None = None
        self._take_back_at = float("-inf")
        session.pulse = self._pulse

    @property
    def holds(self) -> bool:
        """Whether members of ours are in the store, as far as we know."""
        return bool(self._held)

    def join(self, members: Sequence[Member]) -> list[Member]:
        """See :meth:`servicegroup.driver.Driver.join`."""
        self._beaten_at = boottime()
        joined: list[Member] = []
        for batch in batches(members):
            joined += self._changes.again(functools.partial(self._join, batch), batch)
            self._wrote({key_of(member) for member in batch})
        self._sweep.once({member.group_id for member in members})
        return joined

    def update(self, members: Sequence[Member]) -> list[Lost]:
        """See :meth:`servicegroup.driver.Driver.update`."""
        self._beaten_at = boottime()
        lost: list[Lost] = []
        for batch in batches(members):
            lost += self._changes.again(functools.partial(self._update, batch), batch)
            self._wrote({key_of(member) for member in batch} - {key_of(one.member) for one in lost})
        return lost

    def leave(self, members: Sequence[Member]) -> None:
        """See :meth:`servicegroup.driver.Driver.leave`."""
        for batch in batches(members):
            self._changes.again(functools.partial(self._leave, batch), batch)
            self._wrote(set())
            with self._lock:
                self._held -= {key_of(member) for member in batch}

    def heartbeat(self, members: Sequence[Member]) -> list[Lost]:
        """See :meth:`servicegroup.driver.Driver.heartbeat`.

        One read where all is well. Members are looked at when somebody touched our node, when we
        made it anew, after every write of our own, and once in a while: a server that was restored
        from a backup may know our session and not our members.
        """
        self._beaten_at = boottime()
        writes = self._writes
        own = self._changes.again(self._alive, members)
        stat = own.stat
        token = (stat.ephemeralOwner, stat.mzxid, writes)
        beaten = self._beaten
        if beaten.token != token or boottime() - beaten.at > self._limit:
            beaten = self._beaten = Beaten(token, boottime(), set())
        if beaten.all and beaten.all == members:  # the very same ones: quickly compared
            return []
        doubtful = [one for one in members if (*key_of(one), one.incarnation) not in beaten.well]
        if not doubtful:
            self._beaten = beaten._replace(all=list(members))
            return []
        return self._look(doubtful, beaten, stat.ctime / 1000.0)

    # -- one try of each ----------------------------------------------------------------------

    def _join(self, members: Sequence[Member]) -> list[Member]:
        view = self._changes.view(members)
        now = self._clock.now()
        changes = self._changes.living(view)
        joined = []
        taken = set()
        for member, place in zip(members, view.places, strict=True):
            before = None if place.stored is None else place.stored.member
            one = member.joined(place.incarnation + 1, now, before)
            joined.append(one)
            changes += self._changes.put(one, now, place)
            if place.stored is not None:
                taken.add(place.stored.member.instance_id)
        self._session.change(changes + self._changes.touch(taken))
        return joined

    def _update(self, members: Sequence[Member]) -> list[Lost]:
        view = self._changes.view(members)
        now = self._clock.now()
        changes: list[Any] = []
        lost = []
        taken = set()
        for member, place in zip(members, view.places, strict=True):
            loss = evidence(place, member)
            stored = place.stored
            if loss is not None:
                lost.append(loss)
            elif stored is None or life_of(stored.member) != life_of(member):
                changes += self._changes.put(member, now, place)
                if stored is not None:
                    taken.add(stored.member.instance_id)
            elif stored.member.revision <= member.revision:
                same = (stored.member.withdrawn is None) == (member.withdrawn is None)
                since = stored.since if same else now
                changes += self._changes.put(member, since, place)
        if changes or len(lost) < len(members):
            self._session.change(self._changes.living(view) + changes + self._changes.touch(taken))
        return lost

    def _leave(self, members: Sequence[Member]) -> None:
        view = self._changes.view(members)
        changes = []
        taken = set()
        for member, place in zip(members, view.places, strict=True):
            stored = place.stored
            if place.node is None or stored is None or life_of(stored.member) != life_of(member):
                continue
            group_id, member_id = key_of(member)
            grave = self._paths.grave(group_id, member_id)
            life = layout.packed_life(stored.member, own=member.instance_id == self._instance_id)
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
            self._session.change(changes + self._changes.touch(taken))

    def _alive(self) -> Node:
        """Return our own node, made anew where it is gone or belongs to an earlier session."""
        path = self._paths.instance(self._instance_id)
        (own,) = self._session.read([path])
        if own is None or own.stat.ephemeralOwner != self._session.id:
            self._session.change(self._changes.living(self._changes.view(())))
            (own,) = self._session.read([path])
        if own is None:  # ended at this very moment
            raise NoNodeError
        return own

    def _look(self, members: Sequence[Member], beaten: Beaten, alive_since: float) -> list[Lost]:
        lost = []
        risen: dict[Key, tuple[Stored, Place]] = {}
        for member, place in zip(members, self._changes.view(members).places, strict=True):
            stored = place.stored
            if stored is not None and life_of(stored.member) == life_of(member):
                early = stored.since is None or stored.since + SAME_TIME < alive_since
                if early and member.withdrawn is None:
                    risen[key_of(member)] = (stored, place)
                else:
                    beaten.well.add((*key_of(member), member.incarnation))
                continue
            one = evidence(place, member) or Lost(member, Loss.MISSING)
            lost.append(one)
            if one.loss is not Loss.MISSING:
                self._held.discard(key_of(member))
        self._rise(risen, alive_since)
        return lost

    def _rise(self, risen: Mapping[Key, tuple[Stored, Place]], alive_since: float) -> None:
        """Note since when members are up again whose instance was away; the rest at later beats."""
        for batch in list(batches([stored.member for stored, _ in risen.values()]))[:1]:
            changes: list[Any] = []
            for member in batch:
                place = risen[key_of(member)][1]._replace(grave=None)
                changes += self._changes.put(member, alive_since, place)
            with contextlib.suppress(*CONFLICTS):
                self._session.change(changes)

    def _wrote(self, keys: set[Key]) -> None:
        with self._lock:
            self._writes += 1
            self._held |= keys

    def _pulse(self) -> None:
        """Take our sign of life back when the heart is silent; on kazoo's thread, never waits.

        The session alone would keep members up whose process has stopped to beat.
        """
        beaten_at, now = self._beaten_at, boottime()
        if beaten_at is None or now - beaten_at <= self._limit or now < self._take_back_at:
            return
        self._take_back_at = now + TAKE_BACK
        path = self._paths.instance(self._instance_id)
        with contextlib.suppress(*CLIENT_ERRORS):
            answer = self._session.attempt([self._session.delete(path)])
            answer.rawlink(functools.partial(self._taken_back, beaten_at))

    def _taken_back(self, beaten_at: float, answer: Any) -> None:
        """Leave it at that until the heart beats again, if the server answered at all."""
        if self._beaten_at == beaten_at and not isinstance(answer.exception, CLIENT_ERRORS):
            self._beaten_at = None
