"""A proxy in front of a ZooKeeper server, which counts, refuses, cuts and swallows requests."""

import contextlib
import functools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable

from servers.passage import Passage
from servers.zookeeper import ZooKeeper

_UNIMPLEMENTED = -6
_LENGTH = struct.Struct("!i")
_REPLY = struct.Struct("!iqi")
_REQUEST = struct.Struct("!ii")
PING = 11


class Proxy(Passage):
    """Passes requests on one by one.

    :param lacks: opcodes that are answered as by a server which does not know them
    """

    def __init__(self, server: ZooKeeper, lacks: tuple[int, ...] = ()) -> None:
        self.lacks = lacks
        #: Opcodes at which the connection is closed.
        self.hangs_up_at: tuple[int, ...] = ()
        #: The opcodes of all requests but pings, in order.
        self.asked: list[int] = []
        self.pings = 0
        #: While it is set, nothing is passed on either way, and connections stay.
        self.black_hole = threading.Event()
        super().__init__((server.host, server.port))

    def close(self) -> None:
        """Let go what is held back, and end."""
        self.black_hole.clear()
        super().close()

    def carry(self, client: socket.socket, server: socket.socket) -> Iterable[Callable[[], None]]:
        reply = threading.Lock()
        for way in (self._requests, self._replies):
            yield functools.partial(way, client, server, reply)

    def _requests(
        self, client: socket.socket, server: socket.socket, reply: threading.Lock
    ) -> None:
        with contextlib.suppress(OSError), client:
            connect = _frame(client)
            if connect is not None:
                _send(server, connect)
            while connect is not None and (frame := _frame(client)) is not None:
                self._wait()
                xid, opcode = _REQUEST.unpack_from(frame)
                if opcode == PING:
                    self.pings += 1
                else:
                    self.asked.append(opcode)
                if opcode in self.hangs_up_at:
                    break
                if opcode in self.lacks:
                    time.sleep(0.05)  # what was asked before is answered before
                    with reply:
                        _send(client, _REPLY.pack(xid, 0, _UNIMPLEMENTED))
                else:
                    _send(server, frame)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _replies(self, client: socket.socket, server: socket.socket, reply: threading.Lock) -> None:
        with contextlib.suppress(OSError), server:
            while (frame := _frame(server)) is not None:
                self._wait()
                with reply:
                    _send(client, frame)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _wait(self) -> None:
        while self.black_hole.is_set():
            time.sleep(0.005)


def _send(target: socket.socket, frame: bytes) -> None:
    target.sendall(_LENGTH.pack(len(frame)) + frame)


def _frame(source: socket.socket) -> bytes | None:
    length = _exactly(source, _LENGTH.size)
    return None if length is None else _exactly(source, _LENGTH.unpack(length)[0])


def _exactly(source: socket.socket, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        part = source.recv(count - len(data))
        if not part:
            return None
        data += part
    return data
