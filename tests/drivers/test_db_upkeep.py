"""What the db driver notices and clears by itself, and how few statements it takes."""

import pytest
import sqlalchemy as sa

from servicegroup.db import beat
from servicegroup.db.tables import instances, removed, services
from servicegroup.driver import Loss
from servicegroup.model import EndKind, State
from servicegroup.testing import FakeClock
from servicegroup.testing.scene import GROUP, join, listed, seen, state, told


@pytest.fixture
def clock(monkeypatch):
    """Replace the clock by which a process knows that a look is due."""
    clock = FakeClock()
    monkeypatch.setattr(beat, "boottime", clock)
    return clock


def execute(store, statement):
    return store.database.transaction(lambda connection: connection.execute(statement).rowcount)


def count(store, table):
    statement = sa.select(sa.func.count()).select_from(table)
    return store.database.read(lambda connection: connection.scalar(statement))


def test_a_row_that_was_lost_alone_is_noticed_within_the_limit(database_store, clock):
    driver = database_store.driver()
    held = [join(driver, "kept"), join(driver, "lost")]
    execute(database_store, sa.delete(services).where(services.c.member_id == "lost"))
    assert driver.heartbeat(driver.context.instance_id, held) == []
    clock.advance(database_store.settings.service_down_time + 1)
    for _ in range(2):
        lost = driver.heartbeat(driver.context.instance_id, held)
        assert told(lost) == {"lost": Loss.MISSING}
    assert driver.update(held[1:]) == []
    assert driver.heartbeat(driver.context.instance_id, held) == []
    assert listed(driver) == {"kept", "lost"}


def test_the_row_of_an_instance_that_was_lost_alone_proves_nothing(database_store):
    driver, reader = database_store.driver(), database_store.driver()
    held = join(driver)
    execute(database_store, sa.delete(instances))
    assert seen(reader)["m"].ended.kind is EndKind.VANISHED
    assert state(database_store, reader) is State.UNKNOWN
    assert driver.heartbeat(held.instance_id, [held]) == []
    assert state(database_store, reader) is State.UP


def test_an_instance_that_left_with_all_its_members_leaves_no_row(database_store):
    driver = database_store.driver()
    held = [join(driver, "a"), join(driver, "b")]
    driver.leave(held[:1])
    assert count(database_store, instances) == 1
    driver.leave(held[1:])
    assert count(database_store, instances) == 0


def test_silent_instances_without_members_are_swept(database_store):
    older, newer = database_store.driver(), database_store.driver()
    held = join(older)
    join(older, "kept by a silent one")
    other = database_store.driver()
    join(other, "taken")
    join(newer), join(newer, "taken")
    assert count(database_store, instances) == 3
    database_store.pass_time(2.5 * database_store.settings.service_down_time)
    sweeper = database_store.driver()
    join(sweeper, "sweeper")
    assert count(database_store, instances) == 3, "only the one without members is gone"
    assert listed(sweeper) == {"m", "kept by a silent one", "taken", "sweeper"}
    assert told(older.heartbeat(held.instance_id, [held])) == {"m": Loss.SUPERSEDED}


def test_graves_are_kept_for_long_but_not_for_ever(database_store):
    driver, operator = database_store.driver(), database_store.driver()
    held = join(driver)
    operator.records.operator.delete(GROUP, "m")
    database_store.pass_time(29 * 86400.0)
    join(database_store.driver(), "sweeper")
    assert told(driver.heartbeat(held.instance_id, [held])) == {"m": Loss.REMOVED}
    database_store.pass_time(2 * 86400.0)
    join(database_store.driver(), "sweeper")
    assert count(database_store, removed) == 0


@pytest.mark.parametrize("damaged", ["[" * 50_000, "{", "7"])
def test_damaged_attributes_cost_nobody_else_the_listing(database_store, damaged, caplog):
    driver = database_store.driver()
    join(driver, "well", attributes={"n": 1}), join(driver, "damaged")
    values = {services.c.attributes: damaged, services.c.flaps: damaged}
    statement = sa.update(services).where(services.c.member_id == "damaged")
    execute(database_store, statement.values(values))
    members = {one.member.member_id: one.member for one in driver.sightings(GROUP).members}
    assert (members["well"].attributes, members["damaged"].attributes) == ({"n": 1}, {})
    assert members["damaged"].flaps is None
    assert "attributes in the database are damaged and were left out" in caplog.text


def test_a_row_that_was_lost_between_two_tallies_is_noticed_within_the_limit(database_store, clock):
    driver, limit = database_store.driver(), database_store.settings.service_down_time
    held = [join(driver, "kept"), join(driver, "lost")]
    for _ in range(3):  # the first look adds up the rows, the next ones compare
        clock.advance(limit + 1)
        assert driver.heartbeat(driver.context.instance_id, held) == []
    execute(database_store, sa.delete(services).where(services.c.member_id == "lost"))
    clock.advance(limit + 1)
    lost = driver.heartbeat(driver.context.instance_id, held)
    assert told(lost) == {"lost": Loss.MISSING}
