"""What we change in kazoo's connection: watches on subtrees, time-outs, and a silent heart.

Everything here runs on the thread that keeps the session alive, so nothing here waits.
"""

from __future__ import annotations

import atexit
import enum
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any

from kazoo.exceptions import AuthFailedError, ConnectionDropped
from kazoo.handlers.threading import SequentialThreadingHandler
from kazoo.protocol.connection import ConnectionHandler
from kazoo.protocol.serialization import SASL, Auth, Watch
from kazoo.protocol.states import Callback

LOG = logging.getLogger(__name__)

#: The share of the session time-out after which kazoo gives up a silent server.
READ_SHARE = 2 / 3
#: Times that each server may refuse a connection before what we saw of it is given up.
REFUSALS = 2
#: Requests after which authenticating comes to no end: no mechanism has so many.
MOST_STEPS = 10


class Change(enum.Enum):
    """What happened to a node below a watch: ZooKeeper's numbers."""

    CREATED = 1
    DELETED = 2
    WRITTEN = 3


_CHANGES = {change.value: change for change in Change}
#: Called with what of a node's path comes after the watched one, and what happened to it; with
#: ("", None) when anything may have changed.
Happened = Callable[[str, Change | None], None]


class Handler(SequentialThreadingHandler):  # type: ignore[misc]
    """Threads as kazoo has them; but connecting has a bound, and nothing is done at exit.

    :param tls: what to speak TLS with, if it is to be spoken
    """

    def __init__(self, connect_timeout: float, tls: ssl.SSLContext | None) -> None:
        super().__init__()
        self._connect_timeout = connect_timeout
        self._tls = tls
        #: Why the last attempt to connect failed.
        self.last_error: OSError | None = None

    def start(self) -> None:
        """Start the threads."""
        super().start()
        # They are daemons. At exit kazoo would wait for them, in a forked child for ever.
        atexit.unregister(self.stop)

    def create_connection(
        self, address: tuple[str, int], hostname: str | None = None, **_: Any
    ) -> socket.socket:
        """Connect, waiting no longer for it than for an answer."""
        try:
            connection = socket.create_connection(address, self._connect_timeout)
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None:
                    name = hostname or address[0]
                    connection = self._tls.wrap_socket(connection, server_hostname=name)
            except BaseException:
                connection.close()
                raise
        except OSError as error:
            self.last_error = error
            raise
        self.last_error = None
        return connection


class Unsaid(Auth):  # type: ignore[misc]
    """Credentials on their way: kazoo logs what it sends."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Auth(scheme={self.scheme!r})"


class Connection(ConnectionHandler):  # type: ignore[misc]
    """One connection after another of one client.

    :param pulse: called before every ping and request
    :param negotiated: called with the session time-out, in seconds, that the server granted
    :param subtrees: {top of a watched subtree: called with what of a path comes after it}
    """

    def __init__(
        self,
        client: Any,
        *,
        pulse: Callable[[], None],
        negotiated: Callable[[float], None],
        subtrees: dict[str, Happened],
        sasl_options: dict[str, str] | None,
    ) -> None:
        # The logger's level is the application's choice; kazoo warns of every reconnection.
        super().__init__(client, client._conn_retry.copy(), client.logger, sasl_options)
        self._subtrees = subtrees
        self._refusals = 0
        self._authenticated = False
        #: Whether the server turned out to know no SASL.
        self.without_sasl = False
        self._pulse = pulse
        self._negotiated = negotiated

    def _connect(self, *args: Any) -> Any:
        try:
            read_timeout, connect_timeout = super()._connect(*args)
        except ConnectionDropped:
            self._refusals += self._socket is not None
            if self._refusals > REFUSALS * len(self.client.hosts) and self.client.last_zxid:
                # Servers refuse whoever has seen more than they have. Where all of them do, they
                # lost it: nothing will ever bring them up to what we saw.
                LOG.warning("the servers hold an older state than they did: going on with that")
                self.client.last_zxid = 0
            raise
        self._refusals = 0
        self._negotiated(read_timeout / READ_SHARE / 1000.0)
        return read_timeout, connect_timeout

    def _authenticate_with_sasl(self, *args: Any) -> None:
        try:
            super()._authenticate_with_sasl(*args)
        except AuthFailedError as error:
            # Servers refuse by hanging up, which is also what happens when one goes down; and kazoo
            # never tries again. The very same credentials were good before.
            if not self._authenticated:
                raise
            LOG.warning("a server hung up while we authenticated: trying again")
            raise ConnectionDropped("while authenticating") from error
        self._authenticated = True

    def _submit(self, request: Any, timeout: float, xid: int | None = None) -> None:
        if isinstance(request, SASL) and xid is not None and xid > MOST_STEPS:
            # A server without SASL answers each step with nothing, which kazoo takes for the next.
            self.without_sasl = True
            raise AuthFailedError("the server knows no SASL")
        if isinstance(request, Auth):
            request = Unsaid(*request)
        super()._submit(request, timeout, xid)

    def _send_ping(self, connect_timeout: float) -> None:
        self._pulse()
        super()._send_ping(connect_timeout)

    def _send_request(self, read_timeout: float, connect_timeout: float) -> None:
        self._pulse()
        super()._send_request(read_timeout, connect_timeout)

    def _read_watch_event(self, buffer: bytes, offset: int) -> None:
        # kazoo knows watches by their exact path only, and forgets them when they fire.
        event = Watch.deserialize(buffer, offset)[0]
        path, change = event.path, _CHANGES.get(event.type)
        for top, happened in list(self._subtrees.items()):
            if change is not None and (path == top or path.startswith(f"{top}/")):
                self.client.handler.dispatch_callback(
                    Callback("watch", happened, (path[len(top) + 1 :], change))
                )
        super()._read_watch_event(buffer, offset)
