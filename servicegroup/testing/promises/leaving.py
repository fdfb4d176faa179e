"""``leave``: by the member's own will, or by an operator's, of which evidence stays behind."""

from __future__ import annotations

import pytest

from servicegroup.driver import Loss
from servicegroup.model import State
from servicegroup.testing.scene import (
    beat_on,
    has_left,
    join,
    listed,
    seen,
    silence,
    state,
    told,
)
from servicegroup.testing.store import Store


class Leaving:
    """The promises of :meth:`servicegroup.driver.Driver.leave`."""

    def test_who_leaves_is_gone_at_once(self, store: Store) -> None:
        driver, other = store.driver(), store.driver()
        held = [join(driver, "a"), join(driver, "b"), join(driver, "a", "other group")]
        driver.leave([held[0]])
        assert listed(other) == {"b"}
        assert has_left(seen(other, member_ids=["a"]).get("a"))
        assert listed(other, "other group") == {"a"}
        assert driver.heartbeat(driver.context.instance_id, held[1:]) == []

    def test_members_of_several_groups_leave_together(self, store: Store) -> None:
        driver = store.driver()
        held = [join(driver, "a"), join(driver, "b"), join(driver, "a", "other group")]
        driver.leave(held)
        assert listed(driver) == set()
        assert listed(driver, "other group") == set()
        assert driver.groups() == []

    def test_leaving_twice_is_leaving(self, store: Store) -> None:
        driver, operator = store.driver(), store.driver()
        held = join(driver)
        driver.leave([held])
        driver.leave([held])
        operator.leave([held])
        operator.leave([held._replace(member_id="never joined")])
        assert listed(driver) == set()

    def test_an_older_life_that_leaves_does_not_take_the_newer_with_it(self, store: Store) -> None:
        older, newer = store.driver(), store.driver()
        held = join(older)
        joined = join(newer)
        older.leave([held])
        assert seen(older)["m"].member == joined
        assert newer.heartbeat(joined.instance_id, [joined]) == []
        assert state(store, older) is State.UP

    def test_an_older_incarnation_of_the_same_instance_is_another_life(self, store: Store) -> None:
        driver = store.driver()
        first = join(driver)
        second = join(driver)
        driver.leave([first])
        assert seen(driver)["m"].member == second

    def test_who_was_removed_is_told_by_the_next_beat(self, store: Store) -> None:
        driver, operator = store.driver(), store.driver()
        held, kept = join(driver), join(driver, "kept")
        operator.leave([held])
        assert listed(operator) == {"kept"}
        (lost,) = driver.heartbeat(held.instance_id, [held, kept])
        assert (lost.member, lost.loss) == (held, Loss.REMOVED)
        assert driver.heartbeat(held.instance_id, [kept]) == []
        assert state(store, operator, "kept") is State.UP

    def test_group_member_instance_and_incarnation_are_enough_to_remove(self, store: Store) -> None:
        driver, operator = store.driver(), store.driver()
        held = join(driver)
        operator.leave([seen(operator, attributes=False)["m"].member])
        assert listed(operator) == set()
        assert told(driver.heartbeat(held.instance_id, [held])) == {"m": Loss.REMOVED}

    def test_a_reader_that_held_it_finds_that_it_was_removed(self, store: Store) -> None:
        driver, operator, reader = store.driver(), store.driver(), store.driver()
        held = join(driver)
        operator.leave([held])
        found = seen(reader, known={"m": held}).get("m")
        assert found is not None, "there is evidence: it did not merely vanish"
        assert has_left(found)

    @pytest.mark.parametrize("first", ["heartbeat", "update"])
    def test_a_paused_member_that_was_removed_stays_removed(self, store: Store, first: str) -> None:
        driver, operator = store.driver(), store.driver()
        held, witness = join(driver), join(operator, "witness")
        beat_on(store, {operator: [witness]}, silence(store))
        operator.leave([held])
        beat_on(store, {operator: [witness]}, 0.5 * store.settings.service_down_time)
        for call in (first, "heartbeat", "update", "heartbeat"):  # it wakes up
            if call == "update":
                lost = driver.update([held])
            else:
                lost = driver.heartbeat(held.instance_id, [held])
            assert told(lost) == {"m": Loss.REMOVED}
            assert listed(operator) == {"witness"}

    def test_a_removed_life_never_returns_over_its_successor(self, store: Store) -> None:
        first, second, third = store.driver(), store.driver(), store.driver()
        join(first)
        removed = join(second)
        third.leave([removed])
        successor = join(third)
        lost = told(second.update([removed]))
        assert set(lost) == {"m"}, "incarnations count on where a life was removed"
        assert lost["m"] in (Loss.REMOVED, Loss.SUPERSEDED)
        assert seen(first)["m"].member == successor
        lost = told(second.heartbeat(removed.instance_id, [removed]))
        assert set(lost.values()) <= {Loss.REMOVED, Loss.SUPERSEDED}
        assert third.heartbeat(successor.instance_id, [successor]) == []
