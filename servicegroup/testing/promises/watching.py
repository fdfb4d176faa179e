"""``watch``: a call for every kind of change, soon; too many calls are fine, missed ones not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection

import pytest

from servicegroup.driver import Capability, Driver
from servicegroup.model import Member
from servicegroup.testing.promises.abilities import needs
from servicegroup.testing.scene import GROUP, WATCH_DEADLINE, beat_on, join, member, silence
from servicegroup.testing.store import Store

#: Seconds without a call after which a new watch is taken to have told all it had to tell.
QUIET = 0.3


class Calls:
    """What a watch was called with."""

    def __init__(self) -> None:
        self._called = threading.Condition()
        self._ids: list[Collection[str] | None] = []

    def __call__(self, member_ids: Collection[str] | None) -> None:
        with self._called:
            self._ids.append(None if member_ids is None else list(member_ids))
            self._called.notify_all()

    def expect(self, *member_ids: str) -> None:
        """Wait until all of these were named, or anything."""
        with self._called:
            if not self._called.wait_for(lambda: self._covers(member_ids), WATCH_DEADLINE):
                raise AssertionError(
                    f"no call about {member_ids} within {WATCH_DEADLINE} s, only {self._ids}"
                )

    def settle(self) -> None:
        """Wait until no more calls come, and forget them."""
        with self._called:
            while self._called.wait(QUIET):
                pass
            self._ids.clear()

    @property
    def count(self) -> int:
        """How many calls came since they were last forgotten."""
        with self._called:
            return len(self._ids)

    def _covers(self, member_ids: Collection[str]) -> bool:
        named = {one for ids in self._ids if ids is not None for one in ids}
        return None in self._ids or named.issuperset(member_ids)


class Watching:
    """The promises of :meth:`servicegroup.driver.Driver.watch`."""

    @pytest.mark.parametrize("change", ["join", "supersede", "update", "withdraw", "leave"])
    def test_what_members_do_is_told(self, store: Store, change: str) -> None:
        driver, newer = store.driver(), store.driver()
        held = join(driver)
        calls = calls_of(store, driver)
        if change == "join":
            join(driver, "m2")
            calls.expect("m2")
            return
        if change == "supersede":
            join(newer)
        elif change == "update":
            assert driver.update([held._replace(attributes={}, revision=1)]) == []
        elif change == "withdraw":
            assert driver.update([held._replace(withdrawn="ill", revision=1)]) == []
        else:
            driver.leave([held])
        calls.expect("m")

    @pytest.mark.parametrize("change", ["remove", "end"])
    def test_what_others_do_to_them_is_told(self, store: Store, change: str) -> None:
        driver, other = store.driver(), store.driver()
        held = [join(driver, "m"), join(driver, "m2")]
        calls = calls_of(store, other)
        if change == "remove":
            other.leave(held)
        else:
            other.end(driver.context.instance_id, "died")
        calls.expect("m", "m2")

    @pytest.mark.parametrize("after", ["end", "silence"])
    @pytest.mark.parametrize("by", ["heartbeat", "update"])
    def test_who_rises_again_is_told(self, store: Store, after: str, by: str) -> None:
        driver, other = store.driver(), store.driver()
        held = [join(driver, "m"), join(driver, "m2")]
        witness = join(other, "witness", "another group")
        calls = calls_of(store, other)
        if after == "end":
            other.end(driver.context.instance_id, "died")
            calls.expect("m", "m2")
        else:
            beat_on(store, {other: [witness]}, silence(store))
        calls.settle()
        if by == "update":
            assert driver.update(held[:1]) == []
        lost = driver.heartbeat(driver.context.instance_id, held)
        assert driver.update([one.member for one in lost]) == []
        calls.expect("m", "m2")

    def test_every_watch_is_called(self, store: Store) -> None:
        driver, other = store.driver(), store.driver()
        all_calls = [calls_of(store, driver), calls_of(store, driver), calls_of(store, other)]
        join(store.driver())
        for calls in all_calls:
            calls.expect("m")

    def test_many_changes_at_once_are_told(self, store: Store) -> None:
        driver = store.driver()
        calls = calls_of(store, driver)
        ids = [f"a member with a rather long name, number {number}" for number in range(500)]
        joined = driver.join([member(driver, one) for one in ids])
        calls.expect(*ids)
        calls.settle()
        driver.leave(joined)
        calls.expect(*ids)

    def test_odd_ids_are_told_as_they_are(self, store: Store) -> None:
        driver = store.driver()
        odd = "é😀 '\"/%2F.\n" + "😀" * 200
        calls = calls_of(store, driver, odd)
        join(driver, odd, odd)
        calls.expect(odd)

    def test_what_a_call_is_about_can_be_read(self, store: Store) -> None:
        driver, called = store.driver(), threading.Event()
        needs(driver, Capability.WATCH)
        stop = driver.watch(GROUP, lambda _: called.set())
        joined = join(store.driver())
        until, found = time.monotonic() + WATCH_DEADLINE, False
        while not found and time.monotonic() < until:
            called.wait(until - time.monotonic())
            called.clear()
            found = joined in [one.member for one in driver.sightings(GROUP).members]
        stop()
        assert found, "no call came after the change could be read"

    def test_after_its_end_a_watch_is_called_no_more(self, store: Store) -> None:
        driver = store.driver()
        needs(driver, Capability.WATCH)
        ended, calls = Calls(), calls_of(store, driver)
        stop: Callable[[], None] = driver.watch(GROUP, ended)
        join(driver, "before")
        ended.expect("before")
        stop()
        ended.settle()
        join(driver, "after")
        calls.expect("after")
        time.sleep(QUIET)
        assert ended.count == 0


def calls_of(store: Store, driver: Driver, group_id: str = GROUP) -> Calls:
    """Watch a group, and wait until the watch is in place and quiet."""
    needs(driver, Capability.WATCH)
    calls = Calls()
    driver.watch(group_id, calls)
    probe: Member = join(store.driver(), "probe", group_id)
    calls.expect(probe.member_id)
    calls.settle()
    return calls
