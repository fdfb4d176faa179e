"""One memcached: its pool of connections, and whether it answers.

A server that did not answer is skipped for a moment rather than asked again by every call.
"""

from __future__ import annotations

import logging
import os
import time
import weakref
from typing import Any

from pymemcache.exceptions import MemcacheError

from .classic import Flagged
from .client import STEPS, MetaClient, Pool
from .options import Address, Options

LOG = logging.getLogger(__name__)

#: What pymemcache raises when a server did not answer, or not as memcached does.
CLIENT_ERRORS: tuple[type[Exception], ...] = (OSError, MemcacheError)
#: Seconds for which a server that failed is not asked again, at most: no longer than a time-out.
SKIPPED_FOR = 1.0


class Server:
    """One memcached. Usable from any thread; connections are never used by two at once."""

    def __init__(self, address: Address, timeout: float, options: Options) -> None:
        self.name = address.name
        self.timeout = timeout
        self.failure: Exception | None = None
        self._skipped_until = 0.0
        self._kept = True
        self._arguments = {
            "server": address.spec,
            "timeout": timeout,
            "no_delay": True,
            "default_noreply": False,
            "tls_context": options.tls,
            "serde": Flagged(),
        }
        self.open()
        _servers.add(self)

    def open(self) -> None:
        """Begin without connections; those that are there are left to whom they belong."""
        self._pool = Pool(**self._arguments)

    @property
    def skipped(self) -> bool:
        """Whether it failed a moment ago."""
        return self.failure is not None and time.monotonic() < self._skipped_until

    @property
    def connected(self) -> bool:
        """Whether there is a connection that nobody uses."""
        return bool(self._pool.client_pool.free)

    def lease(self) -> MetaClient:
        """Return a client for one request, connected or not."""
        client: MetaClient = self._pool.client_pool.get()
        return client

    def give_back(self, client: MetaClient) -> None:
        """Take back a client whose replies were read whole: the server answers."""
        self._pool.client_pool.release(client)
        if not self._kept:
            self._pool.close_idle()
        if self.failure is not None:
            LOG.warning("memcached %s answers again", self.name)
            self.failure = None

    def drop(self, client: MetaClient, error: Exception | None = None) -> None:
        """Take back a client that failed; *error* is why the server does not answer.

        That is said once until it answers again.
        """
        self._pool.client_pool.destroy(client)
        if error is None:
            return
        late = isinstance(error, TimeoutError)
        skipped = self.timeout if late else min(SKIPPED_FOR, self.timeout)
        self._skipped_until = time.monotonic() + skipped
        if self.failure is None:
            LOG.warning("memcached %s does not answer: %s", self.name, error)
        self.failure = error

    def time(self) -> int | None:
        """Ask for its wall time, in whole seconds since 1970; ``None`` where it does not say."""
        told = self.stats().get(b"time")
        return told if isinstance(told, int) else None

    def stats(self, *about: str) -> dict[bytes, Any]:
        """Ask how it is; nothing where it does not answer."""
        client = self.lease()
        try:
            client.connect_timeout = self.timeout / STEPS
            told: dict[bytes, Any] = client.stats(*about)
        except CLIENT_ERRORS as error:
            self.drop(client, error)
            return {}
        except BaseException:
            self.drop(client)
            raise
        self.give_back(client)
        return told

    def start(self) -> None:
        """Keep connections that nobody uses from now on, as at first."""
        self._kept = True

    def close(self) -> None:
        """Close the idle connections; until the next start, those given back are closed as well."""
        self._kept = False
        self._pool.close_idle()


def _after_fork_in_child() -> None:
    for server in list(_servers):
        server.open()


_servers: weakref.WeakSet[Server] = weakref.WeakSet()
os.register_at_fork(after_in_child=_after_fork_in_child)
