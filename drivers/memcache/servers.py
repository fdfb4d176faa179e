"""The configured servers: a pool of connections to each, and requests to several of them at once.

A server that did not answer is skipped for a moment rather than asked again by every call. What it
holds is looked for on the other server of each key, and nowhere else.
"""

from __future__ import annotations

import logging
import os
import select
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from .address import Address
from .options import Options
from .placement import Placement
from .wire import Connection, Refused, Reply, boottime, replies

LOG = logging.getLogger(__name__)

T = TypeVar("T")
Parser = Callable[[int], Callable[[bytes], T | None]]

#: Seconds for which a server that failed is not asked again.
SKIPPED_FOR = 1.0
#: Seconds for reading a reply that is there, whatever the time.
_GRACE = 0.1
#: Commands and bytes of one request: less than a socket takes while nobody reads the replies.
MOST_COMMANDS = 2000
MOST_BYTES = 96 * 1024


class ServersSilent(OSError):
    """None of the servers that could know answered; the message says which, and why."""


class Server:
    """One memcached. Usable from any thread; connections are never used by two at once."""

    def __init__(self, address: Address, timeout: float, options: Options) -> None:
        self.name = address.name
        self.failure: OSError | None = None
        #: Server's wall time at CLOCK_BOOTTIME 0; kept from the latest connection.
        self.origin: float | None = None
        self._address = address
        self._timeout = timeout
        self._tls: ssl.SSLContext | None = options.tls
        self._most = options.pool_size
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._skipped_until = 0.0
        self._pid = os.getpid()

    @property
    def skipped(self) -> bool:
        """Whether it failed a moment ago."""
        return self.failure is not None and time.monotonic() < self._skipped_until

    @property
    def connected(self) -> bool:
        """Whether there is a connection that nobody uses."""
        return bool(self._idle)

    def lease(self, deadline: float, *, fresh: bool = False) -> Connection:
        """Return a connection for one request; *fresh*: none that may have been cut meanwhile."""
        with self._lock:
            if self._pid != os.getpid():  # after a fork: they belong to the parent
                self._idle.clear()
                self._pid = os.getpid()
            if fresh:
                idle, self._idle = self._idle, []
            elif self._idle:
                return self._idle.pop()
            else:
                idle = []
        for connection in idle:
            connection.close()
        made = Connection(self._address, max(0.001, deadline - time.monotonic()), self._tls)
        self.origin = made.origin
        return made

    def give_back(self, connection: Connection) -> None:
        """Take back a connection whose replies were read whole."""
        with self._lock:
            if len(self._idle) < self._most:
                self._idle.append(connection)
                return
        connection.close()

    def answered(self) -> None:
        """Take note that it answers."""
        if self.failure is not None:
            LOG.warning("memcached %s answers again", self.name)
            self.failure = None

    def failed(self, error: OSError) -> None:
        """Take note that it does not; said once until it answers again."""
        skipped = self._timeout if isinstance(error, TimeoutError) else 0.0
        self._skipped_until = time.monotonic() + max(SKIPPED_FOR, skipped)
        if self.failure is None:
            LOG.warning("memcached %s does not answer: %s", self.name, error)
        self.failure = error

    def close(self) -> None:
        """Close the idle connections, which are made anew when somebody asks."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class Answer:
    """Where the reply to one command will be; ``None`` where its server did not answer."""

    __slots__ = ("reply", "server")

    def __init__(self, server: int) -> None:
        self.server = server
        self.reply: Reply | None = None


class Batch:
    """Commands for any servers, carried out together: a request to each of them."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._commands: dict[int, list[bytes]] = {}
        self._answers: dict[int, list[Answer]] = {}

    def add(self, server: int, command: bytes) -> Answer:
        """Add one command, to be answered by one reply."""
        answer = Answer(server)
        self._commands.setdefault(server, []).append(command)
        self._answers.setdefault(server, []).append(answer)
        return answer

    def add_everywhere(self, key: bytes, command: bytes) -> list[Answer]:
        """Add the same command for each server of *key*, best first."""
        return [self.add(server, command) for server in self._servers.of(key)]

    def run(self) -> None:
        """Send all of them and wait for the replies."""
        if not self._commands:
            return
        for server, found in self._servers.ask(self._commands, replies).items():
            for answer, reply in zip(self._answers[server], found, strict=False):
                answer.reply = reply
        self._commands, self._answers = {}, {}


class Servers:
    """All of them, and where each key lives."""

    def __init__(self, options: Options, timeout: float) -> None:
        self._servers = [Server(address, timeout, options) for address in options.servers]
        self._placement = Placement([server.name for server in self._servers])
        self._timeout = timeout
        self.of = self._placement.of

    @property
    def everywhere(self) -> range:
        """The indexes of all servers."""
        return range(len(self._servers))

    def batch(self) -> Batch:
        """Return an empty batch of commands."""
        return Batch(self)

    def now(self) -> float:
        """The wall time of the first server that told it, in seconds since 1970."""
        for server in self._servers:
            if server.origin is not None:
                return server.origin + boottime()
        return time.time()

    def ask(
        self, commands: Mapping[int, Sequence[bytes]], parser: Parser[list[T]]
    ) -> dict[int, list[T]]:
        """Send to each server its commands, in as few requests as they fit in, side by side.

        :returns: the replies of each server in the order of its commands. Where it stopped
            answering they end early; one that never answered is absent.
        """
        waiting = {
            server: _chunks(some)
            for server, some in commands.items()
            if some and not self._servers[server].skipped
        }
        found: dict[int, list[T]] = {}
        while waiting:
            for request in self._requests(waiting):
                result = request.result(parser)
                if result is None:
                    waiting.pop(request.index, None)
                else:
                    found.setdefault(request.index, []).extend(result)
        return found

    def _requests(self, waiting: dict[int, list[Sequence[bytes]]]) -> Iterator[_Request]:
        """Send each server its next part, and yield the requests in the order of their replies.

        Whoever has to be connected to may let us wait: that comes when the others have answered.
        """
        ready = [server for server in waiting if self._servers[server].connected]
        others = [server for server in waiting if server not in ready]
        parts = {server: waiting[server].pop(0) for server in waiting}
        for server in parts:
            if not waiting[server]:
                del waiting[server]

        def send(server: int) -> _Request:
            deadline = time.monotonic() + self._timeout
            return _Request(self._servers[server], server, parts[server], deadline)

        yield from _as_they_answer([send(server) for server in ready])
        for server in others:
            yield send(server)

    def silent(self, servers: Iterable[int]) -> ServersSilent:
        """Return the error that says why none of these answered."""
        reasons = [
            f"{self._servers[index].name}: {self._servers[index].failure or 'no answer'}"
            for index in sorted(set(servers))
        ]
        return ServersSilent("no answer from memcached " + "; ".join(reasons))

    def name(self, server: int) -> str:
        """Return what a server is called."""
        return self._servers[server].name

    def close(self) -> None:
        """Close all connections."""
        for server in self._servers:
            server.close()


class _Request:
    """One request to one server: sent when made, read when its result is asked for."""

    def __init__(
        self, server: Server, index: int, commands: Sequence[bytes], deadline: float
    ) -> None:
        self.index = index
        self._server = server
        self._count = len(commands)
        self._payload = b"".join(commands)
        self.deadline = deadline
        self._connection: Connection | None = None
        self._error: OSError | None = None
        self._attempt(fresh=False)

    @property
    def fileno(self) -> int | None:
        """The socket on which the reply will come; ``None`` if the request was not sent."""
        return None if self._connection is None else self._connection.fileno

    def result(self, parser: Parser[list[T]]) -> list[T] | None:
        """Return the replies, or ``None`` if there were none; takes note of that."""
        result: list[T] | None = self._receive(parser)
        # A connection that lay idle may have been cut; one that is new speaks for the server.
        if result is None and self._stale and not isinstance(self._error, TimeoutError):
            self._attempt(fresh=True)
            result = self._receive(parser)
        if result is None:
            self._server.failed(self._error or OSError("no answer"))
        else:
            self._server.answered()
        return result

    def _attempt(self, *, fresh: bool) -> None:
        self._stale = False
        try:
            self._connection = self._server.lease(self.deadline, fresh=fresh)
            self._stale = self._connection.used
            self._connection.send(self._payload, self.deadline)
        except OSError as error:
            self._drop(error)

    def _receive(self, parser: Parser[Any]) -> Any:
        connection = self._connection
        if connection is None:
            return None
        try:
            # What came while another server was waited for is read, however late it is.
            deadline = max(self.deadline, time.monotonic() + _GRACE)
            result = connection.receive(parser(self._count), deadline)
        except OSError as error:
            self._drop(error)
            return None
        except (ValueError, IndexError) as error:
            self._drop(Refused(f"no reply of memcached: {error}"))
            return None
        except BaseException:
            self._drop(OSError("interrupted"))
            raise
        self._connection = None
        self._server.give_back(connection)
        return result

    def _drop(self, error: OSError) -> None:
        self._error = error
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _as_they_answer(sent: list[_Request]) -> Iterator[_Request]:
    """Yield requests in the order of their replies, so that none waits for one that hangs."""
    if len(sent) < 2:
        yield from sent
        return
    poll = select.poll()
    waiting = {}
    for request in sent:
        if request.fileno is None:
            yield request
        else:
            waiting[request.fileno] = request
            poll.register(request.fileno, select.POLLIN)
    while waiting:
        left = max(request.deadline for request in waiting.values()) - time.monotonic()
        ready = poll.poll(max(0.0, left) * 1000)
        for fileno, _ in ready:
            poll.unregister(fileno)
            yield waiting.pop(fileno)
        if not ready:
            yield from waiting.values()
            return


def _chunks(commands: Sequence[bytes]) -> list[Sequence[bytes]]:
    if len(commands) <= MOST_COMMANDS // 100:
        return [commands]  # none of ours is larger than a member
    if len(commands) <= MOST_COMMANDS and sum(map(len, commands)) <= MOST_BYTES:
        return [commands]
    chunks: list[list[bytes]] = [[]]
    size = 0
    for command in commands:
        if len(chunks[-1]) >= MOST_COMMANDS or size + len(command) > MOST_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(command)
        size += len(command)
    return [*filter(None, chunks)]
