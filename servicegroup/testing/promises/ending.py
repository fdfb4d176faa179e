"""``end``: somebody saw the process die; its members are down at once, and stay members."""

from __future__ import annotations

from servicegroup.driver import Driver
from servicegroup.model import EndKind, State
from servicegroup.testing.scene import join, listed, remembers, seen, state, states
from servicegroup.testing.store import Store

REASON = "process ended without leaving"


def assert_ended(store: Store, driver: Driver, member_id: str, group_id: str = "compute") -> None:
    """Check that a member is down by evidence, or forgotten where the store does not remember."""
    sighting = seen(driver, group_id).get(member_id)
    if sighting is None:
        assert not remembers(driver), f"{member_id!r} of an ended instance is no longer listed"
        return
    assert sighting.ended is not None, f"nothing says that the life of {member_id!r} is over"
    assert sighting.ended.kind is EndKind.ENDED
    assert state(store, driver, member_id, group_id) is State.DOWN


class Ends:
    """The promises of :meth:`servicegroup.driver.Driver.end`."""

    def test_all_members_of_an_ended_instance_are_down_at_once(self, store: Store) -> None:
        driver, guardian = store.driver(), store.driver()
        join(driver, "a"), join(driver, "b"), join(driver, "c", "other group")
        other = join(guardian, "other")
        guardian.end(driver.context.instance_id, REASON)
        reader = store.driver()
        for member_id, group_id in (("a", "compute"), ("b", "compute"), ("c", "other group")):
            assert_ended(store, reader, member_id, group_id)
        assert state(store, reader, "other") is State.UP
        assert guardian.heartbeat(other.instance_id, [other]) == []

    def test_the_reason_is_told(self, store: Store) -> None:
        driver, guardian = store.driver(), store.driver()
        held = join(driver)
        guardian.end(driver.context.instance_id, REASON)
        sighting = seen(guardian).get("m")
        if sighting is None or sighting.ended is None:
            assert not remembers(guardian)
            return
        assert sighting.member == held
        assert sighting.ended.reason == REASON
        age = sighting.ended.age
        assert age is None or 0 <= age <= store.tolerance

    def test_a_successor_is_untouched(self, store: Store) -> None:
        older, newer, guardian = store.driver(), store.driver(), store.driver()
        join(older), join(older, "alone")
        successor = join(newer)
        guardian.end(older.context.instance_id, REASON)
        assert seen(guardian)["m"].member == successor
        assert state(store, guardian) is State.UP
        assert newer.heartbeat(successor.instance_id, [successor]) == []
        assert_ended(store, guardian, "alone")

    def test_ending_twice_is_ending(self, store: Store) -> None:
        driver, guardian = store.driver(), store.driver()
        join(driver)
        guardian.end(driver.context.instance_id, REASON)
        guardian.end(driver.context.instance_id, REASON)
        assert_ended(store, guardian, "m")

    def test_ending_who_is_not_there_does_nothing(self, store: Store) -> None:
        driver, gone = store.driver(), store.driver()
        held = join(driver)
        gone.leave([join(gone, "gone")])
        driver.end(gone.context.instance_id, REASON)
        driver.end("00000000-0000-4000-8000-000000000000", REASON)
        assert listed(driver) == {"m"}
        assert driver.heartbeat(held.instance_id, [held]) == []

    def test_who_ended_may_be_joined_anew(self, store: Store) -> None:
        driver, restarted = store.driver(), store.driver()
        join(driver)
        restarted.end(driver.context.instance_id, REASON)
        joined = join(restarted)
        assert seen(driver)["m"].member == joined
        assert states(store, driver) == {"m": State.UP}

    def test_an_update_or_join_of_an_ended_instance_is_a_sign_of_life(self, store: Store) -> None:
        for step, again in enumerate(("join", "update")):
            driver, guardian = store.driver(), store.driver()
            held = join(driver, f"m{step}")
            guardian.end(held.instance_id, REASON)
            if again == "join":
                join(driver, f"m{step}")
            else:
                assert driver.update([held._replace(revision=1)]) == []
            assert state(store, guardian, f"m{step}") is State.UP
