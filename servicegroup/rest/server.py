"""The application behind cheroot: listening, TLS, and an end that lets requests finish."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable
from typing import Any

import cheroot.wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter

from servicegroup.exceptions import ConfigurationError
from servicegroup.rest.options import GROUP, ApiSettings

LOG = logging.getLogger(__name__)

#: Bytes of all headers of a request.
MAX_HEADERS = 64 * 1024
#: Connections that wait to be accepted.
QUEUE = 128


class Server:
    """Serves a WSGI application at the address that the settings name.

    :param grace: seconds that requests get to finish when it is stopped
    :raises ConfigurationError: an address where it cannot listen, or may not: ``noauth`` where
        other machines can reach it; a certificate that does not fit
    """

    def __init__(self, application: Callable[..., Any], settings: ApiSettings, grace: float):
        settings.check_exposure()
        self._settings = settings
        self._stopping = threading.Lock()
        self._stopped = False
        self._server = server = cheroot.wsgi.Server(
            (settings.host, settings.port),
            application,
            numthreads=settings.threads,
            server_name="servicegroup",
            request_queue_size=QUEUE,
            shutdown_timeout=max(1, round(grace)),
        )
        server.max_request_header_size = MAX_HEADERS
        setattr(server, "error_log", _log)  # noqa: B010 - what cheroot offers for it
        if settings.certificate:
            server.ssl_adapter = _tls(settings)
        try:
            server.prepare()
        except OSError as error:
            raise ConfigurationError(
                f"[{GROUP}] host={settings.host}, port={settings.port}: cannot listen there: "
                f"{error}; choose another, or end who listens there"
            ) from error

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._server.bind_addr[:2]
        scheme = "https" if self._settings.certificate else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def serve(self) -> None:
        """Answer requests until stopped."""
        self._server.serve()

    def stop(self) -> None:
        """Accept no more connections, let requests finish, and end :meth:`serve`.

        From any thread; idempotent: whoever comes second waits for the first.
        """
        with self._stopping:
            if not self._stopped:
                self._server.stop()
            self._stopped = True


def _log(message: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
    LOG.log(level, "%s", message.strip(), exc_info=traceback)


def _tls(settings: ApiSettings) -> BuiltinSSLAdapter:
    try:
        adapter = BuiltinSSLAdapter(settings.certificate, settings.private_key)
        adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.client_ca:
            adapter.context.load_verify_locations(settings.client_ca)
            adapter.context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"[{GROUP}] certificate={settings.certificate}, private_key={settings.private_key}, "
            f"client_ca={settings.client_ca}: cannot be used for TLS: {error}; they must be PEM "
            f"files, and the key the certificate's"
        ) from error
    return adapter
