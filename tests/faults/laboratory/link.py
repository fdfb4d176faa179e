"""A TCP proxy between one process and its server, whose connections can be made to fail."""

import contextlib
import selectors
import socket
import threading
import time
from collections import deque
from typing import Self

from servers.ports import LOOPBACK

#: Bytes read at once.
_PART = 65536
#: Seconds between two looks at what is due and at what was switched.
_STEP = 0.01


class _Side:
    """One end of a connection: what is to be sent there, and when."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.waiting: deque[tuple[float, bytes]] = deque()
        self.other: _Side | None = None
        self.ended = False  # the other end has no more to say
        self.swallows = False  # what is said here arrives nowhere, for good


class Link:
    """Passes bytes on until told otherwise. As a context manager started and closed.

    What is switched on lasts until :meth:`heal`. All of it acts on the connections of one process
    only, so that nobody else notices.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server((LOOPBACK, 0))
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self.address = f"{LOOPBACK}:{self.port}"
        self._lock = threading.Lock()
        self._sides: dict[socket.socket, _Side] = {}
        self._forgotten: list[socket.socket] = []
        self._refuses = self._holds = self._drops = False
        self._delay = 0.0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._thread.start()

    @property
    def connections(self) -> int:
        """How many are open."""
        with self._lock:
            return len(self._sides) // 2

    def cut(self) -> None:
        """Reset all connections; new ones are taken."""
        with self._lock:
            for end in list(self._sides):
                self._reset(end)

    def refuse(self) -> None:
        """Reset all connections and every new one."""
        with self._lock:
            self._refuses = True
        self.cut()

    def delay(self, seconds: float) -> None:
        """Let everything arrive that much later, in order."""
        with self._lock:
            self._delay = seconds

    def black_hole(self) -> None:
        """Pass nothing on either way; what was sent arrives when healed."""
        with self._lock:
            self._holds = True

    def drop(self) -> None:
        """Swallow everything for good: connections of that time never work again."""
        with self._lock:
            self._drops = True
            for side in self._sides.values():
                side.swallows = True
                side.waiting.clear()

    def half_open(self) -> None:
        """Let the server see the connections end, and the process not; new ones work."""
        with self._lock:
            for end, side in list(self._sides.items()):
                if side.other is not None and end in self._servers():
                    client = side.other
                    client.other = None
                    self._sides.pop(end)
                    end.close()

    def heal(self) -> None:
        """Pass bytes on again."""
        with self._lock:
            self._refuses = self._holds = self._drops = False
            self._delay = 0.0

    def close(self) -> None:
        """End everything."""
        with self._lock:
            self._closed = True
        self._thread.join()
        self._listener.close()
        for end in list(self._sides):
            self._reset(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _servers(self) -> set[socket.socket]:
        found = set()
        for end in self._sides:
            with contextlib.suppress(OSError):
                if end.getpeername() == self._server:
                    found.add(end)
        return found

    def _reset(self, end: socket.socket) -> None:
        self._sides.pop(end, None)
        linger = b"\1\0\0\0\0\0\0\0"
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        end.close()

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closed:
            with selectors.DefaultSelector() as selector:
                with self._lock:
                    selector.register(self._listener, selectors.EVENT_READ)
                    for end, side in self._sides.items():
                        events = 0 if side.ended or self._holds else selectors.EVENT_READ
                        if self._due(side):
                            events |= selectors.EVENT_WRITE
                        if events:
                            selector.register(end, events)
                ready = selector.select(_STEP)
            with self._lock:
                for key, events in ready:
                    self._serve(key.fileobj, events)

    def _due(self, side: _Side) -> bool:
        return bool(side.waiting) and side.waiting[0][0] <= time.monotonic() and not self._holds

    def _serve(self, ready: object, events: int) -> None:
        if ready is self._listener:
            self._accept()
            return
        assert isinstance(ready, socket.socket)
        side = self._sides.get(ready)
        if side is None:  # cut meanwhile
            return
        try:
            if events & selectors.EVENT_WRITE:
                self._send(side)
            if events & selectors.EVENT_READ and not side.ended:
                self._receive(side)
        except BlockingIOError:
            pass
        except OSError:
            self._hang_up(side)

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        if self._refuses:
            self._reset(client)
            return
        try:
            server = socket.create_connection(self._server, timeout=1.0)
        except OSError:
            self._reset(client)
            return
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sides[end] = _Side(end)
            self._sides[end].swallows = self._drops
        self._sides[client].other, self._sides[server].other = (
            self._sides[server],
            self._sides[client],
        )

    def _receive(self, side: _Side) -> None:
        data = side.end.recv(_PART)
        if not data:
            side.ended = True
        if side.other is None:  # half open: nobody is there to hear it
            if not data:
                self._reset(side.end)
        elif not side.swallows:
            side.other.waiting.append((time.monotonic() + self._delay, data))

    def _send(self, side: _Side) -> None:
        while self._due(side):
            due, data = side.waiting.popleft()
            if not data:  # the other end hung up, and all it said before has arrived
                self._hang_up(side)
                return
            sent = side.end.send(data)
            if sent < len(data):
                side.waiting.appendleft((due, data[sent:]))
                return

    def _hang_up(self, side: _Side) -> None:
        for one in (side, side.other):
            if one is not None:
                self._sides.pop(one.end, None)
                one.end.close()
