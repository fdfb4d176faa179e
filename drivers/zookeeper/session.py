"""What is asked of ZooKeeper: many nodes at once, changes that go together, watches on subtrees."""

from __future__ import annotations

import collections
import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from kazoo import exceptions as kazoo_errors
from kazoo.protocol import serialization as requests

from .client import REFUSED, Client
from .connection import Happened
from .settings import Options
from .wire import AddWatch, Children, MultiRead, Node, RemoveWatch, contents, names, node, nodes

T = TypeVar("T")
LOG = logging.getLogger(__name__)

#: What a transaction answers of changes that were not the one that failed.
_PASSIVE = (kazoo_errors.RolledBackError, kazoo_errors.RuntimeInconsistency)
#: Nodes read by one request, and bytes of their paths: the server takes at most 1 MB.
READ_NODES = 2000
READ_BYTES = 400_000
#: Bytes of one answer beyond which fewer nodes are asked for: a large one holds up all behind it.
ANSWER_BYTES = 4_000_000
#: Requests that are under way at once.
READS_AHEAD = 4
SINGLE_READS_AHEAD = 500
#: Seconds between two looks at groups that are watched, while the server tells no changes.
OLDER_LOOKS = 1.0
#: kazoo's name for a node that ends with its session.
_EPHEMERAL = 1


class Session(Client):
    """The requests of one driver. Usable from any thread; errors as of :class:`Client`."""

    def __init__(self, options: Options, call_timeout: float, report_interval: float) -> None:
        super().__init__(options, call_timeout, report_interval)
        self._multi_read = True
        self._remove_watch = True
        #: Held while a watch is noted and asked for: the server must get the last word last.
        self._arming = threading.Lock()
        self._read_nodes = READ_NODES
        self._older = False
        self._look_at = 0.0
        #: Whether the server can watch subtrees.
        self.watches = True

    def read(self, paths: Sequence[str], *, newest: bool = False) -> list[Node | None]:
        """Read nodes; ``None`` for one that is not there.

        :param newest: not older than the moment of the call, whichever server is asked
        """
        return self._read(paths, nodes, lambda found: found, newest=newest)

    def contents(self, paths: Sequence[str]) -> list[bytes | None]:
        """Read the data of nodes without their stat, in half the time."""
        return self._read(paths, contents, lambda found: found.data, newest=False)

    def contents_then_children(
        self, paths: Sequence[str], folder: str
    ) -> tuple[list[bytes | None], list[str]]:
        """Read the data of nodes and, not earlier, the names below another one; in one go."""
        asked: list[Any] = []
        found = self._read(
            paths,
            contents,
            lambda found: found.data,
            newest=False,
            then=lambda client: asked.append(self._ask_children(client, folder)),
        )
        return found, self._children(asked[-1])

    def _read(
        self,
        paths: Sequence[str],
        taken: Callable[[bytes, int], list[T | None]],
        single: Callable[[Node], T],
        *,
        newest: bool,
        then: Callable[[Any], None] | None = None,
    ) -> list[T | None]:
        client = self._connected()
        if newest:  # answered before what is asked after it
            self._send(client, requests.Sync(self._full(client, "/")))
        full = [self._full(client, path) for path in paths] if client.chroot else paths
        if self._multi_read:
            try:
                return self._read_many(client, full, taken, then)
            except kazoo_errors.UnimplementedError:
                LOG.info("this ZooKeeper is older than 3.6: members are read one by one")
                self._multi_read = False
        found = [None if one is None else single(one) for one in self._read_each(client, full)]
        if then is not None:
            then(client)
        return found

    def children(self, path: str) -> list[str]:
        """Return the names below a node; none if it is not there."""
        return self._children(self._ask_children(self._connected(), path))

    def _ask_children(self, client: Any, path: str) -> Any:
        return self._send(client, Children(self._full(client, path)))

    def _children(self, result: Any) -> list[str]:
        try:
            return names(*self._answer(result))
        except kazoo_errors.NoNodeError:
            return []

    def change(self, changes: Sequence[Any]) -> None:
        """Carry out all of *changes* or none; they are made by the methods below.

        :raises kazoo.exceptions.ZookeeperError: of the first that cannot be: ``BadVersionError``,
            ``NodeExistsError`` or ``NoNodeError``
        """
        client = self._connected()
        request = requests.Transaction([self._placed(client, one) for one in changes])
        for result in self._answer(self._send(client, request)):
            if isinstance(result, REFUSED):
                raise self._forbidden(result) from result
            if isinstance(result, Exception) and not isinstance(result, _PASSIVE):
                raise result

    def create(self, path: str, data: bytes = b"", *, mortal: bool = False) -> Any:
        """Make a node; *mortal*: it ends with our session."""
        flags = _EPHEMERAL if mortal else 0
        return requests.Create(path, data, self._options.acl, flags)

    @staticmethod
    def delete(path: str, version: int = -1) -> Any:
        """Remove a node, of that version."""
        return requests.Delete(path, version)

    @staticmethod
    def write(path: str, data: bytes = b"", version: int = -1) -> Any:
        """Replace the data of a node of that version."""
        return requests.SetData(path, data, version)

    @staticmethod
    def check(path: str, version: int = -1) -> Any:
        """Require that a node is there, in that version."""
        return requests.CheckVersion(path, version)

    def request(self, change: Any) -> Any:
        """Carry out one change and return its answer."""
        client = self._connected()
        return self._answer(self._send(client, self._placed(client, change)))

    def ensure(self, contents: dict[str, bytes]) -> None:
        """Make nodes that are not there yet, and what lies above them."""
        client = self._connected()
        above: dict[str, bytes] = {}
        for path, data in contents.items():
            full = self._full(client, path)
            steps = full.split("/")
            for length in range(2, len(steps)):
                above.setdefault("/".join(steps[:length]), b"")
            above[full] = data
        order = sorted(above, key=lambda path: path.count("/"))
        there = [self._send(client, requests.Exists(path, None)) for path in order]
        # What is there must not be made again: even to be told so needs rights above it.
        missing = [path for path, one in zip(order, there, strict=True) if not self._answer(one)]
        acl = self._options.acl
        sent = [self._send(client, requests.Create(path, above[path], acl, 0)) for path in missing]
        for result in sent:
            with contextlib.suppress(kazoo_errors.NodeExistsError):
                self._answer(result)

    def attempt(self, changes: Sequence[Any]) -> Any:
        """Carry out *changes* if they can be, without waiting; its answer will be in the result."""
        client = self._connected()
        placed = [self._placed(client, one) for one in changes]
        return self._send(client, requests.Transaction(placed))

    def _read_many(
        self,
        client: Any,
        full: Sequence[str],
        taken: Callable[[bytes, int], list[T | None]],
        then: Callable[[Any], None] | None,
    ) -> list[T | None]:
        under_way: collections.deque[tuple[Any, int]] = collections.deque()
        found: list[T | None] = []
        for chunk in self._chunks(full):
            under_way.append((self._send(client, MultiRead(chunk)), len(chunk)))
            if len(under_way) >= READS_AHEAD:
                found += self._taken(*under_way.popleft(), taken)
        if then is not None:
            then(client)
        while under_way:
            found += self._taken(*under_way.popleft(), taken)
        return found

    def _taken(
        self, result: Any, count: int, taken: Callable[[bytes, int], list[T | None]]
    ) -> list[T | None]:
        buffer, offset = self._answer(result)
        if len(buffer) > ANSWER_BYTES:
            self._read_nodes = max(50, count * ANSWER_BYTES // len(buffer))
        try:
            return taken(buffer, offset)
        except REFUSED as error:
            raise self._forbidden(error) from error

    def _chunks(self, paths: Sequence[str]) -> Iterator[Sequence[str]]:
        start = 0
        while start < len(paths):
            chunk = paths[start : start + self._read_nodes]
            while len(chunk) > 1 and sum(map(len, chunk)) > READ_BYTES:
                chunk = chunk[: len(chunk) // 2]
            yield chunk
            start += len(chunk)

    def _read_each(self, client: Any, full: Iterable[str]) -> Iterator[Node | None]:
        under_way: collections.deque[Any] = collections.deque()
        for path in full:
            under_way.append(self._send(client, requests.GetData(path, None)))
            if len(under_way) >= SINGLE_READS_AHEAD:
                yield self._single(under_way.popleft())
        while under_way:
            yield self._single(under_way.popleft())

    def _single(self, result: Any) -> Node | None:
        try:
            return node(*self._answer(result))
        except kazoo_errors.NoNodeError:
            return None

    # -- watches ------------------------------------------------------------------------------

    def watch(self, path: str, happened: Happened) -> None:
        """Call *happened* for every change of the node and below it, and after a reconnection.

        It is called on kazoo's thread for watches, and must return at once. Setting one that is set
        is no harm. Where this raises, the watch may come about all the same: :meth:`unwatch` ends
        it, unless somebody else goes on with it.
        """
        client = self._connected()
        full = self._full(client, path)
        with self._arming:
            self._subtrees[full] = happened
            result = self._send(client, AddWatch(full))
        self._answer(result)

    def unwatch(self, path: str) -> None:
        """Call no more, and let the server forget the watch. Waits for nothing, and never fails.

        The watch of a server that cannot forget it stays until the connection ends, and is ignored.
        """
        client = self._client
        if client is None:
            return
        full = self._full(client, path)
        with self._arming:
            if self._subtrees.pop(full, None) is not None and client.connected:
                self._forget(client, full)

    def _forget(self, client: Any, full: str) -> None:
        if self._remove_watch:
            self._send(client, RemoveWatch(full)).rawlink(self._forgotten)

    def _forgotten(self, result: Any) -> None:
        if isinstance(result.exception, kazoo_errors.UnimplementedError) and self._remove_watch:
            LOG.info("this ZooKeeper forgets watches only when the connection ends")
            self._remove_watch = False

    def _probe(self) -> None:
        """Find out whether this server watches subtrees, on a path where nothing ever happens."""
        client = self._connected()
        full = self._full(client, "/servicegroup probe")
        try:
            self._answer(self._send(client, AddWatch(full)))
        except kazoo_errors.UnimplementedError:
            self.watches = False
        else:
            self.watches = True
            self._forget(client, full)  # each costs the server something at every write

    def _opened(self) -> None:
        self.read([self._options.root])
        self._probe()

    def _reconnected(self, client: Any) -> None:
        self._multi_read = self._remove_watch = True  # it may be another server than before
        with self._arming:
            for full, happened in self._subtrees.items():
                result = client.handler.async_result()
                result.rawlink(functools.partial(self._armed, happened))
                client._call(AddWatch(full), result)

    def _armed(self, happened: Happened, result: Any) -> None:
        """Tell that anything may have changed before the watch was set again."""
        older = isinstance(result.exception, kazoo_errors.UnimplementedError)
        if older and not self._older:
            LOG.error(
                "a ZooKeeper older than 3.6 answers now, which cannot tell what changes: watches "
                "look at whole groups every few seconds until a newer one answers; update it"
            )
        self._older = older
        if older or result.exception is None:
            happened("", None)

    def _beat(self) -> None:
        super()._beat()
        now = time.monotonic()
        if self._older and now >= self._look_at:
            self._look_at = now + OLDER_LOOKS
            for happened in list(self._subtrees.values()):
                happened("", None)
