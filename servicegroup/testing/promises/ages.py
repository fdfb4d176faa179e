"""Ages by one clock, their boundary, and the witness that makes silence believable."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from servicegroup import liveness
from servicegroup.driver import Driver
from servicegroup.liveness import Witness
from servicegroup.model import State
from servicegroup.testing.scene import (
    GROUP,
    beat_on,
    join,
    remembers,
    seen,
    silence,
    state,
    states,
)
from servicegroup.testing.store import Store


def age_of(store: Store, member_id: str = "m") -> float:
    """Return the age of a member's sign of life; skip where presence is the proof of life."""
    driver = store.driver()
    sighting = seen(driver).get(member_id)
    if sighting is None and not remembers(driver):
        pytest.skip("this store forgets who is silent")
    assert sighting is not None
    if sighting.age is None:
        pytest.skip("in this store presence itself is the proof of life")
    return sighting.age


class Ages:
    """The promises of :class:`servicegroup.model.Sighting` about time."""

    def test_a_fresh_member_has_just_beaten(self, store: Store) -> None:
        join(store.driver())
        assert 0 <= age_of(store) <= store.tolerance

    def test_ages_grow_as_time_passes(self, store: Store) -> None:
        driver = store.driver()
        join(driver)
        step = store.settings.service_down_time / 4
        for passed in (step, 2 * step, 3 * step):
            store.pass_time(step)
            assert passed <= age_of(store) + 0.001
            assert age_of(store) <= passed + store.tolerance
            assert state(store, driver) is State.UP

    def test_a_beat_makes_the_age_nothing(self, store: Store) -> None:
        driver, other = store.driver(), store.driver()
        held, step = join(driver), store.settings.service_down_time / 2
        join(other, "other")
        store.pass_time(step)
        assert driver.heartbeat(held.instance_id, [held]) == []
        assert age_of(store) <= store.tolerance
        assert age_of(store, "other") >= step - 0.001

    def test_the_limit_is_within(self, store: Store) -> None:
        driver, limit = store.driver(), store.settings.service_down_time
        join(driver)
        if store.exact:
            store.pass_time(limit)
            assert age_of(store) == limit
            assert state(store, driver) is State.UP, "exactly the limit is within"
            store.pass_time(0.001)
            assert state(store, driver) is not State.UP, "beyond it is not"
        else:
            store.pass_time(limit - 2 * store.tolerance)
            assert age_of(store) <= limit
            assert state(store, driver) is State.UP
            store.pass_time(2 * store.tolerance + silence(store) - limit)
            assert state(store, driver) is not State.UP

    @pytest.mark.parametrize("hours", [1, -1])
    def test_ages_are_by_the_stores_clock(self, store: Store, hours: int) -> None:
        driver, other = store.driver(), store.driver()
        joined, updated = join(driver, "joined"), join(other, "updated")
        with wrong_wall_clock(hours):
            wrong = store.driver()
            join(wrong, "fresh")
            assert driver.heartbeat(driver.context.instance_id, [joined]) == []
            assert other.update([updated._replace(revision=1)]) == []
            assert set(states(store, wrong).values()) == {State.UP}
        assert set(states(store, store.driver()).values()) == {State.UP}
        for member_id in ("joined", "fresh", "updated"):
            assert 0 <= age_of(store, member_id) <= store.tolerance
        beat_on(store, {other: [updated]}, silence(store))
        with wrong_wall_clock(hours):
            for reader in (wrong, store.driver()):
                assert state(store, reader, "updated") is State.UP
                assert state(store, reader, "joined") in (State.DOWN, None)

    def test_the_stores_clock_runs_forward_in_seconds(self, store: Store) -> None:
        driver = store.driver()
        join(driver)
        began, first = time.monotonic(), driver.sightings(GROUP).clock
        if not store.exact:
            time.sleep(0.3)
        second, ended = driver.sightings(GROUP).clock, time.monotonic()
        if first is None or second is None:
            pytest.skip("this store has no clock of its own")
        least = 0.0 if store.exact else 0.2
        assert least <= second - first <= ended - began + 0.1

    def test_since_counts_from_the_last_change_to_up(self, store: Store) -> None:
        driver = store.driver()
        held = join(driver)
        assert since(store) <= store.tolerance
        span = silence(store)
        beat_on(store, {driver: [held]}, span)
        least = span - 0.001 - driver.resolution
        assert least <= since(store) <= span + 2 * store.tolerance
        assert driver.update([held._replace(attributes={"changed": 1}, revision=1)]) == []
        assert since(store) >= least, "a change of attributes is no change to up"

    @pytest.mark.parametrize("how", ["silent", "withdrawn", "ended", "joined"])
    def test_since_counts_anew_after_a_time_down(self, store: Store, how: str) -> None:
        driver, other = store.driver(), store.driver()
        held = join(driver)
        since(store)
        beat_on(store, {driver: [held]}, silence(store))
        if how == "silent":
            store.pass_time(silence(store))
        elif how == "withdrawn":
            assert driver.update([held._replace(withdrawn="ill", revision=1)]) == []
            assert driver.update([held._replace(revision=2)]) == []
        elif how == "ended":
            other.end(held.instance_id, "died")
        else:
            held = join(driver)
        driver.heartbeat(held.instance_id, [held])
        assert state(store, other) is State.UP
        assert since(store) <= store.tolerance


class Witnesses:
    """The promises of :class:`servicegroup.driver.Sightings` about silence."""

    def test_a_witness_makes_silence_believable(self, store: Store) -> None:
        silent, steady = store.driver(), store.driver()
        join(silent)
        witness = join(steady, "steady", "another group")
        beat_on(store, {steady: [witness]}, silence(store))
        age_of(store)
        assert silent.sightings(GROUP).witnessed
        assert silent.sightings(GROUP, ["m"]).witnessed
        assert silent.sightings(GROUP, attributes=False).witnessed
        assert state(store, silent) is State.DOWN

    def test_a_beat_without_members_bears_witness(self, store: Store) -> None:
        silent, bystander = store.driver(), store.driver()
        join(silent)
        age_of(store)
        store.pass_time(silence(store))
        bystander.heartbeat(bystander.context.instance_id, [])
        assert not bystander.sightings(GROUP).witnessed, "it has only begun to beat"
        beat_on(store, {bystander: []}, silence(store))
        assert bystander.sightings(GROUP).witnessed
        assert state(store, bystander) is State.DOWN
        assert bystander.groups() == [GROUP]

    def test_nobody_was_heard_so_nobody_is_dead(self, store: Store) -> None:
        drivers = [store.driver() for _ in range(3)]
        members = {driver: [join(driver, f"m{n}")] for n, driver in enumerate(drivers)}
        beat_on(store, members, silence(store))
        store.pass_time(silence(store))  # the store is away, for all of them
        age_of(store, "m0")
        assert not drivers[0].sightings(GROUP).witnessed
        assert set(states(store, drivers[0]).values()) == {State.UNKNOWN}

    def test_who_has_just_resumed_is_no_witness(self, store: Store) -> None:
        early, late = store.driver(), store.driver()
        members = {early: [join(early, "early")], late: [join(late, "late")]}
        beat_on(store, members, silence(store))
        store.pass_time(silence(store))
        early.heartbeat(early.context.instance_id, members[early])
        age_of(store, "late")
        known = {"late": members[late][0]}
        assert not late.sightings(GROUP).witnessed
        assert not late.sightings(GROUP, known=known).witnessed
        assert states(store, late) == {"early": State.UP, "late": State.UNKNOWN}
        joined = join(store.driver(), "newcomer")
        assert state(store, late, "late") is State.UNKNOWN, "nor is who has just joined"
        assert joined.incarnation == 1
        beat_on(store, {early: members[early]}, silence(store))
        assert late.sightings(GROUP).witnessed, "but in time it becomes one"
        assert late.sightings(GROUP, known=known).witnessed
        assert state(store, late, "late") is State.DOWN

    def test_who_ended_is_no_witness(self, store: Store) -> None:
        silent, steady, guardian = store.driver(), store.driver(), store.driver()
        join(silent)
        witness = join(steady, "steady")
        beat_on(store, {steady: [witness]}, silence(store))
        age_of(store)
        guardian.end(witness.instance_id, "died")
        assert not guardian.sightings(GROUP).witnessed
        assert state(store, guardian) is State.UNKNOWN


class Verdicts:
    """The promises of :meth:`servicegroup.driver.Driver.ages`."""

    def test_a_look_for_verdicts_alone_says_the_same(self, store: Store) -> None:
        driver, silent, ended = store.driver(), store.driver(), store.driver()
        held = [join(driver, one) for one in ("up", "left", "removed", "taken", "withdrawn")]
        join(silent, "silent"), join(ended, "ended"), join(driver, "elsewhere", "another group")
        driver.leave(held[1:2])
        silent.leave(held[2:3])
        successor = join(silent, "taken")
        withdrawn = held[4]._replace(withdrawn="ill", revision=1)
        assert driver.update([withdrawn]) == []
        self._agree(store, driver)
        silent.end(ended.context.instance_id, "died")
        self._agree(store, driver)
        beat_on(store, {driver: [held[0], withdrawn]}, silence(store))
        self._agree(store, driver)
        silent.heartbeat(successor.instance_id, [successor])
        self._agree(store, driver)
        assert driver.ages("no such group") == driver.ages("no such group either")

    def _agree(self, store: Store, driver: Driver) -> None:
        look = driver.ages(GROUP)
        assert not set(look.ages).intersection(one.member.member_id for one in look.others)
        witness = Witness(driver=look.witnessed)
        alone = liveness.states(look.ages, look.others, witness, store.settings.limits)
        assert alone == states(store, driver)


def since(store: Store, member_id: str = "m") -> float:
    """Return since when a member is up; skip where the store does not keep it."""
    seconds = seen(store.driver())[member_id].since
    if seconds is None:
        pytest.skip("this store does not keep since when a member is up")
    return seconds


@contextlib.contextmanager
def wrong_wall_clock(hours: int) -> Iterator[None]:
    """Set the wall clock of this process ahead or back by whole hours."""
    with pytest.MonkeyPatch.context() as patch:
        for name, second in (("time", 1), ("time_ns", 10**9)):
            patch.setattr(time, name, _skewed(getattr(time, name), hours * 3600 * second))
        yield


def _skewed(clock: Callable[[], float], by: float) -> Callable[[], float]:
    return lambda: clock() + by
