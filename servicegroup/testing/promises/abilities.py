"""What is promised must work, what is not must refuse; and a driver can be stopped and started."""

from __future__ import annotations

import uuid

import pytest

from servicegroup.door import Door
from servicegroup.driver import Capability, Context, Driver
from servicegroup.exceptions import NotSupported
from servicegroup.model import State
from servicegroup.testing.scene import GROUP, join, listed, member, seen, silence, state
from servicegroup.testing.store import Store


def needs(driver: Driver, capability: Capability) -> None:
    """Skip a test of what this driver does not promise."""
    if capability not in driver.capabilities:
        pytest.skip(f"the driver does not promise {capability.name}")


class Abilities:
    """Each :class:`servicegroup.driver.Capability` both ways, and the client's life."""

    def test_watching_works_or_refuses(self, store: Store) -> None:
        driver = store.driver()
        door = Door("tested", driver)
        if Capability.WATCH in driver.capabilities:
            stop = door.watch(GROUP, lambda _: None)
            stop()
            return
        with pytest.raises(NotSupported):
            door.watch(GROUP, lambda _: None)
        with pytest.raises(NotImplementedError):
            driver.watch(GROUP, lambda _: None)

    def test_writing_works_or_refuses(self, store: Store) -> None:
        driver = store.driver()
        door = Door("tested", driver)
        one = member(driver)
        if Capability.READ_ONLY not in driver.capabilities:
            (joined,) = door.join([one])
            assert door.update([joined]) == []
            assert door.heartbeat(joined.instance_id, [joined]) == []
            door.end(joined.instance_id, "died")
            door.leave([joined])
            assert door.sightings(GROUP).members == []
            return
        for refused in (
            lambda: door.join([one]),
            lambda: door.update([one]),
            lambda: door.heartbeat(one.instance_id, [one]),
            lambda: door.leave([one]),
            lambda: door.end(one.instance_id, "died"),
        ):
            with pytest.raises(NotSupported):
                refused()

    def test_a_crashed_member_stays_listed_where_the_store_remembers(self, store: Store) -> None:
        driver, reader = store.driver(), store.driver()
        needs(driver, Capability.REMEMBERS)
        held = join(driver)
        driver.stop()
        for _ in range(1 if store.age is None else 3):
            store.pass_time(silence(store))
            assert seen(reader)["m"].member == held
        assert reader.groups() == [GROUP]
        assert state(store, reader) is not State.UP

    def test_records_come_with_the_sightings_or_not_at_all(self, store: Store) -> None:
        driver = store.driver()
        join(driver)
        for attributes in (True, False):
            record = seen(driver, attributes=attributes)["m"].record
            if Capability.RECORDS in driver.capabilities:
                assert record is not None
                assert uuid.UUID(record.uuid).hex
                assert (record.disabled, record.forced_down, record.left_at) == (False, False, None)
            else:
                assert record is None, "without RECORDS the core reads the records itself"

    def test_stopping_ends_no_membership(self, store: Store) -> None:
        driver, other = store.driver(), store.driver()
        held = join(driver)
        driver.stop()
        driver.stop()
        assert state(store, other) is State.UP
        driver.start()
        driver.start()
        assert driver.heartbeat(held.instance_id, [held]) == []
        assert driver.update([held._replace(revision=1)]) == []
        assert listed(driver) == {"m"}
        driver.leave([held])
        assert listed(other) == set()

    def test_a_driver_that_was_never_started_can_be_stopped(self, store: Store) -> None:
        driver = store.kind(Context(store.conf, store.settings, str(uuid.uuid4())))
        driver.stop()
        driver.start()
        assert listed(driver) == set()
        driver.stop()

    def test_another_client_of_the_same_instance_goes_on(self, store: Store) -> None:
        driver = store.driver()
        held = join(driver)
        driver.stop()
        again = store.driver(held.instance_id)
        assert again.heartbeat(held.instance_id, [held]) == []
        assert again.update([held._replace(revision=1)]) == []
        again.leave([held])
        assert listed(again) == set()
