"""``update``: a repair or a change, which never overwrites a newer life."""

from __future__ import annotations

import pytest

from servicegroup.driver import Loss
from servicegroup.model import EndKind, State
from servicegroup.testing.scene import beat_on, join, listed, member, seen, state, told
from servicegroup.testing.store import Store


class Updating:
    """The promises of :meth:`servicegroup.driver.Driver.update`."""

    def test_update_stores_what_is_absent(self, store: Store) -> None:
        driver = store.driver()
        wanted = member(driver, incarnation=7, revision=3, started_at=1.7e9)
        assert driver.update([wanted]) == []
        assert seen(store.driver())["m"].member == wanted, "with the incarnation that it has"
        assert state(store, driver) is State.UP

    def test_update_replaces_the_whole_description(self, store: Store) -> None:
        driver = store.driver()
        joined = join(driver, attributes={"kept?": "no", "both": 1})
        changed = joined._replace(
            attributes={"both": 2}, name="n", hostname="h", process_id=5, version=9, revision=1
        )
        assert driver.update([changed]) == []
        assert seen(store.driver())["m"].member == changed

    def test_update_takes_over_from_a_lower_incarnation(self, store: Store) -> None:
        lower, higher = store.driver(), store.driver()
        held = join(lower)
        wanted = member(higher, incarnation=2, started_at=1.7e9)
        assert higher.update([wanted]) == []
        assert seen(lower)["m"].member == wanted
        assert told(lower.heartbeat(held.instance_id, [held])) == {"m": Loss.SUPERSEDED}

    def test_update_never_overwrites_a_newer_life(self, store: Store) -> None:
        older, newer = store.driver(), store.driver()
        held = join(older)
        joined = join(newer, hostname="host-2", process_id=12)
        (lost,) = older.update([held._replace(attributes={"zombie": True}, revision=99)])
        assert (lost.member.member_id, lost.loss) == ("m", Loss.SUPERSEDED)
        assert seen(older)["m"].member == joined
        assert newer.heartbeat(joined.instance_id, [joined]) == []
        assert lost.by is not None, "a newer life that is still there is named"
        named = (lost.by.instance_id, lost.by.incarnation, lost.by.hostname, lost.by.process_id)
        assert named == (joined.instance_id, 2, "host-2", 12)

    def test_of_two_lives_with_one_incarnation_the_stored_one_stays(self, store: Store) -> None:
        first, second = store.driver(), store.driver()
        joined = join(first)
        other = member(second, incarnation=joined.incarnation, attributes={"other": True})
        assert told(second.update([other])) == {"m": Loss.SUPERSEDED}
        assert seen(second)["m"].member == joined

    def test_an_older_incarnation_of_the_same_instance_is_an_older_life(self, store: Store) -> None:
        driver = store.driver()
        first = join(driver)
        second = join(driver, attributes={"second": True})
        assert told(driver.update([first._replace(revision=9)])) == {"m": Loss.SUPERSEDED}
        assert seen(driver)["m"].member == second
        assert driver.heartbeat(second.instance_id, [second]) == []

    def test_update_never_overwrites_a_higher_revision(self, store: Store) -> None:
        driver = store.driver()
        joined = join(driver)
        newest = joined._replace(attributes={"revision": 2}, revision=2)
        assert driver.update([newest]) == []
        late = joined._replace(attributes={"revision": 1}, revision=1)
        assert driver.update([late]) == [], "it is merely late, its life goes on"
        assert seen(driver)["m"].member == newest

    def test_a_member_that_was_removed_is_not_stored_again(self, store: Store) -> None:
        driver, operator = store.driver(), store.driver()
        joined = join(driver)
        operator.leave([joined])
        assert told(driver.update([joined._replace(revision=1)])) == {"m": Loss.REMOVED}
        assert listed(operator) == set()

    def test_only_those_that_were_not_stored_are_returned(self, store: Store) -> None:
        older, newer = store.driver(), store.driver()
        held = [join(older, one) for one in "abc"]
        join(newer, "a")
        newer.leave([held[2]])
        changed = [one._replace(attributes={"changed": True}, revision=1) for one in held]
        fresh = member(older, "d", incarnation=1)
        lost = older.update([*changed, fresh])
        assert told(lost) == {"a": Loss.SUPERSEDED, "c": Loss.REMOVED}
        sightings = seen(newer)
        assert sightings["b"].member == changed[1]
        assert set(sightings) == {"a", "b", "d"}

    def test_update_leaves_other_members_alone(self, store: Store) -> None:
        driver, other = store.driver(), store.driver()
        joined = join(driver)
        others = [join(driver, "m2"), join(driver, "m", "other group"), join(other, "m3")]
        assert driver.update([joined._replace(attributes={}, revision=1)]) == []
        assert [seen(driver)[one].member for one in ("m2", "m3")] == [others[0], others[2]]
        assert seen(driver, "other group")["m"].member == others[1]

    def test_update_is_a_beat(self, store: Store) -> None:
        driver, other = store.driver(), store.driver()
        joined, witness = join(driver), join(other, "witness")
        down = store.settings.service_down_time
        beat_on(store, {other: [witness]}, 0.6 * down)
        assert driver.update([joined]) == []
        beat_on(store, {other: [witness]}, 0.6 * down)
        assert state(store, other) is State.UP

    def test_a_withdrawn_member_is_down_while_its_process_beats(self, store: Store) -> None:
        driver = store.driver()
        joined, well = join(driver), join(driver, "well")
        withdrawn = joined._replace(withdrawn="disk is full: 0 % left", revision=1)
        assert driver.update([withdrawn]) == []
        assert driver.heartbeat(joined.instance_id, [withdrawn, well]) == []
        sighting = seen(store.driver())["m"]
        assert sighting.member == withdrawn
        assert sighting.ended is not None
        assert sighting.ended.kind is EndKind.WITHDRAWN
        assert sighting.ended.reason == "disk is full: 0 % left"
        assert state(store, driver, "m") is State.DOWN
        assert state(store, driver, "well") is State.UP

    @pytest.mark.parametrize("how", ["update", "join"])
    def test_a_withdrawn_member_recovers(self, store: Store, how: str) -> None:
        driver = store.driver()
        withdrawn = join(driver)._replace(withdrawn="ill", revision=1)
        assert driver.update([withdrawn]) == []
        if how == "update":
            recovered = withdrawn._replace(withdrawn=None, revision=2)
            assert driver.update([recovered]) == []
        else:
            recovered = join(driver)
        assert seen(driver)["m"].member == recovered
        assert seen(driver)["m"].ended is None
        assert state(store, driver) is State.UP
