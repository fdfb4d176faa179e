"""``join``: an intention, which may take over from an older life."""

from __future__ import annotations

from servicegroup.driver import Loss
from servicegroup.model import State
from servicegroup.testing.scene import GROUP, join, listed, member, seen, state, told
from servicegroup.testing.store import Store


class Joining:
    """The promises of :meth:`servicegroup.driver.Driver.join`."""

    def test_a_first_join_is_incarnation_one(self, store: Store) -> None:
        driver = store.driver()
        joined = join(driver)
        assert joined.incarnation == 1
        assert joined.instance_id == driver.context.instance_id
        assert state(store, driver) is State.UP, "a join is a first beat"

    def test_a_member_is_listed_as_it_was_stored(self, store: Store) -> None:
        joined = join(store.driver(), attributes={"zone": "b", "deep": [{"x": None}]}, revision=2)
        assert seen(store.driver())["m"].member == joined

    def test_members_come_back_in_the_order_given(self, store: Store) -> None:
        driver = store.driver()
        wanted = [
            member(driver, member_id, group_id, attributes={"at": place})
            for place, (group_id, member_id) in enumerate(
                [("b", "2"), ("a", "9"), ("b", "1"), ("a", "10"), ("c", "2")]
            )
        ]
        joined = driver.join(wanted)
        assert [one._replace(incarnation=0, started_at=None) for one in joined] == wanted
        assert listed(driver, "a") == {"9", "10"}
        assert listed(driver, "b") == {"1", "2"}
        assert listed(driver, "c") == {"2"}

    def test_started_at_is_the_stores_word(self, store: Store) -> None:
        driver = store.driver()
        first = join(driver, "first", started_at=86400.0).started_at
        second = join(driver, "second").started_at
        assert first is not None
        assert second is not None
        assert first > 1.6e9, "started_at is wall time in seconds since 1970, whatever came in"
        assert first <= second < first + 3600

    def test_joining_again_raises_the_incarnation(self, store: Store) -> None:
        driver = store.driver()
        assert join(driver).incarnation == 1
        assert join(driver, revision=4).incarnation == 2
        assert join(store.driver()).incarnation == 3

    def test_a_return_is_counted_and_a_good_leave_forgets_it(self, store: Store) -> None:
        assert join(store.driver()).flaps is None
        once = join(store.driver())
        assert once.flaps is not None
        assert (once.flaps.times, once.flaps.since) == (1, once.started_at)
        driver = store.driver()
        twice = join(driver)
        assert twice.flaps == (2, once.started_at, twice.started_at)
        assert seen(driver)["m"].member.flaps == twice.flaps
        driver.leave([twice])
        assert join(driver).flaps is None

    def test_the_later_life_is_the_one_that_is_seen(self, store: Store) -> None:
        older, newer = store.driver(), store.driver()
        join(older, hostname="host-1", attributes={"old": 1}, revision=7, withdrawn="ill")
        joined = join(newer, hostname="host-2", process_id=1, attributes={"new": 2})
        assert seen(older)["m"].member == joined
        assert state(store, older) is State.UP, "whatever was said of the older life is over"

    def test_the_older_life_is_told(self, store: Store) -> None:
        older, newer = store.driver(), store.driver()
        held = join(older)
        join(newer)
        assert told(older.heartbeat(held.instance_id, [held])) == {"m": Loss.SUPERSEDED}

    def test_fresh_and_held_members_join_together(self, store: Store) -> None:
        older, newer = store.driver(), store.driver()
        held = [join(older, "a"), join(older, "b"), join(older, "c")]
        joined = newer.join([member(newer, "d"), member(newer, "b")])
        assert [one.incarnation for one in joined] == [1, 2]
        assert told(older.heartbeat(held[0].instance_id, held)) == {"b": Loss.SUPERSEDED}
        owners = {key: one.member.instance_id for key, one in seen(older).items()}
        old, new = older.context.instance_id, newer.context.instance_id
        assert owners == {"a": old, "b": new, "c": old, "d": new}

    def test_a_thousand_members_join_in_one_call(self, store: Store) -> None:
        driver = store.driver()
        ids = [f"node-{number:04}" for number in range(1000)]
        joined = driver.join([member(driver, one, attributes={"id": one}) for one in ids])
        assert [one.member_id for one in joined] == ids
        sightings = seen(store.driver())
        assert {key: one.member.attributes for key, one in sightings.items()} == {
            one: {"id": one} for one in ids
        }
        assert driver.heartbeat(driver.context.instance_id, joined) == []
        driver.leave(joined)
        assert listed(driver) == set()

    def test_who_left_may_join_again(self, store: Store) -> None:
        driver = store.driver()
        driver.leave([join(driver)])
        again = join(driver, attributes={"second": True})
        assert seen(driver)["m"].member == again
        assert state(store, driver) is State.UP
        assert driver.heartbeat(again.instance_id, [again]) == []

    def test_who_was_removed_may_join_again(self, store: Store) -> None:
        driver, operator = store.driver(), store.driver()
        operator.leave([join(driver)])
        again = join(driver)
        assert driver.heartbeat(again.instance_id, [again]) == []
        assert driver.update([again]) == []
        assert listed(operator, GROUP) == {"m"}
