"""Calls at odd times: while the store is asked, when a loss comes late, after the end."""

import threading

import pytest
from fleet.fork import in_child

from servicegroup import Membership, ServiceGroupError, heart


class Gate:
    """Holds up one method of an object, once it was called, until it is opened."""

    def __init__(self, thing, name, *, when=lambda result: True):
        self._method, self._when = getattr(thing, name), when
        self.entered, self._opened = threading.Event(), threading.Event()
        setattr(thing, name, self)

    def __call__(self, *arguments):
        result = self._method(*arguments)
        if not self._opened.is_set() and self._when(result):
            self.entered.set()
            assert self._opened.wait(10)
        return result

    def open(self):
        self._opened.set()


@pytest.fixture
def background():
    """Run something beside the test; what it raises is its result."""
    threads = []

    def background(work):
        told = []

        def run():
            try:
                told.append(work())
            except Exception as error:  # noqa: BLE001 - for the test to judge
                told.append(error)

        thread = threading.Thread(target=run, daemon=True)
        threads.append(thread)
        thread.start()
        return lambda: thread.join(10) or told[0]

    yield background
    for thread in threads:
        thread.join(10)


def beats(store, membership, number, eventually):
    """Wait for so many beats of the process."""
    pulse = store.pulses[membership.member.instance_id]
    for _ in range(number):
        last = pulse.beat_at
        eventually(lambda last=last: pulse.beat_at > last)


def test_attributes_that_change_while_it_joins_are_stored(make, eventually, background):
    one, other = make(), make()
    gate = Gate(one._process.door.driver, "join")
    member = one.join("g", "m", attributes={"n": 1}, wait=False)
    assert gate.entered.wait(10)
    updated = background(lambda: member.update({"n": 2}))
    eventually(lambda: member.member.attributes == {"n": 2})
    gate.open()
    assert updated() is None
    assert other.get_members("g")[0].attributes == {"n": 2}


def test_who_leaves_while_it_is_updated_can_join_again(make, eventually, background, store):
    one, other = make(), make()
    member = one.join("g", "m")
    gate = Gate(one._process.door.driver, "update")
    updated = background(lambda: member.update({"n": 2}))
    assert gate.entered.wait(10)
    left = background(member.leave)
    eventually(lambda: member.ended)
    gate.open()
    assert left() is True
    assert "no longer a member" in str(updated())
    again = one.join("g", "m")
    assert other.is_up("g", "m")
    beats(store, again, 2, eventually)
    assert again.alive


def test_a_loss_that_is_heard_late_does_not_end_the_next_life(make, eventually, store):
    one, newer = make(), make()
    older = one.join("g", "m")
    beating, driver = one._process.heart, one._process.door.driver
    lost, held = threading.Event(), threading.Event()
    heartbeat, step = driver.heartbeat, beating.step

    def beat(instance_id, members):
        attention = heartbeat(instance_id, members)
        if attention:
            lost.set()
        return attention

    driver.heartbeat = beat
    beating.step = lambda now: (lost.is_set() and held.wait(10), step(now))[1]
    newer.join("g", "m")
    assert lost.wait(10)
    older.leave()
    again = one.join("g", "m")
    held.set()
    beats(store, again, 2, eventually)
    assert again.alive
    assert newer.get_members("g")[0].member.instance_id == again.member.instance_id


def test_of_two_threads_that_join_as_one_member_one_is_refused(make, monkeypatch, background):
    one, both = make(), threading.Barrier(2)

    def membership(*arguments):
        both.wait(10)
        return Membership(*arguments)

    monkeypatch.setattr(heart, "Membership", membership)
    told = [answer() for answer in [background(lambda: one.join("g", "m")) for _ in range(2)]]
    [refused] = [one for one in told if isinstance(one, ServiceGroupError)]
    assert "already member" in str(refused)
    assert one.membership("g", "m") in told


def test_a_health_that_is_asked_while_its_member_steps_down_calls_nobody_well(
    make, eventually, store
):
    one = make()
    member = one.join("g", "m", health=lambda: True)
    [check] = one._process.heart._checks.values()
    eventually(lambda: check.due > 0)
    store.unavailable = True
    stepped = []
    check.step = lambda now: stepped.append(member.step_down("planned restart"))
    eventually(lambda: stepped)
    assert member.member.withdrawn == "planned restart"
    store.unavailable = False
    eventually(lambda: not one.is_up("g", "m"))


def test_nobody_asks_for_the_health_of_who_left_while_it_joined(make, eventually, store):
    one, asked = make(), []
    still = one.join("g", "still")
    gate = Gate(one._process.heart, "_store")
    joining = threading.Thread(
        target=one.join, args=("g", "m"), kwargs={"health": lambda: asked.append(1) or True}
    )
    joining.start()
    assert gate.entered.wait(10)
    one.membership("g", "m").leave()
    gate.open()
    joining.join(10)
    beats(store, still, 2, eventually)
    assert asked == []


def test_a_join_whose_heart_cannot_beat_leaves_nothing_behind(make, monkeypatch):
    one, other = make(), make()
    start = threading.Thread.start

    def no_heart(thread):
        if thread.name == "servicegroup-heart":
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_heart)
        with pytest.raises(RuntimeError, match="new thread"):
            one.join("g", "m")
    assert other.get_members("g") == []
    assert one.join("g", "m").alive


def test_what_began_before_the_end_opens_nothing_after_it(make):
    one, other = make(), make()
    roster, process = one.roster, one._process
    member = other.join("g", "m").member
    one.close()
    for late in (
        roster.list,
        lambda: process.watch("g"),
        lambda: process.heart.join(member._replace(member_id="late")),
        lambda: process.observer.look("g"),
    ):
        with pytest.raises(ServiceGroupError, match="this ServiceGroup is closed"):
            late()
    assert list(other.states("g")) == ["m"]


def test_a_watch_that_is_closed_while_it_opens_is_told_nothing_later(
    make, store, background, eventually
):
    one = make(stop_deadline=0.1)
    gate = Gate(one._process.door.driver, "watch")
    watch = one.watch("g")
    assert gate.entered.is_set()
    watch.close(0)
    gate.open()
    eventually(lambda: not store.watches)


def test_a_driver_that_cannot_end_a_watch_holds_up_nothing(make, store, caplog):
    one, other = make(), make()
    one.join("g", "m")
    driver = one._process.door.driver
    driver.watch = lambda group_id, changed: lambda: 1 / 0
    one.watch("g")
    one.close()
    assert "did not end its watch" in caplog.text
    assert other.get_members("g") == []


def test_callbacks_may_end_everything(make, eventually):
    one, newer = make(), make()
    one.join("g", "a", on_lost=lambda *_: one.close())
    newer.join("g", "a")
    eventually(lambda: one.closed)
    two = make()
    two.join("g", "b", health=lambda: two.close() or True)
    eventually(lambda: two.closed and "b" not in newer.states("g"))


def test_what_a_child_inherited_talks_to_nobody(make):
    one = make()
    roster = one.roster
    one.join("g", "m")

    def child():
        with pytest.raises(ServiceGroupError, match="stayed with the parent process of a fork"):
            roster.list()
        return [status.member_id for status in one.roster.list()]

    assert in_child(child) == ["m"]
