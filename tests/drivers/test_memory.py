"""The reference driver, held to the contract that it is the model of, and its switches."""

import subprocess
import sys
import threading

import pytest

from servicegroup.door import Door
from servicegroup.exceptions import DriverUnavailable
from servicegroup.testing import DriverConformance, MemoryStore, MemoryStoreDown
from servicegroup.testing.scene import GROUP, join, listed


class TestMemory(DriverConformance):
    walks = 150

    @pytest.fixture
    def store(self, memory_store):
        return memory_store


def test_stores_are_found_by_name():
    assert MemoryStore.named("one") is MemoryStore.named("one")
    assert MemoryStore.named("one") is not MemoryStore.named("other")


def test_a_store_that_is_unavailable(memory_store):
    driver = memory_store.driver()
    held = join(driver)
    memory = MemoryStore.named(memory_store.conf.servicegroup_memory.store)
    memory.unavailable = True
    for call in (
        driver.groups,
        driver.start,
        lambda: driver.join([held]),
        lambda: driver.update([held]),
        lambda: driver.heartbeat(held.instance_id, [held]),
        lambda: driver.leave([held]),
        lambda: driver.end(held.instance_id, "died"),
        lambda: driver.sightings(GROUP),
        lambda: driver.watch(GROUP, lambda _: None),
    ):
        with pytest.raises(MemoryStoreDown):
            call()
    with pytest.raises(DriverUnavailable) as caught:
        Door("memory", driver).groups()
    assert isinstance(caught.value.__cause__, MemoryStoreDown)
    driver.stop()
    memory.unavailable = False
    assert listed(driver) == {"m"}


def test_a_store_that_hangs_answers_when_it_is_let_go(memory_store):
    driver = memory_store.driver()
    memory = MemoryStore.named(memory_store.conf.servicegroup_memory.store)
    memory.hang.set()
    answered = threading.Event()

    def ask():
        driver.groups()
        answered.set()

    thread = threading.Thread(target=ask)
    thread.start()
    assert not answered.wait(0.2)
    memory.hang.clear()
    assert answered.wait(5)
    thread.join()


def test_watches_are_told_that_everything_was_lost(memory_store):
    driver = memory_store.driver()
    calls = []
    driver.watch(GROUP, calls.append)
    memory_store.lose()
    assert calls == [None]


PROGRAM = """
import sys
import servicegroup, servicegroup.config
from oslo_config import cfg
conf = cfg.ConfigOpts()
conf([], project="servicegroup", default_config_files=[], default_config_dirs=[])
servicegroup.config.register(conf)
conf.set_override("driver", "memory", group="servicegroup")
with servicegroup.ServiceGroup(conf) as sg, sg.join("g", "m"):
    assert sg.is_up("g", "m")
print(sorted({"pytest", "hypothesis", "sqlalchemy"}.intersection(sys.modules)))
"""


def test_it_needs_no_library_that_only_tests_have():
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True)
    assert done.stdout.decode().strip() == "[]"
