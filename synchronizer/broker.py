"""Whether the broker is there and lets us in, and when it was lost: what oslo.messaging hides.

It reconnects by itself and tells nobody; but queues that are not durable are gone with the broker,
and what came meanwhile with them. So one more connection is kept, whose end says so.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import logging
import ssl
import threading
from typing import Any

from servicegroup.clock import boottime

LOG = logging.getLogger(__name__)

#: Schemes of oslo.messaging behind which there is an AMQP 0-9 broker.
SCHEMES = ("rabbit", "kombu", "kombu+amqp", "amqp+kombu")
#: Seconds to connect; seconds without any sign after which the broker is lost.
CONNECTING, HEARTBEAT = 5.0, 10
#: Seconds between two looks.
STEP = 0.2


class BrokerLost(Exception):
    """The broker cannot be reached, refuses us, or went away; the words say which."""


class BrokerWatch:
    """One connection to the broker of a transport, that says when it ends. For one thread.

    ``url``: an ``oslo_messaging.TransportURL``; once it is open, of that host alone which answered,
    so that whoever connects by it is cut off with us.
    """

    def __init__(self, url: Any) -> None:
        self.url = url
        self._connection: Any = None

    @property
    def watches(self) -> bool:
        """Whether there is a broker of that kind to watch."""
        return self.url.transport in SCHEMES

    def open(self) -> None:
        """Connect.

        :raises BrokerLost: nobody answers, or we are refused
        """
        if not self.watches:
            return
        amqp, kombu = _libraries()
        failures = []
        for host in self.url.hosts:
            connection = kombu.Connection(
                hostname=host.hostname,
                port=host.port or 5672,
                userid=host.username or "guest",
                password=host.password or "guest",
                virtual_host=self.url.virtual_host or "/",
                heartbeat=HEARTBEAT,
                connect_timeout=CONNECTING,
                ssl=self._tls(host.hostname),
            )
            try:
                connection.connect()
            except amqp.exceptions.AccessRefused:
                failures.append(
                    f"the broker at {host.hostname}:{host.port} refuses user {host.username!r}: "
                    f"see user and password in transport_url"
                )
            except (OSError, amqp.exceptions.AMQPError) as error:
                failures.append(f"no broker at {host.hostname}:{host.port}: {error}")
            else:
                self._connection = connection
                self.url = copy.copy(self.url)
                self.url.hosts = [host]
                return
            connection.release()
        raise BrokerLost("; ".join(failures) or "transport_url names no host")

    def watch(self, stopping: threading.Event) -> None:
        """Return when *stopping* is set.

        :raises BrokerLost: the connection ended
        """
        if not self.watches:
            stopping.wait()
            return
        check = boottime()
        while not stopping.is_set():
            try:
                with contextlib.suppress(TimeoutError):
                    self._connection.drain_events(timeout=STEP)
                if boottime() >= check:
                    self._connection.heartbeat_check()
                    check = boottime() + HEARTBEAT / 4
            except Exception as error:
                raise BrokerLost(f"the broker was lost: {error}") from error

    def close(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.collect(1.0)

    def _tls(self, hostname: str) -> Any:
        asked = self.url.query.get("ssl", "") or self._conf_value("ssl")
        if str(asked).lower() not in ("1", "true", "yes", "on"):
            return False
        options: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE}
        ca_file = self.url.query.get("ssl_ca_file") or self._conf_value("ssl_ca_file")
        if ca_file:
            options = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": ca_file}
            options["server_hostname"] = hostname
        for ours, theirs in (("ssl_cert_file", "certfile"), ("ssl_key_file", "keyfile")):
            value = self.url.query.get(ours) or self._conf_value(ours)
            if value:
                options[theirs] = value
        return options

    def _conf_value(self, name: str) -> Any:
        return self.url.conf.oslo_messaging_rabbit[name]


def _libraries() -> tuple[Any, Any]:
    """Import what oslo.messaging has for AMQP, which it needs itself for such an URL."""
    return importlib.import_module("amqp"), importlib.import_module("kombu")
