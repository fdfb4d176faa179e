"""A store that lost everything: nothing is inferred from it, and all of it is stored again."""

from __future__ import annotations

import pytest

from servicegroup.driver import Loss
from servicegroup.model import State
from servicegroup.testing.scene import GROUP, has_left, join, listed, seen, state, told
from servicegroup.testing.store import Store


def lose(store: Store) -> None:
    """Lose everything; skip where the store of this test cannot be made to."""
    if store.lose is None:
        pytest.skip("no way to make this store lose its contents was given (lose=)")
    store.lose()


class Losses:
    """Membership is a desired state: what the store lost is asserted again."""

    def test_what_was_lost_is_missing_not_removed(self, store: Store) -> None:
        driver = store.driver()
        held = [join(driver, "a"), join(driver, "b", "other group")]
        lose(store)
        lost = driver.heartbeat(driver.context.instance_id, held)
        assert told(lost) == {"a": Loss.MISSING, "b": Loss.MISSING}
        assert [one.member for one in lost] == held

    def test_it_is_missing_until_it_was_stored_again(self, store: Store) -> None:
        driver = store.driver()
        held = [join(driver, "a"), join(driver, "b")]
        lose(store)
        for _ in range(3):  # the update in between may have failed each time
            lost = driver.heartbeat(driver.context.instance_id, held)
            assert told(lost) == {"a": Loss.MISSING, "b": Loss.MISSING}
        assert driver.update([held[0]]) == []
        lost = driver.heartbeat(driver.context.instance_id, held)
        assert told(lost) == {"b": Loss.MISSING}
        assert driver.update([held[1]]) == []
        assert driver.heartbeat(driver.context.instance_id, held) == []

    def test_what_was_lost_is_stored_again_as_it_was(self, store: Store) -> None:
        driver, reader = store.driver(), store.driver()
        held = {one: join(driver, one, attributes={"id": one}) for one in ("a", "b", "c")}
        held["b"] = join(driver, "b", attributes={"second": True})
        lose(store)
        assert listed(reader) == set()
        assert reader.groups() == []
        assert driver.update(list(held.values())) == []
        assert {key: one.member for key, one in seen(reader).items()} == held
        assert driver.heartbeat(driver.context.instance_id, list(held.values())) == []
        assert state(store, reader) is None
        assert state(store, reader, "b") is State.UP

    def test_readers_find_no_evidence_of_leaving(self, store: Store) -> None:
        driver, reader = store.driver(), store.driver()
        held = join(driver)
        lose(store)
        for member_ids in (None, ["m"]):
            found = seen(reader, member_ids=member_ids, known={"m": held}).get("m")
            assert found is None or not has_left(found), "a loss looks like leaving"

    @pytest.mark.parametrize("first", ["older", "newer"])
    def test_two_lives_are_stored_again_in_any_order(self, store: Store, first: str) -> None:
        older, newer = store.driver(), store.driver()
        zombie = join(older, attributes={"life": 1})
        living = join(newer, attributes={"life": 2})
        lose(store)
        if first == "older":
            assert older.update([zombie]) == [], "it cannot know"
            assert seen(newer)["m"].member == zombie
            assert newer.update([living]) == [], "the newer life takes its place back"
        else:
            assert newer.update([living]) == []
            assert told(older.update([zombie])) == {"m": Loss.SUPERSEDED}
        assert seen(older)["m"].member == living
        assert set(told(older.heartbeat(zombie.instance_id, [zombie])).values()) <= {
            Loss.SUPERSEDED
        }
        assert told(older.update([zombie])) == {"m": Loss.SUPERSEDED}
        assert newer.heartbeat(living.instance_id, [living]) == []
        assert seen(older)["m"].member == living

    def test_the_zombie_that_came_first_is_told(self, store: Store) -> None:
        older, newer = store.driver(), store.driver()
        zombie, living = join(older), join(newer)
        lose(store)
        assert told(older.heartbeat(zombie.instance_id, [zombie])) == {"m": Loss.MISSING}
        assert older.update([zombie]) == []
        assert told(newer.heartbeat(living.instance_id, [living])) == {"m": Loss.MISSING}
        assert newer.update([living]) == []
        assert told(older.heartbeat(zombie.instance_id, [zombie])) == {"m": Loss.SUPERSEDED}
        assert newer.heartbeat(living.instance_id, [living]) == []

    def test_joins_go_on_after_a_loss(self, store: Store) -> None:
        driver, other = store.driver(), store.driver()
        held = join(driver, "kept")
        lose(store)
        joined = join(driver, "new")
        told_now = told(driver.heartbeat(driver.context.instance_id, [held, joined]))
        assert told_now == {"kept": Loss.MISSING}
        assert join(other).incarnation == 1
        assert driver.update([held]) == []
        assert listed(other, GROUP) == {"kept", "new", "m"}
        other.end(driver.context.instance_id, "died")
        assert state(store, other, "kept") in (State.DOWN, None)
