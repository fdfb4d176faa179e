"""What stands between a client and a server, and can be cut: the listening part of our proxies."""

import abc
import contextlib
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Self

from servers.ports import LOOPBACK


class Passage(abc.ABC):
    """Takes connections and makes one to the server for each; as a context manager, closed.

    A subclass says what happens between the two. It must be ready before it calls ``super()``.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server((LOOPBACK, 0))
        self.address = f"{LOOPBACK}:{self._listener.getsockname()[1]}"
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @abc.abstractmethod
    def carry(self, client: socket.socket, server: socket.socket) -> Iterable[Callable[[], None]]:
        """Return what runs, each in a thread of its own, while these two are connected."""

    def cut(self) -> None:
        """Close all connections; new ones are taken."""
        with self._lock:
            cut, self._open = self._open, []
        for one in cut:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Take no more connections, cut those that are there, and end. Idempotent."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(5)
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open += (client, server)
            for way in self.carry(client, server):
                thread = threading.Thread(target=way, daemon=True)
                self._threads.append(thread)
                thread.start()
