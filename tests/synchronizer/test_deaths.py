"""Kill -9 of a collector, of the synchronizer and of the broker, at any moment, on real processes.

A state machine walks at random: however often whoever dies, one complete poll later the consumer's
picture is the source's truth. ``SERVICEGROUP_WALKS=N`` walks N times, longer and each time another
way; a failure names the seed of its walk, to be given by ``SERVICEGROUP_WALK=SEED``.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
from sources.publisher import Publisher
from sources.scene import PATIENCE, Scene

from servicegroup.clock import boottime

KEYS = [f"k{number}" for number in range(40)]
#: Told by the bus alone, so that whoever heard it has heard everything before it.
BEACON = "beacon"
WALKS = int(os.environ.get("SERVICEGROUP_WALKS", "0"))
if seed := os.environ.get("SERVICEGROUP_WALK"):
    SEEDS = [int(seed)]
else:
    SEEDS = [random.randrange(2**32) for _ in range(WALKS)] or [8]
#: Seconds after which somebody dies who is at work.
LONGEST_MOMENT = 0.04


class Told:
    """What the consumer believes, and the process that tells it; kept when that is killed."""

    def __init__(self, file):
        self.believed = {}
        self.gaps = []
        self._file = file
        self._log = file.with_suffix(".log").open("a")
        self._token = None
        self._new = None
        self._heard = threading.Condition()
        self._beacon = self._reconciled = 0
        self._process = None

    def start(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sources.consuming", str(self._file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        )
        self._thread = threading.Thread(target=self._listen, args=(self._process,))
        self._thread.start()

    def close(self):
        self.kill()
        self._log.close()

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._thread.join()
        self._process.stdin.close()
        self._process.stdout.close()

    def ask(self, number):
        self._process.stdin.write(f"reconcile {number}\n")
        self._process.stdin.flush()

    def heard(self, number, seconds):
        with self._heard:
            return self._heard.wait_for(lambda: self._beacon >= number, seconds)

    def reconciled(self, number):
        with self._heard:
            return self._heard.wait_for(lambda: self._reconciled >= number, PATIENCE)

    def _listen(self, process):
        for line in process.stdout:
            with self._heard:
                with contextlib.suppress(ValueError):  # killed in the middle: it is told again
                    self._take(json.loads(line))
                self._heard.notify_all()

    def _take(self, event):
        op, key = event["op"], event.get("key")
        if op == "reconciled":
            self._reconciled = event["number"]
            return
        token = event["epoch"], event["seq"]
        if op in ("create", "update", "delete"):
            if self._token is None or self._token < (token[0], event["after"]):
                self.gaps.append(event)
            if op == "delete":
                self.believed.pop(key, None)
            else:
                self.believed[key] = event["state"]
        elif op == "snapshot_begin":
            self._new = {}
        elif op == "snapshot":
            self._new[key] = event["state"]
        elif op == "snapshot_end":
            self.believed = self._new
        if key == BEACON and op in ("create", "update"):
            self._beacon = max(self._beacon, int(event["state"]))
        self._token = token if event["seq"] else self._token


class Deaths:
    """One source, one broker, one synchronizer on its baseline."""

    def __init__(self, folder, broker, randomly):
        self.randomly = randomly
        self.broker = broker
        self.scene = Scene(folder / uuid.uuid4().hex[:8])
        topic = f"t{uuid.uuid4().hex[:8]}"
        own = {"transport_url": broker.url, "topics": topic, "pool": f"{topic}-ours"}
        self.scene.conf("Scripted,Notified", own=own)
        self.topic = topic
        self.truth, self.version, self.number, self.broken = {}, 0, 0, False
        self.publisher = None
        self.told = Told(self.scene.folder / "synchronizer.conf")
        self.told.start()

    # -- the source and its notifications -----------------------------------------------------

    def change(self):
        """Change or delete some; the service notifies of each, of none, or of the first alone."""
        keys = self.randomly.sample(KEYS, self.randomly.randrange(1, 30))
        state = self.randomly.choice(["1", "2", None])
        notified = self.randomly.choice(["each", "none", "first"])
        for number, key in enumerate(keys):
            self.version += 1
            if state is None:
                self.truth.pop(key, None)
            else:
                self.truth[key] = {"key": key, "state": state, "timestamp": float(self.version)}
            if notified == "each" or (notified == "first" and number == 0):
                gone = {"key": key, "mark": "deleted", "timestamp": float(self.version)}
                self.notify(self.truth.get(key, gone))
        self.write()

    def mislead(self):
        """Notify of what is not so: the collector's process told the truth of it before."""
        if self.truth:
            self.version += 1
            key = self.randomly.choice(sorted(self.truth))
            self.notify({"key": key, "state": "wrong", "timestamp": float(self.version)})

    def break_or_mend_the_source(self):
        self.broken = not self.broken
        self.write()

    def write(self):
        self.scene.source.write(*self.truth.values(), then="fail" if self.broken else "end")

    def notify(self, values):
        if not self.broker.running:
            return  # whoever notifies is not heard either
        if self.publisher is None:
            self.publisher = Publisher(self.broker.url, self.topic)
        self.publisher.say(**values)

    def hang_up(self):
        publisher, self.publisher = self.publisher, None
        if publisher is not None:
            publisher.transport.cleanup()

    # -- deaths -------------------------------------------------------------------------------

    def kill_the_collector(self):
        self.at_work()
        for pid in filter(self.is_collector, set(self.scene.source.polls)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_the_synchronizer(self):
        self.at_work()
        self.told.kill()
        self.told.start()

    def kill_or_start_the_broker(self):
        if self.broker.running:
            self.at_work()
            self.hang_up()
            self.broker.kill()
        else:
            self.broker.start()

    def at_work(self):
        """Let some time pass, in half of all cases after something was begun."""
        if self.randomly.random() < 0.5:
            self.told.ask(self.number)
        time.sleep(self.randomly.uniform(0, LONGEST_MOMENT))

    @staticmethod
    def is_collector(pid):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            return b"servicegroup.synchronizer.collecting" in words
        return False

    # -- the promise --------------------------------------------------------------------------

    def reconcile(self):
        """Once all are there again, and nothing is under way any more: one complete poll."""
        if not self.broker.running:
            self.broker.start()
        self.broken = False
        self.write()
        self.mislead()
        self.number += 1
        deadline = boottime() + PATIENCE
        while not self.told.heard(self.number, 0.5):
            assert boottime() < deadline, "nothing is heard of the bus"
            self.notify({"key": BEACON, "state": str(self.number)})
        self.told.ask(self.number)
        assert self.told.reconciled(self.number)
        believed = {key: state for key, state in self.told.believed.items() if key != BEACON}
        assert believed == {key: values["state"] for key, values in self.truth.items()}
        assert not self.told.gaps, "something was missed unseen"

    def close(self):
        self.hang_up()
        self.told.close()
        if not self.broker.running:
            self.broker.start()
        deadline = boottime() + PATIENCE
        while any(map(self.is_collector, self.scene.source.polls)):
            assert boottime() < deadline, "a collector outlived its parent"
            time.sleep(0.05)


@pytest.mark.parametrize("seed", SEEDS)
def test_whoever_dies_leaves_no_lasting_difference(tmp_path, rabbitmq, seed):
    randomly = random.Random(seed)
    walk = Deaths(tmp_path, rabbitmq, randomly)
    deaths = [walk.kill_the_collector, walk.kill_the_synchronizer, walk.kill_or_start_the_broker]
    others = [walk.change] * 4 + [walk.break_or_mend_the_source, walk.reconcile, *deaths[:2]]
    steps = deaths * (5 if WALKS else 1) + randomly.choices(others, k=60 if WALKS else 15)
    randomly.shuffle(steps)
    try:
        # The last one finds everybody at work who told what the one before it found.
        for step in [*steps, walk.reconcile, walk.reconcile]:
            step()
    finally:
        walk.close()
