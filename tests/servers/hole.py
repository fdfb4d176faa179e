"""A TCP proxy in front of any server, that can cut, swallow, delay and drip what passes."""

import contextlib
import socket
import threading
import time
from typing import Self

from servers.ports import LOOPBACK


class Hole:
    """Passes bytes on; as a context manager started and closed.

    :param marker: what *count* counts in the bytes that clients send
    :param lacks: requests that begin so are answered as by a memcached that does not know them
    """

    def __init__(
        self,
        address: tuple[str, int],
        marker: bytes = b"\r\n",
        lacks: tuple[bytes, ...] = (),
    ) -> None:
        self._lacks = lacks
        self._marker = marker
        #: How often clients sent the marker.
        self.count = 0
        self._server = address
        #: While it is set, nothing is passed on either way, and connections stay.
        self.swallows = threading.Event()
        #: Seconds before what passes either way, and before each single byte of a reply.
        self.delay = 0.0
        self.drips = 0.0
        self._listener = socket.create_server((LOOPBACK, 0))
        self.address = f"{LOOPBACK}:{self._listener.getsockname()[1]}"
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        """Close all connections; new ones are taken."""
        with self._lock:
            cut, self._open = self._open, []
        for one in cut:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut everything and end."""
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
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
                self._open += [client, server]
            for one, other, asks in ((client, server, True), (server, client, False)):
                arguments = (one, other, asks)
                thread = threading.Thread(target=self._pass, args=arguments, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass(self, one: socket.socket, other: socket.socket, asks: bool) -> None:
        rest = b""
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if asks:
                    with self._lock:
                        self.count += (rest + data).count(self._marker)
                    rest = data[1 - len(self._marker) :]
                if asks and self._lacks and data.startswith(self._lacks):
                    one.sendall(b"ERROR\r\n")
                    continue
                time.sleep(self.delay)
                drips = 0.0 if asks else self.drips
                for part in (data[at : at + 1] for at in range(len(data))) if drips else (data,):
                    time.sleep(drips)
                    if not self.swallows.is_set():
                        other.sendall(part)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        one.close()
