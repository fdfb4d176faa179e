"""Where the witness rule has its edges: exactly there it still holds."""

import logging

import pytest

from servicegroup.model import State
from servicegroup.testing.scene import GROUP, join, seen, state

INSTANT = 0.001


@pytest.fixture
def gap(exact_store):
    return exact_store.settings.steady_gap


@pytest.fixture
def limit(exact_store):
    return exact_store.settings.service_down_time


@pytest.fixture
def steady(exact_store):
    """A member that will beat in another group; *beat* after some seconds."""
    driver = exact_store.driver()

    class Steady:
        member = None

        def join(self):
            self.member = join(driver, "steady", "another group")

        def beat(self, after):
            exact_store.pass_time(after)
            assert driver.heartbeat(self.member.instance_id, [self.member]) == []

    return Steady()


@pytest.fixture
def reader(exact_store):
    """A reader of a group in which one member has been silent since it joined."""
    driver = exact_store.driver()
    join(driver, "silent")
    return driver


def witnessed(reader):
    return reader.sightings(GROUP).witnessed


def test_a_gap_of_exactly_the_longest_is_unbroken(reader, steady, gap):
    steady.join()
    steady.beat(gap)
    steady.beat(gap)
    assert witnessed(reader)


def test_a_longer_gap_is_a_break(reader, steady, gap):
    steady.join()
    steady.beat(gap + INSTANT)
    steady.beat(gap)
    assert not witnessed(reader)


def test_a_witness_is_fresh_for_the_longest_gap(exact_store, reader, steady, gap, limit):
    steady.join()
    steady.beat(limit / 2)
    steady.beat(limit / 2)
    exact_store.pass_time(gap)
    assert witnessed(reader)
    assert state(exact_store, reader, "silent") is State.DOWN
    exact_store.pass_time(INSTANT)
    assert not witnessed(reader)
    assert state(exact_store, reader, "silent") is State.UNKNOWN


def test_a_witness_reaches_back_for_exactly_the_limit(exact_store, reader, steady, limit):
    exact_store.pass_time(1)
    steady.join()
    steady.beat(limit / 2)
    steady.beat(limit / 2 - INSTANT)
    assert not witnessed(reader)
    assert state(exact_store, reader, "silent") is State.UNKNOWN
    steady.beat(INSTANT)
    assert witnessed(reader)
    assert state(exact_store, reader, "silent") is State.DOWN


def test_a_clock_that_steps_back_kills_nobody(exact_store, reader, steady, limit, caplog):
    steady.join()
    for _ in range(3):
        steady.beat(limit / 2)
    assert state(exact_store, reader, "silent") is State.DOWN
    newcomer = join(reader, "newcomer")
    with caplog.at_level(logging.WARNING):
        exact_store.pass_time(-limit / 2)  # the clock of the store steps back
        assert seen(reader)["newcomer"].age == 0, "a beat from the future is fresh"
    assert state(exact_store, reader, "newcomer") is State.UP
    steady.beat(0)
    exact_store.pass_time(limit / 2)
    assert reader.heartbeat(newcomer.instance_id, [newcomer]) == []
    steady.beat(0)
    assert seen(reader)["newcomer"].age == 0


def test_a_clock_that_steps_back_is_a_break(exact_store, steady, limit):
    silent = exact_store.driver()
    steady.join()
    steady.beat(limit / 2)
    steady.beat(limit / 2)
    join(silent, "silent")
    exact_store.pass_time(-limit / 4)
    steady.beat(0)
    for _ in range(3):
        steady.beat(limit / 2)
        reached = 0.5 * limit * (_ + 1)
        age = seen(silent)["silent"].age
        assert age == max(0.0, reached - limit / 4)
        if age > limit:
            assert silent.sightings(GROUP).witnessed == (reached >= limit)


@pytest.mark.parametrize("forward", [300.0, 3600.0])
def test_a_clock_that_steps_forward_kills_nobody(exact_store, reader, steady, forward, limit):
    held = seen(reader)["silent"].member
    steady.join()
    for _ in range(4):
        steady.beat(limit / 4)
        assert reader.heartbeat(held.instance_id, [held]) == []
    exact_store.pass_time(limit + forward if forward < limit else forward)
    if forward < limit * 1.5 + 900:
        assert state(exact_store, reader, "silent") is State.UNKNOWN
    steady.beat(0)  # the first one to beat again cannot vouch for the time before
    if forward < limit * 1.5 + 900:
        assert state(exact_store, reader, "silent") is State.UNKNOWN
    assert reader.heartbeat(held.instance_id, [held]) == []
    assert state(exact_store, reader, "silent") is State.UP
