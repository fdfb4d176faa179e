"""Looking at a group: the driver's sightings, records kept apart from them, and the verdicts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from servicegroup.door import Door
from servicegroup.driver import Capability, Sightings
from servicegroup.exceptions import DriverUnavailable
from servicegroup.liveness import Limits, Witness, judge, states, verdicts
from servicegroup.model import EndKind, Member, Record, Sighting, State
from servicegroup.status import MemberStatus

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


class Observer:
    """Reads and judges. Usable from any thread; errors as from :class:`Door`."""

    def __init__(self, door: Door, records: Door | None, limits: Limits) -> None:
        self._door = door
        self._records = records
        self._limits = limits

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

        :param remembered: records of an earlier look, to make do with if they cannot be read now;
            without them that is an error
        """
        seen = self._door.sightings(group_id, member_ids, known=known, attributes=attributes)
        if self._records is None or Capability.RECORDS in self._door.capabilities:
            return Look(seen)
        held = {key: one.member for key, one in remembered.items()} if remembered else None
        try:
            recorded = self._records.sightings(
                group_id, member_ids, known=held, attributes=attributes
            )
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
            return states(seen.ages, seen.others, Witness(seen.witnessed), self._limits)
        look = self.look(group_id, attributes=False)
        return {status.member.member_id: status.liveness.state for status in self.judged(look)}

    def judged(self, look: Look, *, left: bool = False) -> Iterator[MemberStatus]:
        """Give each member its verdict; those of the records that the driver lacks come last.

        :param left: also records of members that left
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
            if left or not gone:
                record = _beside(sighting, look)
                yield MemberStatus(sighting.member, judge(record, None, witness, limits), record)


def _beside(recorded: Sighting | None, look: Look) -> Record | None:
    """Return the record with the age of its own sign of life; none if it is only remembered."""
    if recorded is None or recorded.record is None:
        return None
    age = None if look.records_error is not None else recorded.age
    return recorded.record._replace(age=age)
