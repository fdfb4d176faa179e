"""What a process tells the store: joins, repairs, beats, leaving, ends."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping, Sequence

from servicegroup.driver import Loss, Lost
from servicegroup.model import Member

from .codec import Place
from .commands import flags
from .index import Appended, Index
from .members import Beside, Decide, Members, Outcome
from .pulse import Beat, Pulse
from .quiet import Quiet
from .replies import Reply
from .servers import Answer, Batch, Servers


class Reporter:
    """The writing half of the driver's contract. Usable from any thread."""

    def __init__(
        self, own: str, servers: Servers, pulse: Pulse, index: Index, members: Members
    ) -> None:
        self._own = own
        self._servers = servers
        self._pulse = pulse
        self._index = index
        self._members = members
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], int] = {}
        self._quiet = Quiet(servers, members)

    def join(self, members: Sequence[Member]) -> list[Member]:
        """See :meth:`servicegroup.driver.Driver.join`."""

        def decide(member: Member, before: Place | None) -> Place:
            last = 0 if before is None else before.member.incarnation
            now = self._servers.now()
            stays = None if before is None or before.left else before.member
            return Place(member.joined(last + 1, now, stays), at=now)

        outcomes = self._store(members, decide, certain=True)
        joined = [one.now.member for one in outcomes if one.now is not None]
        self._hold(joined)
        return joined

    def update(self, members: Sequence[Member]) -> list[Lost]:
        """See :meth:`servicegroup.driver.Driver.update`."""

        def decide(member: Member, before: Place | None) -> Place | None:
            if _evidence(member, before) is not None:
                return None
            if before is not None and before.holds(member):
                if before.member.revision > member.revision or before.member == member:
                    return None
                if (before.member.withdrawn is None) == (member.withdrawn is None):
                    return Place(member, at=before.at)
            elif member.withdrawn is None:  # the store lost it
                return Place(member, at=member.started_at)
            return Place(member, at=self._servers.now())

        outcomes = self._store(members, decide)
        lost = [_evidence(one, done.before) for one, done in zip(members, outcomes, strict=True)]
        self._hold(one for one, loss in zip(members, lost, strict=True) if loss is None)
        return [one for one in lost if one is not None]

    def heartbeat(self, instance_id: str, members: Sequence[Member]) -> list[Lost]:
        """See :meth:`servicegroup.driver.Driver.heartbeat`."""
        tried: Mapping[int, Reply] = {}
        if not self._pulse.suspect(instance_id):
            quiet = self._quiet.beat(instance_id, members)
            if quiet is None:
                return []
            tried = quiet
        wanted = self._index.wanted(members)
        batch = self._servers.batch()
        beat = self._pulse.begin(batch, instance_id)
        looks = self._index.begin(batch, wanted)
        glances: list[tuple[int, Answer]] = []
        looking = self._servers.batch()
        for member in self._quiet.turn(instance_id, members):
            key = self._members.key(member)
            mine = self._members.flags(member)
            glances += [(mine, answer) for answer in looking.add_everywhere(key, flags(key))]
        spoken = looking.run_whole(batch)
        same = self._pulse.finish(beat, tried)
        well = all(
            answer.reply is None or (answer.reply.found and answer.reply.flags == mine)
            for mine, answer in glances
        )
        if well and not self._pulse.suspect(instance_id):
            if self._index.finish(looks, wanted) and same and beat.complete:
                least = {copy.server: self._pulse.least(beat, copy) for copy in beat.copies}
                self._quiet.learn(instance_id, members, spoken, least)
            return []
        outcomes = self._members.change(members, lambda _member, _before: None)
        lost = []
        for member, outcome in zip(members, outcomes, strict=True):
            before = outcome.before
            if before is None or not before.holds(member):
                lost.append(_evidence(member, before) or Lost(member, Loss.MISSING))
        gone = {id(one.member) for one in lost}
        missing = [one.member for one in lost if one.loss is Loss.MISSING]
        self._index.forget(self._index.wanted(missing))
        kept = self._index.wanted(one for one in members if id(one) not in gone)
        self._index.finish([(shard, answer) for shard, answer in looks if shard in kept], kept)
        self._pulse.looked(instance_id, well=not lost and beat.complete)
        return lost

    def leave(self, members: Sequence[Member]) -> None:
        """See :meth:`servicegroup.driver.Driver.leave`."""

        def decide(member: Member, before: Place | None) -> Place | None:
            if before is None or not before.holds(member):
                return None
            return Place(before.member, left=True, at=self._servers.now())

        outcomes = self._members.change(members, decide)
        foreign = {
            one.now.member.instance_id
            for one in outcomes
            if one.now is not None and one.now is not one.before
        } - {self._own}
        self._tell(foreign)
        with self._lock:
            mine = bool(self._held)
            for member in members:
                key = (member.group_id, member.member_id)
                if self._held.get(key, math.inf) <= member.incarnation:
                    del self._held[key]
            last = mine and not self._held
        if last:
            self._pulse.forget(self._own)

    def end(self, instance_id: str, reason: str) -> None:
        """See :meth:`servicegroup.driver.Driver.end`."""
        self._pulse.end(instance_id, reason)

    def _store(
        self, members: Sequence[Member], decide: Decide, *, certain: bool = False
    ) -> list[Outcome]:
        """Store members with a beat of their instances, and name them in the index.

        :param certain: each will be stored, so that the beats may go out with the first reading
        """
        storing = _Storing(self._pulse, self._index)
        reading = self._servers.batch()
        if certain:
            storing.beat(reading, members)
        beside = Beside(reading, storing.read, storing.write)
        outcomes = self._members.change(members, decide, beside)
        stored = [
            done
            for member, done in zip(members, outcomes, strict=True)
            if done.now is not None
            and done.now.holds(member._replace(incarnation=done.now.member.incarnation))
        ]
        batch = self._servers.batch()
        storing.beat(batch, _now(stored))
        batch.run()
        storing.read()
        wanted = storing.wanted
        if storing.written != len(stored):
            self._index.forget(self._index.wanted(_new(stored)))
            wanted = self._index.wanted(_now(stored))
        self._index.add(wanted, storing.appended)
        moved = {
            before.member.instance_id
            for before, now in stored
            if before is not None and now is not None and not before.same_life(now.member)
        }
        self._tell(moved - {self._own})
        return outcomes

    def _tell(self, instance_ids: set[str]) -> None:
        if instance_ids:
            batch = self._servers.batch()
            self._pulse.moved(batch, instance_ids)
            batch.run()

    def _hold(self, members: Iterable[Member]) -> None:
        with self._lock:
            for member in members:
                if member.instance_id == self._own:
                    self._held[member.group_id, member.member_id] = member.incarnation


class _Storing:
    """What goes along with storing members: beats of their instances, their names in the index."""

    def __init__(self, pulse: Pulse, index: Index) -> None:
        self._pulse = pulse
        self._index = index
        self._begun: set[str] = set()
        self._beats: list[Beat] = []
        self.appended: list[Appended] = []
        #: Names that were appended with the writing, of so many members.
        self.wanted: dict[bytes, set[bytes]] = {}
        self.written = 0

    def beat(self, batch: Batch, members: Iterable[Member]) -> None:
        """Put a beat of each of their instances into *batch*, once in all."""
        for instance_id in dict.fromkeys(member.instance_id for member in members):
            if instance_id not in self._begun:
                self._begun.add(instance_id)
                self._beats.append(self._pulse.begin(batch, instance_id))

    def read(self) -> None:
        """Take in the replies to the beats so far."""
        while self._beats:
            self._pulse.finish(self._beats.pop())

    def write(self, writing: Batch, outcomes: Sequence[Outcome]) -> None:
        """Put beats and names into what brings these outcomes about."""
        self.beat(writing, _now(outcomes))
        new, now = _new(outcomes), _now(outcomes)
        wanted = self._index.wanted(now)
        self._index.forget(wanted if len(new) == len(now) else self._index.wanted(new))
        self.appended += self._index.append(writing, wanted)
        self.written += len(outcomes)
        for shard, names in wanted.items():
            self.wanted.setdefault(shard, set()).update(names)


def _now(outcomes: Iterable[Outcome]) -> list[Member]:
    return [now.member for _, now in outcomes if now is not None]


def _new(outcomes: Iterable[Outcome]) -> list[Member]:
    """Return those that are another life than what was there, or came back."""
    return [
        now.member
        for before, now in outcomes
        if now is not None
        if before is None or before.left or not before.same_life(now.member)
    ]


def _evidence(member: Member, before: Place | None) -> Lost | None:
    """Return how the store knows that *member*'s life is over; ``None`` where it does not."""
    if before is None or before.holds(member):
        return None
    if before.member.incarnation < member.incarnation:
        return None
    if before.same_life(member):
        return Lost(member, Loss.REMOVED)
    return Lost(member, Loss.SUPERSEDED, None if before.left else before.member)
