"""kazoo with what filling and clearing takes: many changes in one request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kazoo.client import KazooClient
from kazoo.protocol.serialization import Create, Delete, Transaction
from kazoo.security import OPEN_ACL_UNSAFE

#: Changes in one request; the server takes at most 1 MB.
AT_ONCE = 1000
EPHEMERAL = 1


class Tree:
    """A client of its own, which ends what it made as ephemeral when it is closed."""

    def __init__(self, address: str, session: float) -> None:
        self.client = KazooClient(address, timeout=session)
        self.client.start()

    def close(self) -> None:
        self.client.stop()
        self.client.close()

    def create(self, nodes: Iterable[tuple[str, bytes]], *, ephemeral: bool = False) -> None:
        """Make many nodes."""
        flags = EPHEMERAL if ephemeral else 0
        self._change([Create(path, data, OPEN_ACL_UNSAFE, flags) for path, data in nodes])

    def clear(self, path: str) -> None:
        """Remove the nodes below one, which have none below themselves."""
        self._change([Delete(child, -1) for child in self.children(path)])

    def children(self, path: str) -> list[str]:
        """Return the paths of the nodes below one, if there are any."""
        there = self.client.exists(path) is not None
        return [f"{path}/{name}" for name in self.client.get_children(path)] if there else []

    def ask(self, request: Any) -> Any:
        """Send a request of any kind; returns what its answer can be got from."""
        result = self.client.handler.async_result()
        self.client._call(request, result)
        return result

    def _change(self, changes: Sequence[Any]) -> None:
        for start in range(0, len(changes), AT_ONCE):
            for one in self.ask(Transaction(changes[start : start + AT_ONCE])).get():
                if isinstance(one, Exception):
                    raise one
