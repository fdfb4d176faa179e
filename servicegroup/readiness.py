"""How far a fleet is on its way to another driver: who is alive here, and is not seen so there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from servicegroup.exceptions import ServiceGroupError
from servicegroup.model import State
from servicegroup.observer import Observer
from servicegroup.roster import Roster
from servicegroup.status import MemberStatus


class Readiness(NamedTuple):
    """What would happen to one group if *driver* judged it from now on.

    ``alive``: how many members are not down by the driver that judges them now. ``missing``:
    {member id: reason} of those that *driver* does not see alive in the same life. ``stale``: the
    ids that only *driver* lists, down or alive. ``silent``: why *driver* could not be asked at all;
    nothing else is known then.
    """

    driver: str
    group_id: str
    alive: int
    missing: Mapping[str, str] = {}
    stale: tuple[str, ...] = ()
    silent: str | None = None

    @property
    def ready(self) -> bool:
        """Whether nobody who is alive would be called anything else."""
        return not self.missing and self.silent is None


def readiness(name: str, further: Observer, roster: Roster) -> Iterator[Readiness]:
    """Compare every group as it is judged with how *further*, of driver *name*, would judge it.

    Who differs is looked at a second time, in both: members come and go between two looks, and are
    told to the one store a moment after the other.
    """
    for group_id, here in groupby(roster.list(), lambda status: status.group_id):
        statuses = {status.member_id: status for status in here}
        alive = [one for one in statuses.values() if one.state is not State.DOWN]
        try:
            there = _judged(further, group_id)
            if _differing(alive, there):
                statuses = {status.member_id: status for status in roster.list(group_id)}
                alive = [one for one in statuses.values() if one.state is not State.DOWN]
                there = _judged(further, group_id)
        except ServiceGroupError as error:
            yield Readiness(name, group_id, len(alive), silent=str(error))
            continue
        stale = tuple(sorted(set(there) - set(statuses)))
        yield Readiness(name, group_id, len(alive), _differing(alive, there), stale)


def _judged(observer: Observer, group_id: str) -> dict[str, MemberStatus]:
    look = observer.look(group_id, attributes=False)
    return {status.member_id: status for status in observer.judged(look)}


def _differing(alive: list[MemberStatus], there: Mapping[str, MemberStatus]) -> dict[str, str]:
    reasons = {}
    for status in alive:
        other = there.get(status.member_id)
        if other is None:
            reasons[status.member_id] = "not there"
        elif other.member.instance_id != status.member.instance_id:
            reasons[status.member_id] = "an earlier or other life of it is there"
        elif not other.is_up:
            reasons[status.member_id] = f"{other.state.value} there: {other.reason}"
    return reasons
