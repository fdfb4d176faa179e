"""Random walks: whatever happens in whatever order, the callbacks alone rebuild the truth.

Polls begin and end (or fail) around notifications that are lost, doubled or late; collectors, the
ledger and consumers crash at any point between. One walk per step of the real code, without
processes: each takes milliseconds. What processes add is in test_deaths.py.
"""

import tempfile
import time
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sources.scene import PATIENCE, Picture
from sources.scripted import TYPE

from servicegroup.clock import boottime
from servicegroup.synchronizer import ACKNOWLEDGED, Deleted, Entity
from servicegroup.synchronizer.baseline import Baseline, row_of
from servicegroup.synchronizer.consumer import Registration
from servicegroup.synchronizer.fingerprint import fingerprint
from servicegroup.synchronizer.ledger import Ledger
from servicegroup.synchronizer.wire import Row

KEYS = st.sampled_from("abcdef")
STATES = st.sampled_from(["1", "2", "3"])
HOW = ("nothing known", "token", "acknowledged")


class Walk(RuleBasedStateMachine):
    """One source, one ledger, one consumer that believes only what it is told."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.truth = {}
        self.version = 0
        self.stamps = {}
        self.unsent = []
        self.reading = None
        self.ledger = Ledger(Path(self.folder.name) / "baseline.sqlite")
        self.picture = Picture()
        self.consumer = None
        self.collector()
        self.consume("nothing known")

    # -- the source and its notifications -----------------------------------------------------

    @rule(key=KEYS, state=STATES, told=st.booleans())
    def change(self, key, state, told):
        self.version += 1
        self.truth[key] = state
        self.notify(Entity(key=key, type=TYPE, state=state, timestamp=float(self.version)), told)

    @rule(key=KEYS, told=st.booleans())
    def delete(self, key, told):
        self.version += 1
        self.truth.pop(key, None)
        self.notify(Deleted(key, TYPE, float(self.version)), told)

    def notify(self, item, told):
        self.stamps[item.key] = item.timestamp
        if told:
            self.stream(item)
        else:
            self.unsent.append(item)  # late, or lost

    @rule(data=st.data())
    def deliver_late(self, data):
        if self.unsent:
            self.stream(data.draw(st.sampled_from(self.unsent)))

    def stream(self, item):
        if isinstance(item, Deleted):
            row = Row(TYPE, item.key, 0, 0, None, None, item.timestamp, b"")
        else:
            row = row_of(item, 0, fingerprint(item, None))
        self.ledger.streamed("bus", [row])

    # -- the collector ------------------------------------------------------------------------

    @rule()
    def collector(self):
        """A new process."""
        self.reading = None
        self.touched = self.ledger.seq
        self.baseline = Baseline([TYPE])
        for type_, marks in self.ledger.marks([TYPE]):
            self.baseline.load(type_, marks)

    @rule()
    def begin_poll(self):
        window = self.ledger.seq
        self.baseline.doubt(self.ledger.touched([TYPE], self.touched))
        self.touched = window
        reading = self.baseline.poll()
        rows = []
        for key, state in self.truth.items():
            entity = Entity(key=key, type=TYPE, state=state, timestamp=self.stamps[key])
            rows.extend(reading.rows(entity))
        self.reading = window, rows, list(reading.gone())

    @rule()
    def end_poll(self):
        if self.reading is None:
            return
        (window, rows, gone), self.reading = self.reading, None
        self.ledger.polled("collector", rows, window)
        for type_, keys in gone:
            self.ledger.gone(type_, keys, window)
        self.ledger.ready([TYPE])
        self.baseline.note(rows)
        for type_, keys in gone:
            self.baseline.forget(type_, keys)

    @rule()
    def fail_poll(self):
        self.reading = None

    # -- crashes ------------------------------------------------------------------------------

    @rule(how=st.sampled_from(HOW))
    def consume(self, how):
        """The consumer crashes, and comes back as it says."""
        resume = None
        if self.consumer is not None:
            self.consumer.close()
            if how == "nothing known":
                self.picture = Picture()
            before, self.picture = self.picture, Picture()
            self.picture.entities, self.picture.token = dict(before.entities), before.token
            resume = {"token": before.token, "acknowledged": ACKNOWLEDGED}.get(how)
        self.consumer = Registration(
            [TYPE],
            self.picture,
            name="graph",
            resume=resume,
            only_notified=frozenset(),
            most_unacknowledged=10,
            closed=lambda one: None,
        )
        self.consumer.start(self.ledger)

    @rule(how=st.sampled_from(HOW))
    def restart(self, how):
        """The whole synchronizer ends, and begins again on its baseline."""
        self.consumer.close()
        self.ledger.close()
        self.ledger = Ledger(Path(self.folder.name) / "baseline.sqlite")
        self.collector()
        self.consume(how)

    @rule()
    def forget(self):
        """Purge what is gone, as far as everybody was told, without waiting for late messages."""
        import servicegroup.synchronizer.ledger as module

        before, module.REMEMBERED = module.REMEMBERED, -1.0
        try:
            told = [self.consumer.needs] if self.consumer.needs else []
            self.ledger.purge(min([self.ledger.seq, self.touched, *told, *self.ledger.positions()]))
        finally:
            module.REMEMBERED = before

    @rule()
    def ask_for_a_snapshot(self):
        self.consumer.snapshot()

    # -- the promise --------------------------------------------------------------------------

    @rule()
    def reconcile(self):
        self.begin_poll()
        self.end_poll()
        deadline = boottime() + PATIENCE
        while self.consumer.lag or self.consumer._want or self.picture.states != self.truth:
            assert boottime() < deadline, (self.picture.states, self.truth, self.consumer.lag)
            time.sleep(0.001)

    @invariant()
    def nothing_is_missed_unseen(self):
        assert not self.picture.gaps

    def teardown(self):
        try:
            self.reconcile()
            assert not self.picture.gaps
        finally:
            self.consumer.close()
            self.ledger.close()
            self.folder.cleanup()


Walk.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # a failure that depends on threads cannot be shrunk
)
TestWalk = Walk.TestCase
