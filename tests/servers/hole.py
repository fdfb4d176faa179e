"""A TCP proxy in front of any server, that can cut, swallow, delay and drip what passes."""

import contextlib
import functools
import socket
import threading
import time
from collections.abc import Callable, Iterable

from servers.passage import Passage


class Hole(Passage):
    """Passes bytes on.

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
        #: While it is set, nothing is passed on either way, and connections stay.
        self.swallows = threading.Event()
        #: Seconds before what passes either way, and before each single byte of a reply.
        self.delay = 0.0
        self.drips = 0.0
        super().__init__(address)

    def carry(self, client: socket.socket, server: socket.socket) -> Iterable[Callable[[], None]]:
        for one, other, asks in ((client, server, True), (server, client, False)):
            yield functools.partial(self._pass, one, other, asks)

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
