"""Looking at a group: the driver's sightings, records kept apart from them, and the verdicts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from servicegroup.door import Door
from servicegroup.driver import Capability, Sightings
from servicegroup.exceptions import DriverUnavailable
from servicegroup.liveness import Limits, Witness, judge, states, verdicts
from servicegroup.model import EndKind, Member, Record, Sighting, State
from servicegroup.status import Cause, MemberStatus
from servicegroup.workers import MARK, family, fold, is_worker, place

#: How many members are remembered as not up; when there are more, all are forgotten.
REMEMBERED = 10_000
#: What the class itself would do, in half the time: there are tens of thousands.
_made = tuple.__new__


class Look(NamedTuple):
    """What one look found, not judged yet.

    ``records``: {member id: sighting in the records}, ``None`` where the driver carries them or
    none are in use. ``records_error``: why they are only remembered from an earlier look.
    """

    seen: Sightings
    records: Mapping[str, Sighting] | None = None
    records_witnessed: bool = True
    records_error: str | None = None

    @property
    def workers(self) -> set[str]:
        """Ids of all workers that were seen, but for those with number 0."""
        ids = [sighting[0][1] for sighting in self.seen.members]
        return {one for one in (*ids, *(self.records or ())) if MARK in one and is_worker(one)}


class Observer:
    """Reads and judges. Usable from any thread; errors as from :class:`Door`."""

    def __init__(self, door: Door, records: Door | None, limits: Limits) -> None:
        self._door = door
        self._records = records
        self._limits = limits
        #: Members of which the worker with number 0 was not up when it was asked for last.
        self._not_up: set[tuple[str, str]] = set()

    def look(
        self,
        group_id: str,
        member_ids: Collection[str] | None = None,
        *,
        known: Mapping[str, Member] | None = None,
        attributes: bool = True,
        remembered: Mapping[str, Sighting] | None = None,
    ) -> Look:
        """Ask the driver, and the records if it does not carry them: one call each.

        One more each where of several workers the one with number 0 left before the others.

        :param remembered: records of an earlier look, to make do with if they cannot be read now;
            without them that is an error
        """
        seen = _sightings(self._door, group_id, member_ids, known, attributes)
        if self._records is None or Capability.RECORDS in self._door.capabilities:
            return Look(seen)
        held = {key: one.member for key, one in remembered.items()} if remembered else None
        try:
            recorded = _sightings(self._records, group_id, member_ids, held, attributes)
        except DriverUnavailable as error:
            if remembered is None:
                raise
            return Look(seen, remembered, records_error=str(error))
        by_id = {sighting.member.member_id: sighting for sighting in recorded.members}
        return Look(seen, by_id, recorded.witnessed)

    def states(self, group_id: str) -> dict[str, State]:
        """Return the verdict on each member of a group, and nothing else."""
        if self._records is None or Capability.RECORDS in self._door.capabilities:
            seen = self._door.ages(group_id)
            verdicts = states(seen.ages, seen.others, Witness(seen.witnessed), self._limits)
            if not any(MARK in member_id for member_id in verdicts):
                return verdicts
        look = self.look(group_id, attributes=False)
        return {status.member.member_id: status.liveness.state for status in self.judged(look)}

    def one(
        self, group_id: str, member_id: str, *, counted: bool = True, attributes: bool = True
    ) -> MemberStatus | None:
        """Look at one member, or at one that left and has a record.

        :param counted: with False its workers are not asked for while the first of them is up. That
            is one question to the store; once it is not up, one for them all; in between, two.
        """
        if is_worker(member_id):  # of this one alone
            look = self.look(group_id, [member_id], attributes=attributes)
            statuses = self.each(look, left=True)
            return next((one for one in statuses if one.member_id == member_id), None)
        key = group_id, member_id
        if not counted and key not in self._not_up:
            look = self.look(group_id, [member_id], attributes=attributes)
            status = next(self.each(look, left=True), None)
            if status is not None and (status.is_up or status.liveness.cause is Cause.FORCED):
                return status
            if len(self._not_up) >= REMEMBERED:
                self._not_up.clear()
            self._not_up.add(key)
        look = self._family(group_id, member_id, attributes=attributes)
        if any(one.is_up for one in self.each(look) if one.member_id == member_id):
            self._not_up.discard(key)
        return next(self.judged(look, left=True), None)

    def workers(self, group_id: str, member_id: str) -> list[str]:
        """Ids of all workers of a member but the one with number 0, alive or not."""
        if is_worker(member_id):
            return []
        return sorted(self._family(group_id, member_id, attributes=False).workers)

    def _family(self, group_id: str, member_id: str, *, attributes: bool) -> Look:
        """Look at a member and its workers, as far as there is a trace of any.

        A store that lost its data says of every id that something may have been there. That counts
        for the member that was asked for, and not for all the workers that it might have.
        """
        look = self.look(group_id, family(member_id), attributes=attributes)
        seen = [
            one
            for one in look.seen.members
            if one.member.instance_id or not is_worker(one.member.member_id)
        ]
        return look._replace(seen=look.seen._replace(members=seen))

    def judged(self, look: Look, *, left: bool = False) -> Iterator[MemberStatus]:
        """Give each member its verdict, and several workers that are one member one together.

        :param left: also records of members that left
        """
        workers = look.workers
        if not workers:
            return self.each(look, left=left)
        firsts = {place(worker)[0] for worker in workers}
        return fold(self.each(look, left=left, also=firsts))

    def each(
        self, look: Look, *, left: bool = False, also: Collection[str] = ()
    ) -> Iterator[MemberStatus]:
        """Give each member and each worker its own verdict.

        Those of the records that the driver lacks come last.

        :param left: also records of members that left
        :param also: these even so
        """
        limits = self._limits
        witness = Witness(look.seen.witnessed, look.records_witnessed)
        if look.records is None:
            members = look.seen.members
            for sighting, verdict in zip(members, verdicts(members, witness, limits), strict=True):
                yield _made(MemberStatus, (sighting[0], verdict, sighting[4]))
            return
        rest = dict(look.records)
        for sighting in look.seen.members:
            beside = _beside(rest.pop(sighting.member.member_id, None), look)
            verdict = judge(beside, sighting, witness, limits)
            if verdict.is_up and look.records_error is not None:
                verdict = verdict._replace(detail="its service record cannot be read")
            elif verdict.is_up and beside is None:
                verdict = verdict._replace(detail="no service record")
            yield MemberStatus(sighting.member, verdict, beside)
        for sighting in rest.values():
            gone = sighting.ended is not None and sighting.ended.kind is EndKind.LEFT
            if left or not gone or sighting.member.member_id in also:
                record = _beside(sighting, look)
                yield MemberStatus(sighting.member, judge(record, None, witness, limits), record)


def _sightings(
    door: Door,
    group_id: str,
    member_ids: Collection[str] | None,
    known: Mapping[str, Member] | None,
    attributes: bool,
) -> Sightings:
    seen = door.sightings(group_id, member_ids, known=known, attributes=attributes)
    absent = {first for _, first in absent_firsts(seen)}
    if not absent or member_ids is not None:  # who asks for some asks for all of a member
        return seen
    more = door.sightings(group_id, absent, attributes=attributes)
    return seen._replace(members=[*seen.members, *more.members])


def absent_firsts(seen: Sightings) -> set[tuple[str, str]]:
    """Return group and id of each worker with number 0 that others of the member are seen without.

    On its record stands the operator's word on all of them, also after it left.
    """
    workers = [one[0] for one in seen.members if MARK in one[0][1] and is_worker(one[0][1])]
    if not workers:
        return set()
    there = {(one[0].group_id, one[0].member_id) for one in seen.members}
    return {(one.group_id, place(one.member_id)[0]) for one in workers} - there


def _beside(recorded: Sighting | None, look: Look) -> Record | None:
    """Return the record with the age of its own sign of life; none if it is only remembered."""
    if recorded is None or recorded.record is None:
        return None
    age = None if look.records_error is not None else recorded.age
    return recorded.record._replace(age=age)
