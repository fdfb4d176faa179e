"""Evidence that nobody needs any more is removed; what is still needed is not."""

import time
import uuid

import pytest

from servicegroup.driver import Loss
from servicegroup.drivers.zookeeper import sweep
from servicegroup.testing import Store
from servicegroup.testing.scene import join, listed, member, seen, told


@pytest.fixture
def store(zookeeper):
    options = {"hosts": zookeeper.address, "root": f"/test-{uuid.uuid4()}", "session_timeout": 2.0}
    with Store("zookeeper", {"servicegroup_zookeeper": options}) as store:
        yield store


@pytest.fixture(autouse=True)
def a_few_are_many(monkeypatch):
    monkeypatch.setattr(sweep, "MANY", 3)


@pytest.fixture
def eventually():
    def eventually(condition):
        until = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.01)

    return eventually


def names(driver, *folder):
    root = driver._session._options.root
    return set(driver._session.children("/".join([root, *folder])))


def leave_four_graves(store):
    """Two that left by their own will, one that was removed, one that had a successor."""
    driver, operator = store.driver(), store.driver()
    held = [join(driver, one) for one in ("a", "b", "removed", "succeeded")]
    driver.leave(held[:2])
    operator.leave([held[2]])
    operator.leave([join(operator, "succeeded")])
    assert names(driver, "removed", "compute") == {"a", "b", "removed", "succeeded"}
    return driver, held


def test_nothing_young_is_removed(store):
    driver, _ = leave_four_graves(store)
    join(store.driver(), "joining")
    assert len(names(driver, "removed", "compute")) == 4


def test_nothing_is_looked_at_while_there_are_few(store, monkeypatch):
    driver, _ = leave_four_graves(store)
    monkeypatch.setattr(sweep, "MANY", 5)
    for kept in ("KEPT", "PEACEFUL_KEPT"):
        monkeypatch.setattr(sweep, kept, -60.0)
    join(store.driver(), "joining")
    assert len(names(driver, "removed", "compute")) == 4


def test_peaceful_graves_go_first(store, monkeypatch, eventually):
    driver, held = leave_four_graves(store)
    monkeypatch.setattr(sweep, "PEACEFUL_KEPT", -60.0)
    join(store.driver(), "joining")
    eventually(lambda: names(driver, "removed", "compute") == {"removed", "succeeded"})
    lost = told(driver.update(held[2:]))
    assert lost == {"removed": Loss.REMOVED, "succeeded": Loss.SUPERSEDED}


def test_all_graves_go_in_the_end(store, monkeypatch, eventually):
    driver, _ = leave_four_graves(store)
    for kept in ("KEPT", "PEACEFUL_KEPT"):
        monkeypatch.setattr(sweep, kept, -60.0)
    join(store.driver(), "joining")
    eventually(lambda: names(driver, "removed", "compute") == set())


def test_notes_go_with_the_last_member_that_needs_them(store, monkeypatch, eventually):
    monkeypatch.setattr(sweep, "NOTE_KEPT", -60.0)
    drivers = [store.driver() for _ in range(4)]
    for number, driver in enumerate(drivers):
        driver.join([member(driver, f"m{number}"), member(driver, f"n{number}", "other")])
        drivers[0].end(driver.context.instance_id, f"ended {number}")
    operator = store.driver()
    operator.leave([one.member for one in operator.sightings("compute").members])
    operator.leave([one.member for one in operator.sightings("other", ["n0", "n1"]).members])
    assert len(names(operator, "ended")) == 4
    join(store.driver(), "joining")
    kept = {driver.context.instance_id for driver in drivers[2:]}
    eventually(lambda: names(operator, "ended") == kept)
    assert listed(operator, "other") == {"n2", "n3"}
    assert seen(operator, "other")["n2"].ended.reason == "ended 2"
