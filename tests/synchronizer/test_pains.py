"""What made the first synchronizer lie, each as a test that the naive way fails.

Here are those that need no process; ``ELSEWHERE`` names where the others are proved.
"""

import ast
import queue
import threading
import time
from pathlib import Path

import pytest
from sources.scene import PATIENCE
from sources.scripted import TYPE

from servicegroup.synchronizer import ACKNOWLEDGED, Entity, Op, Picture
from servicegroup.synchronizer.baseline import Baseline, row_of
from servicegroup.synchronizer.consumer import Registration
from servicegroup.synchronizer.fingerprint import fingerprint
from servicegroup.synchronizer.ledger import Ledger
from servicegroup.synchronizer.wire import Row

HERE = Path(__file__).parent
ELSEWHERE = {
    "P1 a failed poll looks like an empty inventory": (
        "test_supervision.test_a_poll_that_fails_changes_nothing_and_is_told"
    ),
    "P4 only one priority is heard": "test_bus.test_every_priority_is_heard",
    "P5 another one's messages are taken": "test_bus.test_somebody_elses_messages_are_not_taken",
    "P6 the order is lost": "test_bus.test_changes_of_one_key_come_in_order_and_deletes_too",
    "P9 the broker's loss is silent": (
        "test_bus.test_a_broker_that_comes_back_empty_is_followed_by_a_reconcile"
    ),
    "P13 volatile fields": (
        "test_supervision.test_a_source_that_always_changes_is_told_to_declare_its_fields"
    ),
    "P14 one that hangs blocks all": (
        "test_supervision.test_a_source_that_hangs_holds_up_nobody_else"
    ),
    "P15 killing one hangs the parent": "test_supervision.test_a_killed_process_is_replaced",
    "P17 a cursor misses rows": (
        "test_collecting.test_changes_are_polled_where_the_source_tells_them"
    ),
    "P18 deletes are invisible to deltas": (
        "test_collecting.test_a_reconcile_finds_what_changes_did_not_tell"
    ),
}


@pytest.mark.parametrize("test", ELSEWHERE.values())
def test_the_others_are_there(test):
    module, name = test.split(".")
    tree = ast.parse((HERE / f"{module}.py").read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def entity(key, state, **more):
    return Entity(key=key, type=TYPE, state=state, **more)


def row(one):
    mark = fingerprint(one, None)
    return row_of(one, mark, mark)


def gone(key):
    return Row(TYPE, key, 0, 0, None, None, None, b"")


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "baseline.sqlite")
    yield ledger
    ledger.close()


@pytest.fixture
def consume(ledger):
    """Register a consumer; closed afterwards."""
    consumers = []

    def consume(deliver, **how):
        chosen = {
            "name": None,
            "resume": None,
            "only_notified": frozenset(),
            "most_unacknowledged": 100,
            "closed": lambda one: None,
        } | how
        consumers.append(Registration([TYPE], deliver, **chosen))
        consumers[-1].start(ledger)
        return consumers[-1]

    yield consume
    for one in consumers:
        one.close()


def held(ledger):
    return sorted(ledger.keys(TYPE))


def test_p02_what_was_deleted_while_the_list_was_in_flight_does_not_rise_again(ledger):
    ledger.polled("collector", [row(entity("vm", "up"))], ledger.seq)
    window = ledger.seq  # the source is asked; its answer still holds the machine
    ledger.streamed("bus", [gone("vm")])
    ledger.polled("collector", [row(entity("vm", "rebuilt"))], window)
    assert held(ledger) == []


def test_p02_nor_what_nobody_knew_before(ledger):
    window = ledger.seq
    ledger.streamed("bus", [gone("vm")])
    ledger.polled("collector", [row(entity("vm", "up"))], window)
    assert held(ledger) == []


def test_p03_what_is_told_during_the_first_snapshot_is_not_lost(ledger, consume):
    window = ledger.seq
    ledger.streamed("bus", [row(entity("new", "up"))])  # after its page was read
    ledger.polled("collector", [row(entity("old", "up"))], window)
    assert ledger.gone(TYPE, ["new"], window) == 0
    ledger.ready([TYPE])
    picture = Picture()
    consume(picture)
    assert picture.wait(lambda: picture.states == {"new": "up", "old": "up"}, PATIENCE)


def test_p07_memory_is_bounded_however_slow_the_consumer(ledger, consume):
    ledger.ready([TYPE])
    events = queue.Queue()
    consume(events, most_unacknowledged=5)
    for number in range(200):
        ledger.streamed("bus", [row(entity(f"k{number % 20}", str(number)))])
    newest = {f"k{number % 20}": str(number) for number in range(200)}
    told, taken = {}, 0
    while told != newest:
        assert events.qsize() <= 5
        event = events.get(timeout=PATIENCE)
        if event.entity is not None:
            told[event.key] = event.entity.state
            taken += 1
        event.ack()
    assert taken < 200, "what was overtaken is not told"


def test_p08_what_the_consumer_could_not_handle_is_told_again(ledger, consume):
    ledger.ready([TYPE])
    told, begun, handled = [], threading.Event(), threading.Event()

    def callback(event):
        if event.op is Op.SNAPSHOT_END:
            begun.set()
        if event.op is Op.CREATE:
            told.append(event.key)
            if len(told) == 1:
                raise RuntimeError("not now")
            handled.set()

    consume(callback)
    assert begun.wait(PATIENCE)
    ledger.streamed("bus", [row(entity("a", "1"))])
    assert handled.wait(PATIENCE)
    assert told == ["a", "a"]


@pytest.mark.parametrize(
    "change",
    [{"parent_key": "h2"}, {"project": "p2"}, {"role": "r2"}, {"data": {"text": "other"}}],
)
def test_p10_more_than_the_state_counts(change):
    baseline = Baseline([TYPE])
    baseline.note(baseline.poll().rows(entity("a", "up")))
    assert len(list(baseline.poll().rows(entity("a", "up")))) == 0
    assert len(list(baseline.poll().rows(entity("a", "up", **change)))) == 1


def test_p11_what_is_gone_takes_no_memory():
    baseline = Baseline([TYPE])
    for generation in range(6):
        reading = baseline.poll()
        things = [entity(f"{generation}-{number}", "ok") for number in range(100)]
        told = [row for thing in things for row in reading.rows(thing)]
        gone = list(reading.gone())
        baseline.note(told)
        for type_, keys in gone:
            baseline.forget(type_, keys)
    assert len(baseline) == 100


def test_p12_a_delete_is_told_again_to_who_did_not_handle_it(ledger, consume):
    ledger.polled("collector", [row(entity("a", "up")), row(entity("b", "up"))], ledger.seq)
    ledger.ready([TYPE])
    events = queue.Queue()
    first = consume(events, name="graph")
    for _ in range(4):
        events.get(timeout=PATIENCE).ack()
    ledger.gone(TYPE, ["a"], ledger.seq)
    assert events.get(timeout=PATIENCE).op is Op.DELETE  # and it crashes
    first.close()
    again = queue.Queue()
    consume(again, name="graph", resume=ACKNOWLEDGED)
    event = again.get(timeout=PATIENCE)
    assert (event.op, event.key) == (Op.DELETE, "a")


def test_p17_what_is_told_twice_is_told_once(ledger):
    rows = [row(entity("a", "up", timestamp=10.0))]
    assert ledger.polled("collector", rows, ledger.seq) == 1
    assert ledger.polled("collector", rows, ledger.seq) == 0
    assert ledger.streamed("bus", rows) == (0, 0)


# -- what else would be lost ------------------------------------------------------------------


def test_what_is_gone_and_forgotten_too_early_is_told_by_a_snapshot(ledger, consume, monkeypatch):
    ledger.polled("collector", [row(entity("a", "up")), row(entity("b", "up"))], ledger.seq)
    ledger.ready([TYPE])
    picture, held_up, let_go = Picture(), threading.Event(), threading.Event()

    def callback(event):
        picture(event)
        if event.op is Op.UPDATE:
            held_up.set()
            let_go.wait(PATIENCE)

    consume(callback)
    assert picture.wait(lambda: picture.snapshots, PATIENCE)
    ledger.streamed("bus", [row(entity("b", "down"))])
    assert held_up.wait(PATIENCE)
    ledger.gone(TYPE, ["a"], ledger.seq)
    monkeypatch.setattr("servicegroup.synchronizer.ledger.REMEMBERED", -1.0)
    ledger.purge(ledger.seq)
    let_go.set()
    assert picture.wait(lambda: picture.states == {"b": "down"}, PATIENCE)


def test_who_has_nothing_to_acknowledge_is_not_forgotten(ledger):
    for name in ("here", "gone"):
        ledger.claim(name, None)
        ledger.acknowledge(name, ledger.seq, [TYPE], None)
    later = time.time() + 1
    assert ledger.forget_consumers(later, ["here"]) == ["gone"]
    assert ledger.positions() == [ledger.seq]


def test_a_consumer_that_was_replaced_does_not_move_its_successor(ledger, consume):
    """Its callback returns after another one of its name was begun anew, and did not get far."""
    ledger.polled("collector", [row(entity("a", "up"))], ledger.seq)
    ledger.ready([TYPE])
    entered, let_go = threading.Event(), threading.Event()

    def callback(event):
        if event.op is Op.SNAPSHOT_END:
            entered.set()
            let_go.wait(PATIENCE)

    first = consume(callback, name="graph")
    assert entered.wait(PATIENCE)
    first.close(timeout=0)
    events = queue.Queue()
    consume(events, name="graph")
    events.get(timeout=PATIENCE)
    let_go.set()
    first._thread.join(PATIENCE)
    assert ledger.positions() == []
