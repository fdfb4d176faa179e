"""What authors of drivers test with: the suite that the library's own drivers are held to.

A driver is one class and one entry point in the namespace ``servicegroup.drivers``; its test is
one class with one fixture. Here is the whole of it, for a driver named ``files`` that keeps its
members in a folder::

    import pytest
    from servicegroup.testing import DriverConformance, Store, clear_folder


    class TestFiles(DriverConformance):
        @pytest.fixture
        def store(self, tmp_path):
            options = {"servicegroup_files": {"folder": str(tmp_path)}}
            with Store("files", options, lose=lambda: clear_folder(tmp_path)) as store:
                yield store

That runs more than a hundred named tests, one for each promise of the contract, and a random walk
(Hypothesis) over all of them against a model. See :class:`Store` for what makes it faster and more
thorough. The ``memory`` driver (:mod:`servicegroup.testing.memory`) is the contract in its plainest
form; its store's faults can be switched, and its time passes by a :class:`FakeClock`.

``PluginConformance`` and ``PluginSource`` are the same for plugins of the synchronizer
(:mod:`servicegroup.synchronizer.conformance`).

The suite needs ``servicegroup[test]``; the memory driver and the clock need nothing.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from servicegroup.testing.clock import FakeClock
    from servicegroup.testing.conformance import DriverConformance
    from servicegroup.testing.database import DatabaseStore
    from servicegroup.testing.machine import MembershipMachine, walk
    from servicegroup.testing.memory import MemoryDriver, MemoryStore, MemoryStoreDown
    from servicegroup.testing.store import Store, clear_folder

__all__ = [
    "DatabaseStore",
    "DriverConformance",
    "FakeClock",
    "MembershipMachine",
    "MemoryDriver",
    "MemoryStore",
    "MemoryStoreDown",
    "Store",
    "clear_folder",
    "walk",
]

# The memory driver is loaded through this package where neither pytest nor Hypothesis is
# installed: each name is imported when it is asked for.
_PLACES = {
    "DatabaseStore": "database",
    "DriverConformance": "conformance",
    "FakeClock": "clock",
    "MembershipMachine": "machine",
    "MemoryDriver": "memory",
    "MemoryStore": "memory",
    "MemoryStoreDown": "memory",
    "Store": "store",
    "clear_folder": "store",
    "walk": "machine",
}


def __getattr__(name: str) -> Any:
    for entry in importlib.metadata.entry_points(group="servicegroup.testing", name=name):
        return entry.load()  # of the synchronizer, which is no part of the core
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
