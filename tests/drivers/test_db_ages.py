"""The cheapest look leads to the same verdicts as the whole one, whatever befell a member."""

import pytest
import sqlalchemy as sa

from servicegroup.db.tables import instances
from servicegroup.model import State
from servicegroup.testing.scene import GROUP, join, states


@pytest.fixture
def store(database_store):
    return database_store


def test_whatever_befell_a_member(store):
    operator = store.driver()
    drivers = {name: store.driver() for name in ("ended", "vanished", "rebooted", "left", "well")}
    held = {name: join(driver, name) for name, driver in drivers.items()}
    ill = join(drivers["well"], "ill")
    join(drivers["well"], "forced")
    drivers["well"].update([ill._replace(withdrawn="disk full", revision=1)])
    drivers["left"].leave([held["left"]])
    operator.end(held["ended"].instance_id, "died")
    operator.records.operator.set(GROUP, "forced", forced_down=True)
    rows = store.database
    lost = instances.c.instance_id == held["vanished"].instance_id
    rows.transaction(lambda connection: connection.execute(sa.delete(instances).where(lost)))
    before = instances.c.instance_id == held["rebooted"].instance_id
    change = sa.update(instances).where(before).values(boot_id="another boot")
    rows.transaction(lambda connection: connection.execute(change))

    assert states(store, operator) == {
        "ended": State.DOWN,
        "vanished": State.UNKNOWN,
        "rebooted": State.DOWN,
        "ill": State.DOWN,
        "forced": State.DOWN,
        "well": State.UP,
    }
    assert operator.ages(GROUP).ages.keys() == {"well"}


def test_an_ages_look_is_empty_where_the_group_is(store):
    look = store.driver().ages("nobody's")
    assert not look.ages
    assert not look.others


def test_a_clock_that_stepped_back_is_told_of_once(store, caplog):
    driver = store.driver()
    join(driver, "a")
    join(store.driver(), "b")
    store.pass_time(-3600.0)
    for _ in range(3):
        assert set(states(store, driver).values()) == {State.UP}
        assert driver.sightings(GROUP, ["a"]).members[0].age == 0.0
    assert [one.levelname for one in caplog.records if "stepped back" in one.message] == ["WARNING"]
