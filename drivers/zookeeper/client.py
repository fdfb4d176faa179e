"""kazoo's client, opened and closed within deadlines, and every request answered in time.

kazoo keeps the session and reconnects by itself; here a request either gets its answer, or raises
one of ``CLIENT_ERRORS``, or says which option is wrong.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from kazoo import exceptions as kazoo_errors
from kazoo.client import KazooClient
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol import serialization as requests
from kazoo.protocol.states import KazooState, KeeperState

from servicegroup.exceptions import ConfigurationError

from .connection import Connection, Handler, Happened
from .settings import GROUP, Options

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
#: What means that an option is wrong.
REFUSED = (
    kazoo_errors.AuthFailedError,
    kazoo_errors.InvalidACLError,
    kazoo_errors.NoAuthError,
    kazoo_errors.SessionClosedRequireSaslError,
)
#: Seconds between two tries to reconnect, at most.
LONGEST_RECONNECT = 1.0
#: The session time-out that was granted may differ by this share before it is worth a word.
NEGOTIATED_SLACK = 0.05


class Client:
    """One client after another, with one session as long as it lasts. Usable from any thread."""

    #: Called before every request and ping, on kazoo's thread: must not wait.
    pulse: Callable[[], None]

    def __init__(self, options: Options, call_timeout: float, report_interval: float) -> None:
        self._options = options
        self._timeout = call_timeout
        self._reconnect = min(LONGEST_RECONNECT, report_interval / 4)
        self._lock = threading.Lock()
        self._client: Any = None
        self._connection: Any = None
        self._resume: tuple[int, bytes] | None = None
        self._down_since: float | None = None
        self._subtrees: dict[str, Happened] = {}
        self._told_timeout: float | None = None
        #: The session time-out that the server granted, in seconds, once there was a session.
        self.granted: float | None = None
        self.pulse = lambda: None

    def start(self) -> None:
        """Open the session. Idempotent.

        :raises ConfigurationError: the servers refuse us, and which option it is about
        """
        with self._lock:
            if self._client is not None:
                return
            client = self._made()
            self._connection = connection = client._connection
            self._down_since = time.monotonic()
            deadline = self._down_since + self._timeout
            client.start_async()
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
            self._opened()
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
            alive = client._session_id and not orderly
            self._resume = (client._session_id, client._session_passwd) if alive else None
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
        if options.sasl is not None and self._connection.without_sasl:
            return ConfigurationError(
                f"[{GROUP}] sasl_mechanism={options.sasl['mechanism']!r}: a server of "
                f"hosts={options.hosts!r} knows no SASL; leave the option out, or give the servers "
                f"SASLAuthenticationProvider and a JAAS configuration"
            )
        who = "sasl_mechanism, username or password" if options.sasl else "username or password"
        return ConfigurationError(
            f"[{GROUP}] {who} is wrong for hosts={options.hosts!r}, root={options.root!r}: the "
            f"server answers {type(error).__name__}; use the credentials that the nodes were made "
            f"with, or another root"
        )

    def _negotiated(self, seconds: float) -> None:
        self.granted, asked = seconds, self._options.session_timeout
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

    def _opened(self) -> None:
        """Make the first requests: only these show whether authentication went well."""

    def _reconnected(self, client: Any) -> None:
        """Send what a new connection needs; on kazoo's thread."""

    def _changed(self, client: Any, state: str) -> None:
        """Take note of the connection; on kazoo's thread."""
        if client._connection is not self._connection:  # of a client that was given up
            return
        if state == KazooState.CONNECTED:
            self._down_since = None
            self._reconnected(client)
        elif self._down_since is None:
            self._down_since = time.monotonic()

    # -- requests -----------------------------------------------------------------------------

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
        except REFUSED as error:
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
