"""The record outlives the membership: what the operator said is taken up by the next join."""

import pytest

from servicegroup.driver import Loss
from servicegroup.exceptions import NoSuchService
from servicegroup.model import EndKind, State
from servicegroup.testing.scene import GROUP, join, listed, seen, state, told


@pytest.fixture
def store(database_store):
    return database_store


def record(driver, member_id="m"):
    """Return the record, also of who left."""
    (sighting,) = driver.records.sight.sightings(GROUP, [member_id]).members
    return sighting.record


def leaves(how, driver, operator, held):
    if how == "own":
        driver.leave([held])
    elif how == "foreign":
        operator.leave([held])
    elif how == "superseded":
        join(operator)
        operator.leave([seen(operator)["m"].member])


ENDS = pytest.mark.parametrize("how", ["own", "foreign", "superseded", "not at all"])


@ENDS
def test_disabled_stays_disabled(store, how):
    driver, operator = store.driver(), store.driver()
    held = join(driver)
    before = record(operator)
    operator.records.operator.set(GROUP, "m", disabled=True, disabled_reason="maintenance")
    leaves(how, driver, operator, held)
    if how != "not at all":
        assert listed(operator) == set()
        gone = record(operator)
        assert (gone.disabled, gone.disabled_reason) == (True, "maintenance")
        assert gone.left_at >= gone.created_at
    join(store.driver())
    after = record(operator)
    assert (after.uuid, after.created_at) == (before.uuid, before.created_at)
    assert (after.disabled, after.disabled_reason) == (True, "maintenance")
    assert after.left_at is None
    assert state(store, operator) is State.UP, "disabled says nothing of its life"


@ENDS
def test_forced_down_stays_forced_down(store, how):
    driver, operator = store.driver(), store.driver()
    held = join(driver)
    before = record(operator)
    operator.records.operator.set(GROUP, "m", forced_down=True, forced_down_reason="fenced")
    forced_at = record(operator).forced_down_at
    leaves(how, driver, operator, held)
    joined = join(store.driver())
    after = record(operator)
    assert after.uuid == before.uuid
    assert (after.forced_down, after.forced_down_reason) == (True, "fenced")
    assert after.forced_down_at == forced_at
    assert state(store, operator) is State.DOWN
    assert operator.update([joined._replace(revision=1)]) == []
    assert record(operator).forced_down
    operator.records.operator.set(GROUP, "m", forced_down=False)
    assert state(store, operator) is State.UP
    assert record(operator).forced_down_reason is None


def test_who_left_keeps_when_and_whether_it_was_seen(store):
    driver = store.driver()
    driver.leave([join(driver)])
    (sighting,) = driver.sightings(GROUP, ["m"]).members
    assert sighting.ended.kind is EndKind.LEFT
    assert 0 <= sighting.ended.age < 60
    assert sighting.record.left_at is not None


def test_a_deleted_record_is_gone_and_its_member_removed(store):
    driver, operator = store.driver(), store.driver()
    held, kept = join(driver), join(driver, "kept")
    before = record(operator)
    operator.records.operator.delete(GROUP, "m")
    assert seen(operator, member_ids=["m"]) == {}
    assert told(driver.heartbeat(held.instance_id, [held, kept])) == {"m": Loss.REMOVED}
    assert told(driver.update([held])) == {"m": Loss.REMOVED}
    found = seen(operator, known={"m": held, "kept": kept})
    assert found["m"].ended.kind is EndKind.LEFT, "a tombstone is evidence for readers"
    assert found["kept"].ended is None
    with pytest.raises(NoSuchService):
        operator.records.operator.delete(GROUP, "m")
    joined = join(store.driver())
    assert joined.incarnation == held.incarnation + 1, "a grave counts on"
    assert record(operator).uuid != before.uuid
    assert told(driver.update([held])).keys() == {"m"}
    assert seen(operator)["m"].member == joined


def test_a_record_deleted_again_and_again_never_lets_an_old_life_return(store):
    drivers = [store.driver() for _ in range(3)]
    operator, lives = store.driver(), []
    for driver in drivers:
        lives.append(join(driver))
        operator.records.operator.delete(GROUP, "m")
    assert [life.incarnation for life in lives] == [1, 2, 3]
    joined = join(operator)
    for driver, life in zip(drivers, lives, strict=True):
        assert told(driver.update([life])).keys() == {"m"}
        assert told(driver.heartbeat(life.instance_id, [life])).keys() == {"m"}
    assert seen(operator)["m"].member == joined
    assert operator.heartbeat(joined.instance_id, [joined]) == []


def test_versions_of_those_that_are_there(store):
    driver, operator = store.driver(), store.driver()
    assert operator.records.operator.version_range(GROUP) is None
    held = [join(driver, f"m{version}", version=version) for version in (3, 5, 9)]
    assert operator.records.operator.version_range(GROUP) == (3, 9)
    driver.leave(held[:1])
    operator.records.operator.set(GROUP, "m9", forced_down=True)
    assert operator.records.operator.version_range(GROUP) == (5, 5)
