"""Closing, forking, and a heart that cannot die."""

import os
import threading

import pytest

import servicegroup
from servicegroup import DriverUnavailable, ServiceGroupError


def in_child(work):
    """Run *work* in a forked child and return what it said, or fail with its error."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.write(writing, repr(work()).encode())
            status = 0
        except BaseException as error:  # noqa: BLE001 - told by the parent
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as answers:
        said = answers.read()
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, said
    return said


def test_closing_leaves_all_groups(make):
    one, other = make(), make()
    one.join("g", "m")
    one.join("h", "n")
    one.close()
    assert other.groups() == []
    one.close()
    with pytest.raises(ServiceGroupError, match="closed"):
        one.is_up("g", "m")


def test_used_as_a_context_manager_it_closes(make):
    other = make()
    with make() as one:
        one.join("g", "m")
        assert other.is_up("g", "m")
    assert other.groups() == []


@pytest.mark.parametrize("fault", ["unavailable", "hang"])
def test_closing_keeps_its_deadline_while_the_store_is_away(make, store, fault):
    one = make(stop_deadline=0.5)
    one.join("g", "m")
    one.watch("g")
    if fault == "hang":
        store.hang.set()
    else:
        store.unavailable = True
    one.close()  # whoever waits for the store does not come back
    store.hang.clear()
    store.unavailable = False


def test_a_forked_child_is_no_member_until_it_joins(make, eventually):
    one, other = make(service_down_time=60.0), make()
    member = one.join("g", "m")
    watch = one.watch("g")

    def child():
        assert not member.alive
        assert member.lost.is_set()
        assert "fork" in member.lost_reason
        assert member.leave() is True  # it is the parent's: nothing happens
        assert not watch.fresh
        assert watch.next_event(0) is None
        assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
        mine = one.join("g", "child")
        assert mine.alive
        assert mine.member.instance_id != member.member.instance_id
        assert mine.member.process_id == os.getpid()
        one.close()
        return sorted(status.member_id for status in other.get_members("g"))

    assert in_child(child) == "['m']"
    assert member.alive
    assert other.is_up("g", "m")
    assert watch.is_up("m")


def test_a_fork_while_the_heart_beats_does_not_hang_the_child(make):
    one = make(report_interval=0.01, service_down_time=0.1)
    one.join("g", "m")
    for _ in range(10):
        assert in_child(lambda: one.join("g", "child").alive) == "True"


def test_errors_nobody_expected_do_not_stop_the_heart(make, store, eventually, caplog):
    one = make()
    member = one.join("g", "m")
    driver = one._process.door.driver
    heartbeat = driver.heartbeat

    def broken(instance_id, members):
        raise RuntimeError("a bug in a driver")

    driver.heartbeat = broken
    eventually(member.lost.is_set)
    driver.heartbeat = heartbeat
    eventually(lambda: member.alive)
    told = [r for r in caplog.records if "lost contact" in r.getMessage()]
    assert len(told) == 1
    assert told[0].exc_info is not None


def test_a_callback_that_raises_or_blocks_holds_up_nobody(make, eventually, caplog):
    one, newer = make(), make()
    release = threading.Event()
    first = one.join("g", "a", on_lost=lambda *_: release.wait(30))
    second = one.join("g", "b", on_lost=lambda *_: 1 / 0)
    third = one.join("g", "c")
    newer.join("g", "a")
    newer.join("g", "b")
    eventually(lambda: first.lost.is_set() and second.lost.is_set())
    assert third.alive
    release.set()
    eventually(lambda: [r for r in caplog.records if "on_lost callback failed" in r.getMessage()])


def test_the_store_is_connected_at_first_use(make, store):
    store.unavailable = True
    one = make()
    with pytest.raises(DriverUnavailable):
        one.groups()
    store.unavailable = False
    assert one.groups() == []


def test_unknown_is_answered_as_asked(make, store):
    one = make()
    one.join("g", "m")
    store.unavailable = True
    with pytest.raises(DriverUnavailable):
        one.is_up("g", "m")
    assert one.is_up("g", "m", unknown=True) is True
    assert one.is_up("g", "m", unknown=False) is False
    verdict = one.liveness("g", "m")
    assert verdict.state is servicegroup.State.UNKNOWN
    assert "made unavailable" in verdict.reason
