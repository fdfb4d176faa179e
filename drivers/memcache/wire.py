"""One connection to one memcached: requests of many commands, and the parsing of their replies.

The text protocol, with meta commands (``mg``, ``ms``, ``ma``, ``md``). A request is any number of
commands sent at once and closed by ``mn``, whose answer marks the end: one round trip, whatever
their number. Replies are always read.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from .address import Address

T = TypeVar("T")

#: What ends each request, and its answer.
CLOSE = b"mn\r\n"
CLOSED = b"MN\r\n"
_RECEIVE = 256 * 1024
#: A reply that grows beyond this is not one to anything that we ask for.
_LARGEST = 64 * 1024 * 1024


class Refused(OSError):
    """The server answered, but not as memcached answers such a command."""


class Reply(NamedTuple):
    """The answer to one command: its code and what came with it, as far as it was asked for."""

    code: bytes
    value: bytes | None = None
    flags: int = 0
    ttl: int = -1
    cas: int = 0

    @property
    def found(self) -> bool:
        """Whether a read found its key."""
        return self.code in (b"HD", b"VA")

    @property
    def done(self) -> bool:
        """Whether a write was carried out."""
        return self.code == b"HD"


class Connection:
    """A socket that is used by one thread at a time."""

    def __init__(self, address: Address, timeout: float, tls: ssl.SSLContext | None) -> None:
        self.used = False
        deadline = time.monotonic() + timeout
        self._socket = _connect(address, timeout)
        if tls is not None:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                self._socket = tls.wrap_socket(self._socket, server_hostname=address.host)
            except BaseException:
                self._socket.close()
                raise
        try:
            self._greet(deadline)
        except BaseException:
            self._socket.close()
            raise

    @property
    def fileno(self) -> int:
        """The socket's file descriptor, to wait for several of them."""
        return self._socket.fileno()

    def send(self, commands: bytes, deadline: float) -> None:
        """Send a request, before *deadline* of the monotonic clock."""
        self._socket.settimeout(_left(deadline))
        self._socket.sendall(commands + CLOSE)

    def receive(self, parse: Callable[[bytes], T | None], deadline: float) -> T:
        """Read until *parse* accepts what came; it returns ``None`` while the end is missing."""
        data = bytearray()
        while True:
            self._socket.settimeout(_left(deadline))
            part = self._socket.recv(_RECEIVE)
            if not part:
                raise ConnectionResetError("the server closed the connection")
            data += part
            if data.endswith(CLOSED):
                result = parse(bytes(data))
                if result is not None:
                    self.used = True
                    return result
            if len(data) > _LARGEST:
                raise Refused("an endless reply")

    def _greet(self, deadline: float) -> None:
        """Learn the server's clock, and whether it knows meta commands."""
        self._socket.settimeout(_left(deadline))
        self._socket.sendall(b"stats\r\n" + CLOSE)
        data = b""
        while not data.endswith((b"END\r\n" + CLOSED, b"ERROR\r\n")) and len(data) < _RECEIVE:
            self._socket.settimeout(_left(deadline))
            part = self._socket.recv(_RECEIVE)
            if not part:
                raise ConnectionResetError("the server closed the connection")
            data += part
        if not data.endswith(CLOSED):
            raise Refused("no meta commands: memcached 1.6 or later is needed")
        found = re.search(rb"STAT time (\d+)\r\n", data)
        #: The server's wall time when this process's clock CLOCK_BOOTTIME was 0, in seconds.
        self.origin = float(found[1]) - boottime() if found else time.time() - boottime()

    def close(self) -> None:
        """Close the socket; tells the server nothing."""
        self._socket.close()


def boottime() -> float:
    """Seconds by a clock that runs on while the machine sleeps and that nobody can set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def replies(count: int) -> Callable[[bytes], list[Reply] | None]:
    """Return a parser of *count* replies of any kind."""

    def parse(data: bytes) -> list[Reply] | None:
        parsed = []
        at = 0
        for _ in range(count):
            end = data.find(b"\r\n", at)
            if end < 0:
                return None
            code, *tokens = data[at:end].split(b" ")
            at = end + 2
            value = None
            if code == b"VA":
                size = int(tokens.pop(0))
                value = data[at : at + size]
                at += size + 2
            parsed.append(_reply(code, value, tokens))
        return parsed if _ends(data, at) else None

    return parse


def lines(count: int) -> Callable[[bytes], list[bytes] | None]:
    """Return a parser of *count* replies that carry no value, each as its line."""

    def parse(data: bytes) -> list[bytes] | None:
        found = data.split(b"\r\n")
        if len(found) < count + 2:
            return None
        if len(found) > count + 2:
            raise Refused("more replies than commands")
        del found[count:]
        return found

    return parse


def values(count: int) -> Callable[[bytes], list[tuple[bytes, bytes] | None] | None]:
    """Return a parser of *count* replies to ``mg <key> v f``: the token of the flags, the value."""

    def parse(data: bytes) -> list[tuple[bytes, bytes] | None] | None:
        parsed: list[tuple[bytes, bytes] | None] = []
        add, find = parsed.append, data.find
        at = 0
        for _ in range(count):
            end = find(b"\r\n", at)
            if end < 0:
                return None
            if data.startswith(b"VA ", at):
                size, flags = data[at + 3 : end].split(b" ")
                at = end + 2 + int(size)
                add((flags, data[end + 2 : at]))
                at += 2
            else:
                add(None)
                at = end + 2
        return parsed if _ends(data, at) else None

    return parse


def _ends(data: bytes, at: int) -> bool:
    """Whether all replies are there; what looked like the end may have been within a value."""
    if len(data) > at + len(CLOSED):
        raise Refused("more replies than commands")
    return data.startswith(CLOSED, at)


def _reply(code: bytes, value: bytes | None, tokens: list[bytes]) -> Reply:
    flags, ttl, cas = 0, -1, 0
    for token in tokens if code in (b"HD", b"VA") else ():
        kind = token[:1]
        if kind == b"f":
            flags = int(token[1:])
        elif kind == b"t":
            ttl = int(token[1:])
        elif kind == b"c":
            cas = int(token[1:])
    return Reply(code, value, flags, ttl, cas)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _connect(address: Address, timeout: float) -> socket.socket:
    if address.path is not None:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(timeout)
            made.connect(address.path)
        except BaseException:
            made.close()
            raise
        return made
    made = socket.create_connection((address.host, address.port), timeout)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
