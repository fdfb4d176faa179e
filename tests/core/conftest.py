"""Fleets in one process: several ServiceGroups on one private store, with short real times."""

import itertools
import threading
import time

import pytest
from oslo_config import cfg

import servicegroup
from servicegroup import config, loading
from servicegroup.testing.memory import MemoryStore

INTERVAL = 0.1
DOWN = 1.0

_names = itertools.count()


@pytest.fixture
def store_name():
    """The name of a store that nobody else knows."""
    return f"core-{next(_names)}"


@pytest.fixture
def store(store_name):
    """The store itself, with its switches for faults."""
    return MemoryStore.named(store_name)


@pytest.fixture
def make(store_name):
    """Make ServiceGroups on the store; they are closed, and leave no thread behind."""
    before = set(threading.enumerate())
    made = []

    def make(driver="memory", database=None, inventory=None, conductor=None, **options):
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        config.register(conf)
        for name, value in {
            "driver": driver,
            "report_interval": INTERVAL,
            "service_down_time": DOWN,
            "poll_interval": 0.05,
            "stop_deadline": 2.0,
            **options,
        }.items():
            conf.set_override(name, value, "servicegroup")
        for name, value in (conductor or {}).items():
            conf.set_override(name, value, "servicegroup_conductor")
        loading.register_options(conf, loading.load("memory"))
        conf.set_override("store", store_name, "servicegroup_memory")
        if database is not None:
            loading.register_options(conf, loading.load("db"))
            conf.set_override("connection", database, "servicegroup_database")
        made.append(servicegroup.ServiceGroup(conf, inventory))
        return made[-1]

    yield make
    for one in made:
        one.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(30.0)
    left = [thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()]
    assert not left, f"threads left behind: {left}"


@pytest.fixture
def eventually():
    """Wait until something holds; fails with the last value if it never does."""

    def eventually(condition, seconds=30.0):
        until = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > until:
                pytest.fail(f"did not come within {seconds} s: last value {value!r}")
            time.sleep(0.01)
        return value

    return eventually


@pytest.fixture
def fall_silent():
    """Let a ServiceGroup's process beat no more; returns when no beat is under way either."""

    def fall_silent(group):
        heart = group._process.heart
        heart._stopped = True
        heart._rouse()
        heart._thread.join(30.0)
        for report in heart._everywhere:
            report.flush(30.0)

    return fall_silent
