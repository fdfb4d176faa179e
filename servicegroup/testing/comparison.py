"""Holding what a driver shows against what the model expects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from servicegroup.driver import Driver
from servicegroup.liveness import Witness, judge, states
from servicegroup.model import Member, Sighting
from servicegroup.testing.expectation import Expectation, key_of, life
from servicegroup.testing.scene import has_left


def check_groups(model: Expectation, driver: Driver, group_ids: Iterable[str]) -> None:
    """Check the names of the groups that have members, *group_ids* being all there ever were."""
    members = {group_id: model.members(group_id) for group_id in group_ids}
    required = {group_id for group_id, (must, _) in members.items() if must}
    possible = {group_id for group_id, (_, may) in members.items() if may}
    groups = driver.groups()
    assert groups == sorted(groups), f"groups are not in order: {groups}"
    assert required <= set(groups) <= possible, f"groups are {groups}, right is {required}"


def check_group(
    model: Expectation, driver: Driver, group_id: str, known: Mapping[str, Member]
) -> dict[str, Member]:
    """Check one look at a group by a reader who knows *known*.

    :returns: the members seen, for the next look
    """
    look = driver.sightings(group_id, known=known)
    listed = {one.member.member_id: one for one in look.members if not has_left(one)}
    left = {one.member.member_id for one in look.members if has_left(one)}
    must, may = model.members(group_id)
    assert must <= set(listed) <= may, (
        f"group {group_id!r} lists {sorted(listed)}, right is {sorted(must)}"
    )
    assert left <= set(known), f"{left} left, but nobody asked for them"
    for member_id in set(known) - set(listed) - left:
        place = model.places.get((group_id, member_id))
        if place is not None and place.removed and model.kept(place):
            assert life(place.member) != life(known[member_id]), (
                f"nothing says that {known[member_id]} was removed"
            )
    for sighting in listed.values():
        _check(model, sighting, witnessed=look.witnessed)
    if type(driver).ages is not Driver.ages:
        _check_ages(model, driver, group_id)
    return {member_id: sighting.member for member_id, sighting in listed.items()}


def _check(model: Expectation, sighting: Sighting, *, witnessed: bool) -> None:
    member = sighting.member
    stored = model.places[key_of(member)].member
    assert member == stored, f"the store shows {member}, stored was {stored}"
    age = model.age(stored)
    if sighting.age is not None:
        assert abs(sighting.age - age) <= model.slack + 0.001, (
            f"the last beat of {member} is said to be {sighting.age} s old, not {age}"
        )
    elif sighting.ended is None:
        return  # presence is the proof: when it ends is up to the store
    limits = model.store.settings.limits
    verdict = judge(sighting.record, sighting, Witness(driver=witnessed), limits)
    right = model.states(stored)
    assert verdict.state in right, (
        f"{member} is {verdict.state} ({verdict.reason}), right is {right}: its last beat is "
        f"{age} s old, a witness is there: {model.witnessed()}"
    )


def _check_ages(model: Expectation, driver: Driver, group_id: str) -> None:
    look = driver.ages(group_id)
    limits = model.store.settings.limits
    verdicts = states(look.ages, look.others, Witness(driver=look.witnessed), limits)
    must, may = model.members(group_id)
    assert must <= set(verdicts) <= may, (
        f"ages of group {group_id!r} are of {sorted(verdicts)}, right is {sorted(must)}"
    )
    for member_id, verdict in verdicts.items():
        if look.ages.get(member_id, 0.0) is not None:
            right = model.states(model.places[group_id, member_id].member)
            assert verdict in right, f"{member_id!r} is {verdict} by its age, right is {right}"
