"""kazoo by hand, with the one request that it lacks: many nodes read at once."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable, Generator
from typing import Any

from kazoo.client import KazooClient

from benchmarks import rivals
from benchmarks.places import member, member_id
from benchmarks.zookeeper.tree import Tree
from servicegroup.drivers.zookeeper import layout
from servicegroup.drivers.zookeeper.wire import MultiRead, contents

_PATHS = layout.Paths("/servicegroup")
#: Where the bare client makes nodes, out of everybody's sight.
_ONE, _ALL, _WATCHED = "/bare/one", "/bare/all", "/bare/watched"
#: Nodes read by one request.
_READ = 2000


class BareZooKeeper(rivals.Bare):
    """One session; as many requests under way as there are."""

    def __init__(self, address: str, session: float) -> None:
        self._address = address
        self._session = session
        self._tree = Tree(address, session)
        self._client = self._tree.client
        for path in (_ONE, _ALL, _WATCHED):
            self._client.ensure_path(path)
        self._data = layout.packed(member(0, "0" * 36), 0.0)
        self._joined: list[str] = []

    def close(self) -> None:
        self._tree.close()

    def objects(self, group: str) -> Any:
        """Read the names, all contents, and which processes are there; decode all at once."""
        folder = _PATHS.group(group)
        names = self._client.get_children(folder)
        sent = [
            self._tree.ask(MultiRead([f"{folder}/{name}" for name in names[start : start + _READ]]))
            for start in range(0, len(names), _READ)
        ]
        there = self._client.get_children_async(_PATHS.instances)
        found: list[bytes] = []
        for one in sent:
            found += contents(*one.get())
        return set(there.get()), json.loads(b"[" + b",".join(found) + b"]")

    load = objects
    again = objects

    def one(self, group: str, member: str) -> Any:
        return self._client.exists(_PATHS.member(group, member))

    def beat(self, instance: str) -> Any:
        return self._client.exists(_PATHS.instance(instance))

    def join(self, name: str) -> None:
        """Make one ephemeral node."""
        path = f"{_ONE}/{name}"
        self._client.create(path, self._data, ephemeral=True)
        self._joined.append(path)

    def leave(self) -> None:
        while self._joined:
            self._client.delete(self._joined.pop())

    def join_many(self, count: int) -> Callable[[str], None]:  # noqa: ARG002
        return self.join

    def join_all(self, group: str, size: int) -> None:  # noqa: ARG002
        """Make all nodes, in as few requests as the server takes."""
        names = map(member_id, range(size))
        self._tree.create((f"{_ALL}/{name}", self._data) for name in names)

    def leave_all(self) -> None:
        self.leave()
        self._tree.clear(_ALL)

    def events(self, interval: float) -> Generator[float]:  # noqa: ARG002
        """Write a node, and be told of it elsewhere."""
        watcher = KazooClient(self._address, timeout=self._session)
        watcher.start()
        told: queue.SimpleQueue[float] = queue.SimpleQueue()

        def heard(_: Any) -> None:
            told.put(time.perf_counter())

        try:
            watcher.get(_WATCHED, watch=heard)
            while True:
                start = time.perf_counter()
                self._client.set(_WATCHED, self._data)
                taken = told.get(timeout=10) - start
                watcher.get(_WATCHED, watch=heard)
                yield taken
        finally:
            watcher.stop()
            watcher.close()
