"""``heartbeat``: one sign of life for all members of an instance, and what it brings back."""

from __future__ import annotations

from servicegroup.driver import Loss
from servicegroup.model import State
from servicegroup.testing.scene import (
    beat_on,
    has_left,
    join,
    listed,
    remembers,
    seen,
    silence,
    state,
    states,
    told,
)
from servicegroup.testing.store import Store

POSITIVE = {Loss.SUPERSEDED, Loss.REMOVED}


class Beating:
    """The promises of :meth:`servicegroup.driver.Driver.heartbeat`."""

    def test_one_beat_keeps_all_members_of_an_instance_up(self, store: Store) -> None:
        driver, other = store.driver(), store.driver()
        held = [join(driver, "a"), join(driver, "b"), join(driver, "c", "other group")]
        silent = join(other, "silent")
        beat_on(store, {driver: held}, silence(store))
        assert {key: state for key, state in states(store, other).items() if key != "silent"} == {
            "a": State.UP,
            "b": State.UP,
        }
        assert states(store, other, "other group") == {"c": State.UP}
        assert state(store, driver, "silent") in (State.DOWN, None)
        assert silent.instance_id != driver.context.instance_id

    def test_a_beat_of_members_that_are_well_returns_nothing(self, store: Store) -> None:
        driver = store.driver()
        held = [join(driver, "a"), join(driver, "b")]
        for _ in range(3):
            assert driver.heartbeat(driver.context.instance_id, held) == []
        assert driver.update([held[0]._replace(revision=1)]) == []
        assert driver.heartbeat(driver.context.instance_id, held) == []

    def test_a_beat_is_no_sign_of_life_of_others(self, store: Store) -> None:
        older, newer = store.driver(), store.driver()
        held, beating = join(older), join(older, "beating")
        join(newer)
        beat_on(store, {older: [held, beating]}, silence(store))
        assert state(store, older, "beating") is State.UP
        assert state(store, older, "m") in (State.DOWN, None), "its newer life is silent"

    def test_superseded_names_the_newer_life(self, store: Store) -> None:
        older, newer = store.driver(), store.driver()
        held, kept = join(older), join(older, "kept")
        joined = join(newer, hostname="host-2", process_id=12)
        (lost,) = older.heartbeat(held.instance_id, [kept, held])
        assert lost.loss is Loss.SUPERSEDED
        assert lost.member == held
        assert lost.by is not None, "a newer life that is still there is named"
        named = (lost.by.instance_id, lost.by.incarnation, lost.by.hostname, lost.by.process_id)
        assert named == (joined.instance_id, 2, "host-2", 12)

    def test_what_is_over_is_told_until_it_is_given_up(self, store: Store) -> None:
        older, newer = store.driver(), store.driver()
        held, kept, removed = (join(older, one) for one in ("m", "kept", "removed"))
        join(newer)
        newer.leave([removed])
        for _ in range(3):  # each answer but the last may have been lost on its way
            lost = told(older.heartbeat(held.instance_id, [held, kept, removed]))
            assert lost == {"m": Loss.SUPERSEDED, "removed": Loss.REMOVED}
        assert older.heartbeat(held.instance_id, [kept]) == []
        assert older.heartbeat(held.instance_id, [kept]) == []
        assert state(store, newer, "kept") is State.UP

    def test_a_successor_that_left_is_evidence_all_the_same(self, store: Store) -> None:
        older, newer = store.driver(), store.driver()
        held = join(older)
        newer.leave([join(newer)])
        lost = told(older.heartbeat(held.instance_id, [held]))
        assert set(lost) == {"m"}
        assert lost["m"] in POSITIVE, "it must not rise again where its successor left"
        assert set(told(older.update([held])).values()) <= POSITIVE
        assert listed(newer) == set()

    def test_several_lives_in_a_row(self, store: Store) -> None:
        drivers = [store.driver() for _ in range(4)]
        lives = [join(driver) for driver in drivers]
        assert [life.incarnation for life in lives] == [1, 2, 3, 4]
        for driver, life in zip(drivers[:-1], lives[:-1], strict=True):
            assert told(driver.heartbeat(life.instance_id, [life])) == {"m": Loss.SUPERSEDED}
        assert drivers[-1].heartbeat(lives[-1].instance_id, lives[-1:]) == []
        assert seen(drivers[0])["m"].member == lives[-1]

    def test_who_was_silent_for_long_rises_with_its_next_beat(self, store: Store) -> None:
        driver, other = store.driver(), store.driver()
        held, witness = join(driver), join(other, "witness")
        beat_on(store, {other: [witness]}, silence(store))
        assert state(store, other) in (State.DOWN, None)
        lost = driver.heartbeat(held.instance_id, [held])
        if remembers(driver):
            assert lost == [], "silence is no loss"
        elif lost:
            assert told(lost) == {"m": Loss.MISSING}
            assert driver.update([held]) == []
        assert state(store, other) is State.UP
        assert seen(other)["m"].member == held

    def test_an_ended_instance_that_beats_is_alive_again(self, store: Store) -> None:
        driver, guardian = store.driver(), store.driver()
        held = join(driver)
        guardian.end(held.instance_id, "process ended without leaving")
        assert state(store, guardian) in (State.DOWN, None)
        lost = driver.heartbeat(held.instance_id, [held])
        if remembers(driver):
            assert lost == [], "the end of an instance takes no member away from it"
        elif lost:
            assert told(lost) == {"m": Loss.MISSING}
            assert driver.update([held]) == []
        assert state(store, guardian) is State.UP
        assert not has_left(seen(guardian)["m"])
        assert driver.heartbeat(held.instance_id, [held]) == []
