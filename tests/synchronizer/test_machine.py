"""Random walks: whatever happens in whatever order, the callbacks alone rebuild the truth.

Polls begin and end (or fail) around notifications that are lost, doubled or late; collectors, the
ledger and consumers crash at any point between. One walk per step of the real code, without
processes: each takes milliseconds. What processes add is walked through below.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sources.scene import PATIENCE, Picture
from sources.scripted import TYPE

from servicegroup.clock import boottime
from servicegroup.synchronizer import ACKNOWLEDGED, Deleted, Entity, Synchronizer
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


# -- with real processes ----------------------------------------------------------------------

PARENT = """
import json, sys, threading
from oslo_config import cfg
from servicegroup.synchronizer import ACKNOWLEDGED, Synchronizer
from sources.scripted import TYPE

conf = cfg.ConfigOpts()
conf(["--config-file", sys.argv[1]], project="servicegroup", use_env=False)
sync = Synchronizer(conf)

def callback(event):
    sys.stdout.write(json.dumps(event.as_dict()) + "\\n")
    sys.stdout.flush()

sync.register([TYPE], callback, name="graph", resume=ACKNOWLEDGED)
sync.start()
threading.Event().wait()
"""


def test_a_parent_killed_at_any_moment_leaves_no_lasting_difference(scene, source, tmp_path):
    """Every change of what the killed ones printed, put together, is the source's truth."""
    scene.conf(poll_interval=0.02)
    told, pids = {}, set()
    randomly = random.Random(8)
    for life in range(6):
        truth = {f"k{n}": str(randomly.randrange(3)) for n in range(randomly.randrange(40))}
        source.states(**truth)
        process = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(tmp_path / "synchronizer.conf")],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        )
        try:
            if life < 5:
                for _ in range(randomly.randrange(3)):
                    process.stdout.readline() if life == 0 else None
                time.sleep(randomly.uniform(0.3, 1.0))
                process.send_signal(signal.SIGKILL)
                believe(told, process.stdout.read())
            else:
                deadline = boottime() + PATIENCE
                while told != truth:
                    assert boottime() < deadline, (told, truth)
                    believe(told, process.stdout.readline())
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        pids.update(source.polls)
    deadline = boottime() + PATIENCE
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert boottime() < deadline, "a collector outlived its parent"
        time.sleep(0.05)


def believe(told, lines):
    import json

    for line in lines.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # it was killed while it printed: not acknowledged, so it is told again
        if event["op"] == "snapshot_begin":
            told.clear()
        elif event["op"] in ("snapshot", "create", "update"):
            told[event["key"]] = event["state"]
        elif event["op"] == "delete":
            told.pop(event["key"], None)


def test_children_and_streams_that_fail_at_random_leave_no_lasting_difference(scene, source):
    """Kills of the child, failing polls, notifications and restarts, on real processes."""
    from sources import scripted

    randomly = random.Random(88)
    picture, truth = Picture(), {}

    def start(resume):
        sync = Synchronizer(scene.conf("Scripted,Pushed", poll_interval=0.02))
        scene.running.append(sync)
        sync.register([TYPE], picture, name="graph", resume=resume)
        sync.start()
        return sync

    sync = start(None)
    for _ in range(60):
        what = randomly.choice(["change", "change", "notify", "kill", "fail", "mend", "restart"])
        key = randomly.choice("abcdef")
        if what == "change":
            truth = {**truth, key: str(randomly.randrange(4))}
            if randomly.random() < 0.4:
                truth.pop(key)
            source.states(**truth)
        elif what == "notify" and scripted.Pushed.running is not None:
            item = Deleted(key, TYPE)
            if key in truth:
                item = Entity(key=key, type=TYPE, state=truth[key])
            scripted.Pushed.running.changed([item])
        elif what == "kill":
            pids = [one.pid for one in sync._sources if getattr(one, "pid", None)]
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
        elif what in ("fail", "mend"):
            source.states("fail" if what == "fail" else "end", **truth)
        elif what == "restart" and randomly.random() < 0.5:
            scripted.Pushed.running = None
            sync.stop()
            sync = start(ACKNOWLEDGED)
        time.sleep(randomly.uniform(0, 0.05))
    source.states(**truth)
    picture.until_states(**truth)
    assert not picture.gaps
