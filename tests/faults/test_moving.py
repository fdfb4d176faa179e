"""A fleet of real processes moves from driver to driver, and nobody takes a life for lost.

Two variables make it larger and its way another one:
``SERVICEGROUP_TEST_DAEMONS=200 SERVICEGROUP_TEST_WAY=db,zookeeper,db``.
"""

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from itertools import pairwise

import pytest
from fleet.fixtures import migrated
from fleet.litter import GROUP, configured
from fleet.process import environment_of_daemons

from servicegroup import EventType, ServiceGroup, State

#: The drivers on the way, one after the other.
WAY = os.environ.get("SERVICEGROUP_TEST_WAY", "db,zookeeper,k8s,db").split(",")
#: How many; any multiple of AT_ONCE.
DAEMONS = int(os.environ.get("SERVICEGROUP_TEST_DAEMONS", "50"))
#: As many are restarted at once.
AT_ONCE = 10
#: Seconds: none of these should matter, as whoever is restarted leaves and joins.
INTERVAL, DOWN, PATIENCE = 5.0, 30.0, 120.0


class Fleet:
    """The processes, and which of them must be seen at a moment."""

    def __init__(self, shared):
        told = json.dumps({**shared, "drivers": sorted(set(WAY))})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fleet.litter", told],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment_of_daemons(),
        )
        self._news = threading.Condition()
        self._heard = []
        self._lives = dict.fromkeys(range(DAEMONS), 0)
        self._up = set()
        self._ear = threading.Thread(target=self._listen, daemon=True)
        self._ear.start()

    def living(self):
        """Return who is up now, each with the number of its life."""
        with self._news:
            return {(f"node-{one}", self._lives[one]) for one in self._up}

    def restart(self, numbers, **options):
        """Let these leave, if they are there, and begin anew with other options."""
        with self._news:
            leaving = [one for one in numbers if one in self._up]
            self._up.difference_update(numbers)
        for one in leaving:
            self._tell("stop", one)
        self._wait("ended", leaving)
        for one in numbers:
            self._tell("start", one, options)
        self._wait("up", numbers)
        with self._news:
            for one in numbers:
                self._lives[one] += 1
            self._up.update(numbers)

    def roll(self, **options):
        """Restart everybody, some at a time."""
        for first in range(0, DAEMONS, AT_ONCE):
            self.restart(range(first, first + AT_ONCE), **options)

    def close(self):
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._ear.join()
        self._process.stdout.close()

    def _tell(self, *order):
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def _listen(self):
        for line in self._process.stdout:
            with self._news:
                self._heard.append(json.loads(line))
                self._news.notify_all()

    def _wait(self, word, numbers):
        waited, until = set(numbers), time.monotonic() + PATIENCE
        with self._news:
            while waited:
                for what in self._heard:
                    assert "failed" not in what, what
                    waited.discard(what.get(word))
                self._heard = [what for what in self._heard if what.get(word) not in numbers]
                left = until - time.monotonic()
                assert left > 0, f"{waited} are not {word}"
                if waited:
                    self._news.wait(left)


class Observer:
    """Judges everybody by one driver without pause; a life that went on must be up throughout."""

    def __init__(self, fleet, shared, driver):
        self._fleet = fleet
        self._group = ServiceGroup(
            configured(shared, {"driver": driver, "use_records": False if driver != "db" else None})
        )
        self._watch = self._group.watch(GROUP)
        self.wrong = []
        self.kinds = set()
        self.looks = 0
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._look, self._follow)
        ]
        for thread in self._threads:
            thread.start()

    def close(self):
        self._closed.set()
        for thread in self._threads:
            thread.join()
        self._watch.close()
        self._group.close()

    def _look(self):
        while not self._closed.is_set():
            before = self._fleet.living()
            states = self._group.states(GROUP)
            through = before & self._fleet.living()
            wrong = {one: states.get(one) for one, _ in through if states.get(one) is not State.UP}
            if wrong:
                self.wrong.append(wrong)
            self.looks += 1
            self._closed.wait(0.1)

    def _follow(self):
        while not self._closed.is_set():
            event = self._watch.next_event(0.2)
            if event is not None:
                self.kinds.add(event.type)
                if event.type in {EventType.DOWN, EventType.UNKNOWN, EventType.STALE}:
                    self.wrong.append(event)


def judged_by(driver, *further):
    """Return options; beside another driver there are no records, so that it judges alone."""
    records = {} if driver == "db" else {"use_records": False}
    return {"driver": driver, "report_to": list(further), **records}


@pytest.fixture
def shared(postgresql_server, zookeeper, kubernetes, tmp_path):
    database = postgresql_server(settings={"max_connections": "200"}).create_database()
    namespace = kubernetes.create_namespace(f"moving-{uuid.uuid4().hex[:8]}")
    kubeconfig = kubernetes.kubeconfig(tmp_path / "kubeconfig", namespace=namespace)
    root = f"/moving-{uuid.uuid4()}"
    return {
        "servicegroup": {
            "report_interval": INTERVAL,
            "service_down_time": DOWN,
            "poll_interval": 0.3,
        },
        "servicegroup_database": {"connection": migrated(database)},
        "servicegroup_zookeeper": {
            "hosts": zookeeper.address,
            "root": root,
            "session_timeout": 20,
        },
        "servicegroup_k8s": {"kubeconfig": str(kubeconfig)},
    }


@pytest.mark.slow
def test_a_fleet_moves_from_driver_to_driver(shared):
    fleet = Fleet(shared)
    observers = {}

    def observe(*drivers):
        for driver in [one for one in observers if one not in drivers]:
            stop(driver)
        for driver in drivers:
            if driver not in observers:
                observers[driver] = Observer(fleet, shared, driver)

    def stop(driver):
        observer = observers.pop(driver)
        observer.close()
        assert not observer.wrong, f"by {driver}: {observer.wrong[:3]}"
        assert observer.looks > 3

    def ready(driver, further):
        with ServiceGroup(configured(shared, judged_by(driver, further))) as group:
            [seen] = group.readiness()
            assert seen.ready, dict(seen.missing)
            assert seen.alive == DAEMONS

    try:
        fleet.roll(**judged_by("db"))
        observe("db")
        for old, new in pairwise(WAY):
            fleet.roll(**judged_by(old, new))
            ready(old, new)
            observe(old, new)
            fleet.roll(**judged_by(new, old))
            ready(new, old)
            restarted = observers[old].kinds | observers[new].kinds
            assert restarted & {EventType.LEFT, EventType.CHANGED}
            observe(new)
        observe()
    finally:
        for observer in observers.values():
            observer.close()
        fleet.close()
