"""Calls that do not come back are given up; the next one is not held up by them."""

import threading

import pytest

from servicegroup.bounded import MOST_STUCK, BoundedCaller, CallTimeout


@pytest.fixture
def caller():
    caller = BoundedCaller("test-caller")
    yield caller
    caller.close()


def stuck(caller, release):
    with pytest.raises(CallTimeout, match=r"no answer within 0\.05 s"):
        caller.call(release.wait, 0.05)


def test_results_and_errors_come_back(caller):
    assert caller.call(lambda: 7, 5) == 7
    with pytest.raises(ZeroDivisionError):
        caller.call(lambda: 1 / 0, 5)
    with pytest.raises(TimeoutError, match="of the work itself"):
        caller.call(raiser(TimeoutError("of the work itself")), 5)


def raiser(error):
    def work():
        raise error

    return work


def test_where_no_thread_can_be_had_a_call_fails_and_the_next_one_need_not(caller, monkeypatch):
    def none(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        with pytest.raises(CallTimeout, match="can't start new thread"):
            caller.call(lambda: 7, 5)
    assert caller.call(lambda: 7, 5) == 7


def test_once_closed_it_starts_no_thread(caller):
    assert caller.call(lambda: 7, 5) == 7
    caller.close()
    with pytest.raises(CallTimeout, match="closed"):
        caller.call(lambda: 7, 5)


def test_a_signals_handler_may_close_it_whatever_it_interrupts(caller, monkeypatch):
    start, told = threading.Thread.start, []

    def interrupted(thread):
        start(thread)
        caller.close()

    def submit():
        monkeypatch.setattr(threading.Thread, "start", interrupted)
        told.append(caller.submit(lambda: 7).exception(5))

    main = threading.Thread(target=submit, daemon=True)
    main.start()
    main.join(5)
    assert isinstance(told[0], CallTimeout)


def test_calls_run_one_after_another_on_one_thread(caller):
    futures = [caller.submit(threading.get_ident) for _ in range(5)]
    assert len({future.result(5) for future in futures}) == 1


def test_a_stuck_call_does_not_hold_up_the_next(caller):
    release = threading.Event()
    stuck(caller, release)
    assert caller.call(lambda: "next", 5) == "next"
    release.set()


def test_what_waits_behind_a_stuck_call_is_cancelled_with_its_time_out(caller):
    release = threading.Event()
    first = caller.submit(release.wait)
    with pytest.raises(CallTimeout):
        caller.call(lambda: "behind", 0.05)
    release.set()
    assert first.result(5) is True


def test_only_so_many_threads_may_be_stuck(caller):
    release = threading.Event()
    for _ in range(MOST_STUCK):
        stuck(caller, release)
    with pytest.raises(CallTimeout, match="still waiting"):
        caller.call(lambda: "refused", 5)
    release.set()
    for _ in range(100):
        try:
            assert caller.call(lambda: "again", 5) == "again"
            break
        except CallTimeout:
            threading.Event().wait(0.02)
    else:
        pytest.fail("the caller did not recover")


def test_the_thread_ends_when_closed():
    caller = BoundedCaller("test-closing")
    caller.call(lambda: None, 5)
    caller.close()
    for thread in threading.enumerate():
        if thread.name == "test-closing":
            thread.join(5)
            assert not thread.is_alive()
