"""``last_will``: what a guardian does in place of a process that died is what ``end`` does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from servicegroup.driver import Capability, Driver
from servicegroup.model import State
from servicegroup.testing.promises.abilities import needs
from servicegroup.testing.promises.ending import REASON, assert_ended
from servicegroup.testing.promises.watching import calls_of
from servicegroup.testing.scene import join, seen, state
from servicegroup.testing.store import Store
from servicegroup.will import LastWill

#: Beside every daemon of a fleet these would be too much.
LARGE = {"sqlalchemy", "oslo_config", "oslo_db", "oslo_utils", "stevedore", "pkg_resources"}
#: Prepares a will in a process that has imported nothing else, and tells what that took.
_PREPARE = """
import json, sys
from servicegroup.will import LastWill
LastWill(*json.load(sys.stdin)).prepared()
json.dump(sorted(sys.modules), sys.stdout)
"""


def will_of(driver: Driver) -> LastWill:
    """Return a driver's last will as it comes out of the pipe to a guardian; or skip."""
    will = driver.last_will(REASON)
    if will is None:
        pytest.skip("the driver offers no last will: no guardian can speak for its processes")
    return LastWill(*json.loads(json.dumps(will)))


def prepared(driver: Driver) -> Callable[[], None]:
    """Return what carries out a driver's last will."""
    return will_of(driver).prepared()


class Wills:
    """The promises of :meth:`servicegroup.driver.Driver.last_will`."""

    def test_a_will_carried_out_is_the_end_with_its_reason(self, store: Store) -> None:
        driver, other = store.driver(), store.driver()
        carry_out = prepared(driver)
        join(driver, "a"), join(driver, "b"), join(driver, "c", "other group")
        join(other, "other")
        carry_out()
        reader = store.driver()
        for member_id, group_id in (("a", "compute"), ("b", "compute"), ("c", "other group")):
            assert_ended(store, reader, member_id, group_id)
        assert state(store, reader, "other") is State.UP
        sighting = seen(reader).get("a")
        if sighting is not None and sighting.ended is not None:
            assert sighting.ended.reason == REASON

    def test_a_will_leaves_a_successor_alone(self, store: Store) -> None:
        older, newer = store.driver(), store.driver()
        carry_out = prepared(older)
        join(older), join(older, "alone")
        successor = join(newer)
        carry_out()
        assert seen(newer)["m"].member == successor
        assert state(store, newer) is State.UP
        assert newer.heartbeat(successor.instance_id, [successor]) == []
        assert_ended(store, newer, "alone")

    def test_a_will_may_be_carried_out_twice_and_for_nobody(self, store: Store) -> None:
        driver, gone = store.driver(), store.driver()
        carry_out = prepared(gone)
        carry_out()
        gone.leave([join(gone, "gone")])
        carry_out()
        assert seen(driver) == {}
        carry_out = prepared(driver)
        join(driver)
        carry_out()
        carry_out()
        assert_ended(store, gone, "m")

    def test_a_will_is_offered_before_the_start_and_after_the_stop(self, store: Store) -> None:
        driver = store.driver()
        before = will_of(driver)
        join(driver)
        driver.stop()
        assert will_of(driver) == before
        before.prepared()()
        assert_ended(store, store.driver(), "m")

    def test_a_will_carried_out_is_told_to_watches(self, store: Store) -> None:
        driver, other = store.driver(), store.driver()
        carry_out = prepared(driver)
        needs(other, Capability.WATCH)
        join(driver, "m"), join(driver, "m2")
        calls = calls_of(store, other)
        carry_out()
        calls.expect("m", "m2")

    def test_a_will_stays_light(self, store: Store) -> None:
        will = will_of(store.driver())
        done = subprocess.run(  # noqa: S603 - it is this interpreter
            [sys.executable, "-c", _PREPARE],
            input=json.dumps(will),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"it cannot be prepared: {done.stderr}"
        names = {name.partition(".")[0] for name in json.loads(done.stdout)}
        assert not names & LARGE, "too large to be in memory beside every daemon"
