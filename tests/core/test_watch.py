"""Watching: events and the view in memory, through outages, stalls and lost data."""

import threading

import pytest

from servicegroup import DriverUnavailable, EventType, LivenessUnknown, State
from servicegroup.driver import Capability
from servicegroup.testing.memory import MemoryDriver, MemoryStoreDown


@pytest.fixture(params=["native", "polled"])
def watch_kind(request, monkeypatch):
    """Both roads: a driver that calls back, and one that has to be polled."""
    if request.param == "polled":
        monkeypatch.setattr(MemoryDriver, "capabilities", Capability.REMEMBERS)
    return request.param


def events_until(watch, kind, member_id=None, seconds=30.0):
    """Return the events up to the first of that kind."""
    seen = []
    while True:
        event = watch.next_event(seconds)
        assert event is not None, f"no {kind} within {seconds} s, only {seen}"
        seen.append((event.type, event.member_id))
        if event.type is kind and event.member_id == member_id:
            return seen


def test_what_is_there_comes_first(make, watch_kind):
    one = make()
    one.join("g", "a")
    one.join("g", "b")
    with make().watch("g") as watch:
        seen = events_until(watch, EventType.READY)
        assert sorted(seen[:-1], key=str) == [(EventType.JOINED, "a"), (EventType.JOINED, "b")]
        assert watch.is_up("a")
        assert not watch.is_up("stranger")
        assert watch.liveness("stranger").reason == "no such member"
        assert {status.member_id for status in watch.members} == {"a", "b"}


def test_changes_are_told_as_they_happen(make, watch_kind):
    one, newer = make(), make()
    with make().watch("g") as watch:
        events_until(watch, EventType.READY)
        member = one.join("g", "m")
        events_until(watch, EventType.JOINED, "m")
        member.update({"a": 1})
        assert watch.next_event(30).type is EventType.CHANGED
        assert watch.members[0].attributes == {"a": 1}
        second = newer.join("g", "m")
        assert watch.next_event(30).type is EventType.CHANGED
        second.leave()
        assert events_until(watch, EventType.LEFT, "m") == [(EventType.LEFT, "m")]
        assert watch.members == []


def test_a_silent_member_goes_down_and_comes_back(make, watch_kind):
    one, other = make(), make()
    one.join("g", "m")
    other.join("g", "witness")
    with make().watch("g") as watch:
        events_until(watch, EventType.READY)
        beat, one._process.door.driver.heartbeat = one._process.door.driver.heartbeat, _silent
        events_until(watch, EventType.DOWN, "m")
        assert not watch.is_up("m")
        assert "no beat for" in watch.liveness("m").reason
        one._process.door.driver.heartbeat = beat
        assert events_until(watch, EventType.UP, "m")[-1] == (EventType.UP, "m")


def _silent(instance_id, members):
    return []


def test_an_end_is_told_with_its_reason(make, watch_kind, fall_silent):
    one, other = make(service_down_time=60.0), make(service_down_time=60.0)
    member = one.join("g", "m")
    with other.watch("g") as watch:
        events_until(watch, EventType.READY)
        fall_silent(one)
        other._process.door.end(member.member.instance_id, "process ended without leaving")
        events_until(watch, EventType.DOWN, "m")
        assert watch.liveness("m").reason == "process ended without leaving"


def test_an_outage_is_one_event_and_unknown_meanwhile(make, store, watch_kind, eventually):
    one = make()
    one.join("g", "a")
    one.join("g", "b")
    with make().watch("g") as watch:
        events_until(watch, EventType.READY)
        store.unavailable = True
        assert events_until(watch, EventType.STALE) == [(EventType.STALE, None)]
        with pytest.raises(LivenessUnknown, match="could not be read"):
            watch.is_up("a")
        assert watch.is_up("a", unknown=True) is True
        assert watch.is_up("a", unknown=False) is False
        assert {status.state for status in watch.members} == {State.UNKNOWN}
        store.unavailable = False
        seen = events_until(watch, EventType.FRESH)
        eventually(lambda: watch.is_up("a", unknown=False) and watch.is_up("b", unknown=False))
        while (event := watch.next_event(0)) is not None:
            seen.append((event.type, event.member_id))
        assert EventType.DOWN not in [kind for kind, _ in seen]


def test_a_hanging_store_makes_the_view_stale_too(make, store, watch_kind):
    one = make()
    one.join("g", "a")
    # Requests may take ten times as long as the view stays fresh without them.
    patient = make(report_interval=1.0, service_down_time=60.0)
    with patient.watch("g") as watch:
        events_until(watch, EventType.READY)
        store.hang.set()
        watch._changed(None)
        events_until(watch, EventType.STALE)
        assert watch._thread.is_alive()
        assert watch._failing_since is None  # it was told while the look was still waited for
        store.hang.clear()
        events_until(watch, EventType.FRESH)


def test_a_paused_watch_answers_only_after_a_new_look(make, watch_kind, eventually):
    one = make()
    one.join("g", "a")
    with one.watch("g") as watch:
        eventually(lambda: watch.is_up("a", unknown=False))
        looked = watch._full_at
        with watch._lock:  # its thread stands still, as that of a stopped or starved process does
            eventually(lambda: not watch.fresh)
            with pytest.raises(LivenessUnknown, match="the view is"):
                watch.is_up("a")
            missed, watch._changed = watch._changed, lambda _: None  # and nobody wakes it
        eventually(lambda: watch.fresh)
        assert watch._full_at > looked
        watch._changed = missed
        eventually(lambda: watch.is_up("a", unknown=False))


def test_a_watch_may_begin_before_its_store(make, store, watch_kind):
    one = make()
    store.unavailable = True
    with one.watch("g") as watch:
        assert events_until(watch, EventType.STALE) == [(EventType.STALE, None)]
        with pytest.raises(LivenessUnknown):
            watch.is_up("m")
        store.unavailable = False
        events_until(watch, EventType.READY)
        assert not watch.is_up("m")


def test_lost_data_is_unknown_until_asserted_again(make, store, watch_kind, eventually):
    one, observer = make(), make()
    one.join("g", "m")
    with observer.watch("g") as watch:
        events_until(watch, EventType.READY)
        store.lose()
        eventually(lambda: watch.is_up("m", unknown=False))
        seen = []
        while (event := watch.next_event(0)) is not None:
            seen.append(event.type)
        assert set(seen) <= {EventType.UNKNOWN, EventType.UP, EventType.CHANGED}


def test_a_closed_watch_ends_its_iteration(make, watch_kind):
    watch = make().watch("g")
    watch.close()
    assert [event.type for event in watch] == []
    assert watch.next_event() is None
    assert not watch.fresh
    watch.close()


def test_a_watch_that_is_closed_while_it_begins_is_not_left_in_the_store(make, monkeypatch):
    begun, go_on, ended = (threading.Event() for _ in range(3))
    called_back = MemoryDriver.watch

    def slow(driver, group_id, changed):
        stop = called_back(driver, group_id, changed)
        begun.set()
        assert go_on.wait(10)
        return lambda: (stop(), ended.set())

    monkeypatch.setattr(MemoryDriver, "watch", slow)
    group = make(stop_deadline=0.1)
    watch = group.watch("g")
    assert begun.wait(10)
    watch.close()
    go_on.set()
    assert ended.wait(10)
    watch._thread.join(10)
    assert not watch._thread.is_alive()


def test_a_query_still_raises_while_a_watch_waits(make, store):
    one = make()
    store.unavailable = True
    with pytest.raises(DriverUnavailable):
        one.get_members("g")


def test_the_death_of_the_only_member_is_told_once(make, watch_kind, fall_silent):
    one = make()
    one.join("g", "m")
    with make().watch("g") as watch:
        events_until(watch, EventType.READY)
        fall_silent(one)
        assert events_until(watch, EventType.DOWN, "m") == [
            (EventType.UNKNOWN, "m"),
            (EventType.DOWN, "m"),
        ]
        assert watch.next_event(3 * one.settings.service_down_time) is None


def test_where_reads_go_on_but_beats_do_not_nobody_is_dead(make, watch_kind):
    one, observer = make(), make()
    one.join("g", "m")

    def refused(instance_id, members):
        raise MemoryStoreDown("locked for writing")

    with observer.watch("g") as watch:
        events_until(watch, EventType.READY)
        beat = one._process.door.driver.heartbeat
        for group in (one, observer):
            group._process.door.driver.heartbeat = refused
        assert events_until(watch, EventType.UNKNOWN, "m") == [(EventType.UNKNOWN, "m")]
        assert watch.next_event(3 * one.settings.service_down_time) is None
        one._process.door.driver.heartbeat = beat
        assert events_until(watch, EventType.UP, "m") == [(EventType.UP, "m")]
