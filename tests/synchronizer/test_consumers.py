"""Consumers that raise, block, lose what they took or do not take it: nobody else notices."""

import queue
import threading
import time

import pytest
from sources.scene import Picture
from sources.scripted import TYPE

from servicegroup.clock import boottime
from servicegroup.synchronizer import ACKNOWLEDGED, Op, Synchronizer


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_a_callback_that_raises_is_called_again_with_the_same(
    scene, source, picture, caplog, error
):
    source.states(a="1")
    sync = scene.start(consumer=picture, name="graph")
    other = Picture()
    sync.register([TYPE], other)
    picture.until_states(a="1")
    picture.trouble = error("no memory for this")
    source.states(a="2", b="1")
    sync.get_all([TYPE])
    other.until_states(a="2", b="1")
    deadline = boottime() + 10
    while sync.status().consumers[0].failing is None:
        assert boottime() < deadline
        time.sleep(0.01)
    assert "no memory for this" in sync.status().consumers[0].failing
    picture.trouble = None
    picture.until_states(a="2", b="1")
    assert not picture.gaps


def test_a_callback_that_blocks_holds_up_nobody_and_then_hears_the_newest(scene, source):
    blocked, entered = threading.Event(), threading.Event()
    seen = []

    def callback(event):
        seen.append(event)
        if event.op is Op.SNAPSHOT_END:
            entered.set()
            blocked.wait(30)

    source.states(a="0")
    other = Picture()
    sync = scene.start(consumer=callback)
    sync.register([TYPE], other)
    entered.wait(10)
    for number in range(1, 6):
        source.states(a=str(number))
        sync.get_all([TYPE])
    other.until_states(a="5")
    blocked.set()
    deadline = boottime() + 10
    while not seen or seen[-1].entity is None or seen[-1].entity.state != "5":
        assert boottime() < deadline
        time.sleep(0.01)
    updates = [event.entity.state for event in seen if event.op is Op.UPDATE]
    assert updates == ["5"], "what was overtaken meanwhile is not told"


def test_a_queue_is_told_again_what_was_not_acknowledged(scene, source):
    source.states(a="1", b="1", c="1")
    events = queue.Queue()
    sync = Synchronizer(scene.conf(), queue=events)
    sync.register([TYPE], name="graph")
    with sync:
        taken = [events.get(timeout=10) for _ in range(5)]
        for event in taken:
            event.ack()
        source.states(a="2", b="2", c="2")
        sync.get_all([TYPE])
        changes = [events.get(timeout=10) for _ in range(3)]
        changes[0].ack()
        changes[2].ack()  # the second one was never handled
    again = Synchronizer(scene.conf(), queue=(second := queue.Queue()))
    again.register([TYPE], name="graph", resume=ACKNOWLEDGED)
    with again:
        told = [second.get(timeout=10) for _ in range(2)]
    assert [event.key for event in told] == [event.key for event in changes[1:]]


def test_no_more_is_put_into_a_queue_than_it_may_hold(scene, source, until):
    source.states(**{f"k{n}": "1" for n in range(30)})
    events = queue.Queue()
    sync = Synchronizer(scene.conf(queue_size=10), queue=events)
    sync.register([TYPE])
    with sync:
        sync.get_all([TYPE])
        until(lambda: events.qsize() == 10)
        for _ in range(32):
            assert events.qsize() <= 10
            events.get(timeout=10).ack()


def test_a_snapshot_comes_though_all_that_was_taken_is_lost(scene, source):
    source.states(a="1", b="1", c="1")
    events = queue.Queue()
    sync = Synchronizer(scene.conf(queue_size=2), queue=events)
    consumer = sync.register([TYPE], name="graph")
    with sync:
        for _ in range(2):
            events.get(timeout=10)  # and it crashes
        consumer.snapshot()
        told = []
        while not told or told[-1].op is not Op.SNAPSHOT_END:
            told.append(events.get(timeout=10))
            told[-1].ack()
        assert [event.key for event in told[1:-1]] == ["a", "b", "c"]


def test_a_queue_that_refuses_is_tried_again(scene, source, until):
    class Refusing(queue.Queue):
        refusals = 2

        def put(self, item, block=True, timeout=None):
            if self.refusals:
                self.refusals -= 1
                raise OSError("broken pipe")
            super().put(item, block, timeout)

    source.states(a="1")
    sync = Synchronizer(scene.conf(), queue=(events := Refusing()))
    sync.register([TYPE], name="graph")
    with sync:
        for _ in range(3):
            events.get(timeout=10).ack()
        until(lambda: sync.status().consumers[0].lag == 0)
