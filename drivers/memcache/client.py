"""What we add to pymemcache's client: many commands in one round trip, by one deadline.

Connections, time-outs, TLS and the pool are pymemcache's. Its ``raw_command`` sends one command and
loses the beginning of a reply that comes in several parts; and its time-outs are for each part, so
that a server which drips bytes would be waited for without end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from pymemcache.client.base import Client, PooledClient
from pymemcache.exceptions import (
    MemcacheUnexpectedCloseError,
    MemcacheUnknownCommandError,
    MemcacheUnknownError,
)

from .classic import KNOWN, PROBE, Classic

T = TypeVar("T")

#: What ends each request, and its answer: the meta command that does nothing.
CLOSE = b"mn\r\n"
CLOSED = b"MN\r\n"
_RECEIVE = 256 * 1024
#: What has to be waited for until a connection can be used: to connect, TLS, what it knows.
STEPS = 3
#: A reply that grows beyond this is not one to anything that we ask for.
_LARGEST = 64 * 1024 * 1024
#: Seconds that are not worth another system call to shorten a wait by.
_SLACK = 0.005


class MetaClient(Client):  # type: ignore[misc]
    """One connection, used by one thread at a time: first ``send``, then ``receive``."""

    #: Whether a request was answered on the connection that is open.
    answered = False
    #: What carries out requests where the server at the other end knows no meta commands.
    classic: Classic | None = None
    _request = b""

    def send(self, request: bytes, deadline: float) -> None:
        """Send commands with ``CLOSE`` after them, before *deadline* of the monotonic clock."""
        try:
            if self.sock is None:
                self.connect_timeout = _left(deadline) / STEPS
                self._connect()
            assert self.sock is not None
            if self.classic is None:
                self.sock.sendall(request)
            else:
                self._request = request
        except BaseException:
            self.close()
            raise

    def receive(self, read: Callable[[bytes], T | None], deadline: float) -> T:
        """Receive until *read* makes something of it; it says ``None`` while the end is missing."""
        sock, data, shortened = self.sock, b"", False
        assert sock is not None
        assert self.timeout is not None
        try:
            if self.classic is not None:
                data = self.classic.reply(self._request, deadline)
            while True:
                if data.endswith(CLOSED):
                    result = read(data)
                    if result is not None:
                        break
                if len(data) > _LARGEST or self.classic is not None:
                    raise MemcacheUnknownError("an endless reply")
                left = _left(deadline)
                if left < self.timeout - _SLACK:
                    sock.settimeout(left)
                    shortened = True
                part = sock.recv(_RECEIVE)
                if not part:
                    raise MemcacheUnexpectedCloseError("the server closed the connection")
                data = data + part if data else part
            if shortened:
                sock.settimeout(self.timeout)
        except (ValueError, IndexError) as error:
            self.close()
            raise MemcacheUnknownError(f"no reply of memcached: {error}") from error
        except BaseException:
            self.close()
            raise
        self.answered = True
        return result

    def _connect(self) -> None:
        """Connect, and find out whether there are meta commands at the other end."""
        self.answered, self.classic = False, None
        super()._connect()
        assert self.sock is not None
        self.sock.settimeout(self.connect_timeout)
        try:
            if (said := self.raw_command(PROBE)) not in KNOWN:
                self.close()
                raise MemcacheUnknownError(f"it is no memcached: it said {said[:32]!r}")
        except MemcacheUnknownCommandError:  # which closes the connection
            super()._connect()
            self.classic = Classic(self)
        assert self.sock is not None
        self.sock.settimeout(self.timeout)


class Pool(PooledClient):  # type: ignore[misc]
    """The connections to one server that nobody uses, and new ones."""

    client_class = MetaClient

    def close_idle(self) -> None:
        """Close those that nobody uses."""
        for _ in self.client_pool.free:
            self.client_pool.destroy(self.client_pool.get())


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
