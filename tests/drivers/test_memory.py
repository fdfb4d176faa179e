"""The reference driver, held to the contract that it is the model of."""

import uuid

import pytest

from servicegroup.testing import DriverConformance, FakeClock, MemoryStore, Store


class TestMemory(DriverConformance):
    walks = 150

    @pytest.fixture
    def store(self):
        name = str(uuid.uuid4())
        memory, clock = MemoryStore.named(name), FakeClock()
        memory.clock = clock
        options = {"servicegroup_memory": {"store": name}}
        with Store("memory", options, age=clock.advance, lose=memory.lose, exact=True) as store:
            yield store
