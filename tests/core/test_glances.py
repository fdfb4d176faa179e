"""Many questions about single members, answered from one look at their group."""

import threading

import pytest

from servicegroup import DriverUnavailable, ServiceGroupError, State, glances


@pytest.fixture
def clock(monkeypatch):
    """Time that passes as the test says."""
    clock = {"now": 100.0, "read": 0}

    def boottime():
        clock["read"] += 1
        return clock["now"]

    monkeypatch.setattr(glances, "boottime", boottime)
    return clock


@pytest.fixture
def group(make, clock):
    """One with two members, which stand still; counts the looks that it takes."""
    group = make(report_interval=600.0, service_down_time=3600.0)
    for name in ("a", "b"):
        group.join("g", name)
    observer, look = group._process.observer, group._process.observer.look
    group.looks = []

    def counting(*what, **how):
        group.looks.append(what)
        clock["now"] += group.takes
        return look(*what, **how)

    group.takes = 0.0
    observer.look = counting
    return group


def test_a_look_answers_while_it_is_young_enough(group, clock):
    assert group.is_up("g", "a", max_age=5.0)
    clock["now"] += 5.0
    assert group.is_up("g", "b", max_age=5.0)
    assert len(group.looks) == 1
    assert group.is_up("g", "b", max_age=4.0)
    assert len(group.looks) == 2
    assert group.is_up("g", "b")  # asks for itself
    assert len(group.looks) == 3
    group.join("h", "c")
    assert group.is_up("h", "c", max_age=5.0)  # of another group
    assert len(group.looks) == 4


def test_whom_a_look_does_not_list_is_asked_for_alone(make):
    group, other = make(), make()
    other.join("g", "a", worker=0)
    other.join("g", "a", worker=1)
    other.join("g", "left").leave()
    for member_id in ("a", "a#worker-1", "left", "nobody"):
        asked = group.liveness("g", member_id)
        glanced = group.liveness("g", member_id, max_age=60.0)
        assert (glanced.state, glanced.cause) == (asked.state, asked.cause)
    assert group.is_up("g", "a#worker-1", max_age=60.0)


@pytest.mark.parametrize("max_age", [-1.0, float("nan")])
def test_a_time_that_is_none(group, max_age):
    with pytest.raises(ServiceGroupError, match="max_age"):
        group.is_up("g", "a", max_age=max_age)


def test_a_store_that_hangs_is_waited_for_once(group, clock, store):
    store.unavailable, group.takes = True, 20.0
    for _ in range(3):
        with pytest.raises(DriverUnavailable):
            group.is_up("g", "a", max_age=1.0)
        assert group.is_up("g", "a", max_age=1.0, unknown=True)
        verdict = group.liveness("g", "b", max_age=1.0)
        assert verdict.state is State.UNKNOWN
        assert verdict.reason.startswith("the store did not answer: ")
        clock["now"] += 6.0
    assert len(group.looks) == 1
    store.unavailable, group.takes = False, 0.0
    clock["now"] += 2.1
    assert group.is_up("g", "a", max_age=1.0)


def test_of_several_that_ask_at_once_one_looks(group, clock, eventually):
    look, begun, go_on = group._process.observer.look, threading.Event(), threading.Event()

    def slow(*what, **how):
        begun.set()
        assert go_on.wait(10)
        clock["now"] += (
            5.0  # it is older than wanted when it is there, but newer than the questions
        )
        return look(*what, **how)

    group._process.observer.look = slow
    answers = []

    def ask():
        answers.append(group.is_up("g", "a", max_age=1.0))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    eventually(lambda: clock["read"] == 5)  # all have asked, and one has begun
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert answers == [True] * 4
    assert len(group.looks) == 1
