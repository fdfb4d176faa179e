"""Words for the suite: who joins, what is seen, what was lost, how time passes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from servicegroup import liveness
from servicegroup.driver import Capability, Driver, Loss, Lost
from servicegroup.liveness import Witness
from servicegroup.model import EndKind, Member, Sighting, State
from servicegroup.testing.store import Store

#: Seconds within which a driver must call back after a change.
WATCH_DEADLINE = 5.0

GROUP = "compute"


def member(driver: Driver, member_id: str = "m", group_id: str = GROUP, **fields: Any) -> Member:
    """Return a member of this driver's instance, as the core hands it to ``join``."""
    described: dict[str, Any] = {
        "name": "nova-compute",
        "hostname": "host-1",
        "process_id": 4711,
        "attributes": {"zone": "a"},
        "version": 3,
        "instance_id": driver.context.instance_id,
    }
    return Member(group_id, member_id, **(described | fields))


def join(driver: Driver, member_id: str = "m", group_id: str = GROUP, **fields: Any) -> Member:
    """Join one member, and return it as stored."""
    (joined,) = driver.join([member(driver, member_id, group_id, **fields)])
    return joined


def seen(
    driver: Driver,
    group_id: str = GROUP,
    member_ids: Collection[str] | None = None,
    *,
    known: Mapping[str, Member] | None = None,
    attributes: bool = True,
) -> dict[str, Sighting]:
    """Return the sightings of a group by member id; each must come once."""
    sightings = driver.sightings(group_id, member_ids, known=known, attributes=attributes)
    by_id = {sighting.member.member_id: sighting for sighting in sightings.members}
    assert len(by_id) == len(sightings.members), "a member was sighted twice in one look"
    assert all(sighting.member.group_id == group_id for sighting in sightings.members), (
        f"a look at group {group_id!r} shows members of other groups"
    )
    return by_id


def listed(driver: Driver, group_id: str = GROUP) -> set[str]:
    """Return the ids of all that the store calls members of a group."""
    sightings = seen(driver, group_id)
    left = [member_id for member_id, sighting in sightings.items() if has_left(sighting)]
    assert not left, f"members that left are listed among those that are there: {left}"
    return set(sightings)


def has_left(sighting: Sighting | None) -> bool:
    """Whether the store says that this member left, or does not know it at all."""
    return sighting is None or (sighting.ended is not None and sighting.ended.kind is EndKind.LEFT)


def states(store: Store, driver: Driver, group_id: str = GROUP) -> dict[str, State]:
    """Return the verdict on each member of a group, by the library's one judge."""
    limits = store.settings.limits
    look = driver.sightings(group_id)
    by_sightings = liveness.states({}, look.members, Witness(look.witnessed), limits)
    if type(driver).ages is not Driver.ages:
        ages = driver.ages(group_id)
        by_ages = liveness.states(ages.ages, ages.others, Witness(ages.witnessed), limits)
        assert by_ages == by_sightings, "ages and sightings lead to different verdicts"
    return by_sightings


def state(
    store: Store, driver: Driver, member_id: str = "m", group_id: str = GROUP
) -> State | None:
    """Return the verdict on one member; ``None`` where the store knows no such member."""
    return states(store, driver, group_id).get(member_id)


def told(lost: Iterable[Lost]) -> dict[str, Loss]:
    """Return what a call said of its members: {member id: loss}."""
    lost = list(lost)
    by_id = {one.member.member_id: one.loss for one in lost}
    assert len(by_id) == len(lost), f"a member was reported lost twice in one call: {lost}"
    return by_id


def beat_on(store: Store, beating: Mapping[Driver, list[Member]], seconds: float) -> None:
    """Let time pass while these instances beat without a break, the last time at the end."""
    step = min(store.settings.steady_gap, store.settings.service_down_time) / 2
    while seconds > 0:
        store.pass_time(min(step, seconds))
        seconds -= step
        for driver, members in beating.items():
            driver.heartbeat(driver.context.instance_id, members)


def silence(store: Store) -> float:
    """Return seconds after which a member that does not beat is beyond its limit for certain."""
    return store.settings.service_down_time * 1.1 + store.tolerance


def remembers(driver: Driver) -> bool:
    """Whether a crashed member has to stay listed."""
    return Capability.REMEMBERS in driver.capabilities
