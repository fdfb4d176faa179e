"""One session with ZooKeeper: opened and closed within deadlines, and every request in time.

kazoo keeps the session and reconnects by itself; here a request either gets its answer, or raises
one of ``CLIENT_ERRORS``, or says which option is wrong.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, TypeVar

from kazoo import exceptions as kazoo_errors
from kazoo.client import KazooClient
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol import serialization as requests
from kazoo.protocol.states import KazooState, KeeperState

from servicegroup.exceptions import ConfigurationError

from .connection import Connection, Handler, Happened
from .options import GROUP, Options
from .wire import AddWatch, MultiRead, Node, contents, node, nodes

T = TypeVar("T")
LOG = logging.getLogger(__name__)
#: kazoo warns of every connection that is lost or closed. What that means for members the core
#: tells, once; whoever wants to see more lowers this level.
KAZOO_LOG = LOG.getChild("kazoo")
KAZOO_LOG.setLevel(logging.ERROR)

#: What means "the store did not answer".
CLIENT_ERRORS: tuple[type[Exception], ...] = (
    OSError,
    KazooTimeoutError,
    kazoo_errors.CancelledError,
    kazoo_errors.ConnectionDropped,
    kazoo_errors.ConnectionLoss,
    kazoo_errors.NotReadOnlyCallError,
    kazoo_errors.OperationTimeoutError,
    kazoo_errors.RequestTimeoutError,
    kazoo_errors.SessionExpiredError,
    kazoo_errors.SessionMovedError,
    kazoo_errors.ThrottledOpError,
    kazoo_errors.WriterNotClosedException,
    kazoo_errors.ZookeeperStoppedError,
)
_REFUSED = (
    kazoo_errors.AuthFailedError,
    kazoo_errors.InvalidACLError,
    kazoo_errors.NoAuthError,
    kazoo_errors.SessionClosedRequireSaslError,
)
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
#: Seconds between two tries to reconnect, at most.
LONGEST_RECONNECT = 1.0
#: The session time-out that was granted may differ by this share before it is worth a word.
NEGOTIATED_SLACK = 0.05


class Session:
    """The connection of one driver. Usable from any thread."""

    #: Called before every request and ping, on kazoo's thread: must not wait.
    pulse: Callable[[], None]

    _EPHEMERAL: ClassVar[int] = 1

    def __init__(self, options: Options, call_timeout: float, report_interval: float) -> None:
        self._options = options
        self._timeout = call_timeout
        self._reconnect = min(LONGEST_RECONNECT, report_interval / 4)
        self._lock = threading.Lock()
        self._client: Any = None
        self._resume: tuple[int, bytes] | None = None
        self._down_since: float | None = None
        self._subtrees: dict[str, Happened] = {}
        self._told_timeout: float | None = None
        self._multi_read = True
        self._read_nodes = READ_NODES
        self.pulse = lambda: None
        #: Whether the server can watch subtrees.
        self.watches = True

    # -- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the session. Idempotent.

        :raises ConfigurationError: the servers refuse us, and which option it is about
        """
        with self._lock:
            if self._client is not None:
                return
            client = self._made()
            client.start_async()
            self._down_since = time.monotonic()
            deadline = self._down_since + self._timeout
            connection = client._connection
            while not client.connected:
                ended = connection.connection_stopped.is_set() and connection._connection_routine
                if time.monotonic() > deadline or (ended and not ended.is_alive()):
                    break
                client._live.wait(0.02)
            if not client.connected:
                refused = client._state == KeeperState.AUTH_FAILED
                self._dismiss(client, orderly=False)
                raise self._unreachable(client, refused=refused)
            self._client = client
        try:
            # Only a request shows whether authentication went well.
            self.read([self._options.root])
            self._probe()
        except BaseException:
            self.stop(orderly=True)
            raise

    def stop(self, *, orderly: bool) -> None:
        """Close the connection within the call time-out. Idempotent.

        :param orderly: end the session too; else it lives on for its time-out, and the next
            ``start`` resumes it
        """
        with self._lock:
            client, self._client = self._client, None
            if client is None:
                return
            self._resume = None if orderly else client.client_id or self._resume
            self._dismiss(client, orderly=orderly)

    @property
    def id(self) -> int:
        """The session that nodes of ours belong to now."""
        session_id: int = self._current()._session_id or 0
        return session_id

    def _made(self) -> Any:
        options = self._options
        client = KazooClient(
            hosts=options.hosts,
            client_id=self._resume,
            handler=Handler(min(self._timeout, options.session_timeout), options.tls),
            connection_retry={
                "max_tries": -1,
                "delay": self._reconnect / 4,
                "max_delay": self._reconnect,
            },
            logger=KAZOO_LOG,
            **options.client,
        )
        connection = Connection(
            client,
            pulse=self._beat,
            negotiated=self._negotiated,
            subtrees=self._subtrees,
            sasl_options=None if options.sasl is None else dict(options.sasl),
        )
        client._connection = connection
        client.add_listener(lambda state: self._changed(client, state))
        return client

    def _dismiss(self, client: Any, *, orderly: bool) -> None:
        """Give a client up; what of it hangs ends by itself on a thread that nobody waits for."""
        thread = threading.Thread(
            target=_ended,
            args=(client, self._timeout / 2 if orderly else 0.0),
            name="servicegroup-zookeeper-stop",
            daemon=True,
        )
        thread.start()
        thread.join(self._timeout)

    def _unreachable(self, client: Any, *, refused: bool) -> Exception:
        hosts = self._options.hosts
        if refused:
            return self._forbidden(kazoo_errors.AuthFailedError())
        why = client.handler.last_error
        if isinstance(why, ssl.SSLError):
            return ConfigurationError(
                f"[{GROUP}] use_ssl=true fails with hosts={hosts!r}: {why}; check that this is "
                f"their port for TLS, and check ca, cert, key and verify"
            )
        return TimeoutError(
            f"no server of [{GROUP}] hosts={hosts!r} answered within {self._timeout:g} s"
            + (f" ({why})" if why is not None else "; is its port one for TLS (use_ssl)?")
        )

    def _forbidden(self, error: Exception) -> ConfigurationError:
        options = self._options
        who = "sasl_mechanism, username or password" if options.sasl else "username or password"
        return ConfigurationError(
            f"[{GROUP}] {who} is wrong for hosts={options.hosts!r}, root={options.root!r}: the "
            f"server answers {type(error).__name__}; use the credentials that the nodes were made "
            f"with, or another root"
        )

    def _negotiated(self, seconds: float) -> None:
        asked = self._options.session_timeout
        if abs(seconds - asked) <= NEGOTIATED_SLACK * asked or seconds == self._told_timeout:
            return
        self._told_timeout = seconds
        LOG.warning(
            "[%s] session_timeout=%g: the server allows only %g s; change minSessionTimeout, "
            "maxSessionTimeout or tickTime there, or the option here",
            GROUP,
            asked,
            seconds,
        )

    def _beat(self) -> None:
        self.pulse()

    # -- requests -----------------------------------------------------------------------------

    def read(self, paths: Sequence[str], *, newest: bool = False) -> list[Node | None]:
        """Read nodes; ``None`` for one that is not there.

        :param newest: not older than the moment of the call, whichever server is asked
        """
        return self._read(paths, nodes, lambda found: found, newest=newest)

    def contents(self, paths: Sequence[str]) -> list[bytes | None]:
        """Read the data of nodes without their stat, in half the time."""
        return self._read(paths, contents, lambda found: found.data, newest=False)

    def _read(
        self,
        paths: Sequence[str],
        taken: Callable[[bytes, int], list[T | None]],
        single: Callable[[Node], T],
        *,
        newest: bool,
    ) -> list[T | None]:
        client = self._connected()
        if newest:  # answered before what is asked after it
            self._send(client, requests.Sync(self._full(client, "/")))
        full = [self._full(client, path) for path in paths] if client.chroot else paths
        if self._multi_read:
            try:
                return self._read_many(client, full, taken)
            except kazoo_errors.UnimplementedError:
                LOG.info("this ZooKeeper is older than 3.6: members are read one by one")
                self._multi_read = False
        return [None if one is None else single(one) for one in self._read_each(client, full)]

    def children(self, path: str) -> list[str]:
        """Return the names below a node; none if it is not there."""
        client = self._connected()
        request = requests.GetChildren(self._full(client, path), None)
        try:
            names: list[str] = self._answer(self._send(client, request))
        except kazoo_errors.NoNodeError:
            return []
        return names

    def change(self, changes: Sequence[Any]) -> None:
        """Carry out all of *changes* or none; they are made by the methods below.

        :raises kazoo.exceptions.ZookeeperError: of the first that cannot be: ``BadVersionError``,
            ``NodeExistsError`` or ``NoNodeError``
        """
        client = self._connected()
        request = requests.Transaction([self._placed(client, one) for one in changes])
        for result in self._answer(self._send(client, request)):
            if isinstance(result, _REFUSED):
                raise self._forbidden(result) from result
            if isinstance(result, Exception) and not isinstance(result, _PASSIVE):
                raise result

    def create(self, path: str, data: bytes = b"", *, mortal: bool = False) -> Any:
        """Make a node; *mortal*: it ends with our session."""
        flags = self._EPHEMERAL if mortal else 0
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
        sent = [
            self._send(client, requests.Create(path, above[path], self._options.acl, 0))
            for path in sorted(above, key=lambda path: path.count("/"))
        ]
        for result in sent:
            with contextlib.suppress(kazoo_errors.NodeExistsError):
                self._answer(result)

    def attempt(self, changes: Sequence[Any]) -> None:
        """Carry out *changes* if they can be, without waiting to learn whether they could."""
        client = self._connected()
        self._send(client, requests.Transaction([self._placed(client, one) for one in changes]))

    def _read_many(
        self,
        client: Any,
        full: Sequence[str],
        taken: Callable[[bytes, int], list[T | None]],
    ) -> list[T | None]:
        under_way: collections.deque[tuple[Any, int]] = collections.deque()
        found: list[T | None] = []
        for chunk in self._chunks(full):
            under_way.append((self._send(client, MultiRead(chunk)), len(chunk)))
            if len(under_way) >= READS_AHEAD:
                found += self._taken(*under_way.popleft(), taken)
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
        except _REFUSED as error:
            raise self._forbidden(error) from error

    def _chunks(self, paths: Sequence[str]) -> Iterator[list[str]]:
        chunk: list[str] = []
        size = 0
        for path in paths:
            if chunk and (len(chunk) >= self._read_nodes or size > READ_BYTES):
                yield chunk
                chunk, size = [], 0
            chunk.append(path)
            size += len(path) + 16
        if chunk:
            yield chunk

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

    @staticmethod
    def _full(client: Any, path: str) -> str:
        full: str = client.chroot + path
        return full if len(full) == 1 else full.rstrip("/")

    def _placed(self, client: Any, change: Any) -> Any:
        return change._replace(path=self._full(client, change.path))

    @staticmethod
    def _send(client: Any, request: Any) -> Any:
        result = client.handler.async_result()
        client._call(request, result)
        return result

    def _answer(self, result: Any) -> Any:
        try:
            return result.get(timeout=self._timeout)
        except KazooTimeoutError as error:
            raise KazooTimeoutError(f"no answer within {self._timeout:g} s") from error
        except kazoo_errors.ConnectionLoss as error:
            raise kazoo_errors.ConnectionLoss("the connection was lost") from error
        except _REFUSED as error:
            raise self._forbidden(error) from error

    def _current(self) -> Any:
        client = self._client
        if client is None:
            raise kazoo_errors.ZookeeperStoppedError("the driver is stopped")
        return client

    def _connected(self) -> Any:
        """Return the client once it is connected.

        Requests must not queue up while it is not: a write that its sender gave up would be
        carried out after all. Whoever comes late in an outage waits no more.
        """
        client = self._current()
        while not client.connected:
            since = self._down_since or time.monotonic()
            left = since + self._timeout - time.monotonic()
            if client._state == KeeperState.AUTH_FAILED:
                raise self._forbidden(kazoo_errors.AuthFailedError())
            if left <= 0 or not client._live.wait(left):
                raise kazoo_errors.ConnectionLoss(
                    f"no connection for {time.monotonic() - since:.3g} s"
                )
            client = self._current()
        return client

    # -- watches ------------------------------------------------------------------------------

    def watch(self, path: str, happened: Happened) -> None:
        """Call *happened* for every change of the node and below it, and after a reconnection.

        It is called on kazoo's thread for watches, and must return at once.
        """
        client = self._connected()
        full = self._full(client, path)
        self._subtrees[full] = happened
        try:
            self._answer(self._send(client, AddWatch(full)))
        except BaseException:
            self._subtrees.pop(full, None)
            raise

    def unwatch(self, path: str) -> None:
        """Call no more. The server's watch stays until the connection ends, and is ignored."""
        client = self._client
        if client is not None:
            self._subtrees.pop(self._full(client, path), None)

    def _probe(self) -> None:
        """Find out whether this server watches subtrees, on a path where nothing ever happens."""
        client = self._connected()
        try:
            self._answer(self._send(client, AddWatch(self._full(client, "/servicegroup probe"))))
        except kazoo_errors.UnimplementedError:
            self.watches = False
        else:
            self.watches = True

    def _changed(self, client: Any, state: str) -> None:
        """Take note of the connection; on kazoo's thread."""
        if state != KazooState.CONNECTED:
            if self._down_since is None:
                self._down_since = time.monotonic()
            return
        self._down_since = None
        self._multi_read = True  # it may be another server than before
        for full, happened in list(self._subtrees.items()):
            result = client.handler.async_result()
            result.rawlink(lambda one, happened=happened: self._armed(one, happened))
            client._call(AddWatch(full), result)

    def _armed(self, result: Any, happened: Happened) -> None:
        if isinstance(result.exception, kazoo_errors.UnimplementedError):
            LOG.error(
                "a ZooKeeper older than 3.6 answers now, which cannot tell what changes: watches "
                "see changes at their next look at the whole group only; update that server"
            )
        if result.exception is None or isinstance(
            result.exception, kazoo_errors.UnimplementedError
        ):
            happened("", None)


def _ended(client: Any, grace: float) -> None:
    """End a client's threads; it has *grace* seconds to end its session in good order."""
    connection = client._connection
    client._stopped.set()
    if grace > 0:
        client._queue.append((requests.CloseInstance, None))
    with contextlib.suppress(OSError, AttributeError):
        connection._write_sock.send(b"\0")
    connection.connection_stopped.wait(grace)
    while not connection.connection_stopped.wait(0.01):
        # A thread that waits for the server wakes up when its socket is shut.
        with contextlib.suppress(OSError, AttributeError):
            connection._socket.shutdown(socket.SHUT_RDWR)
    client.handler.stop()
    if connection._connection_routine is not None:
        connection._connection_routine.join()
    client.close()
