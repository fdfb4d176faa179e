"""Following a list of objects: read once, then watched from there on, while anybody asks."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from servicegroup.exceptions import ConfigurationError

from . import leases
from .client import CLIENT_ERRORS, Busy, Client, Expired, Lines
from .settings import GROUP

LOG = logging.getLogger(__name__)

Changed = Callable[[Collection[str] | None], None]
#: Seconds after which the API server is asked to end a watch, so that not all end at once.
SHORTEST, LONGEST = 240, 300
#: Seconds of silence after which a watch may be dead: a server's bookmarks come once a minute.
LONGEST_SILENCE, SHORTEST_SILENCE = 65.0, 1.0
#: What interrupts a watch, for as long as it lasts.
FAILURES: tuple[type[Exception], ...] = (ConfigurationError, *CLIENT_ERRORS)
#: Seconds. Where events come closer together than that, those of so long are taken together: to be
#: woken for each takes most of what it costs.
GATHERED = 0.01
#: Seconds between two tries, at most: what changes meanwhile is told that much later.
LONGEST_PAUSE = 1.0


class Followed(Protocol):
    """What is followed, and who is told."""

    @property
    def path(self) -> str:
        """Where the objects are."""

    @property
    def selector(self) -> str:
        """Which labels they have."""

    def listed(self) -> str:
        """Read all of them anew; returns the version of the list."""

    def taken(self, kind: str, data: bytes) -> str:
        """Take one event of a watch; returns the version of its object."""

    def tell(self, *, anything: bool = False) -> None:
        """Tell of what was taken since the last time, or that anything may have changed."""


class Follower:
    """The thread that does it."""

    def __init__(self, client: Client, followed: Followed, limit: float) -> None:
        self._client = client
        self._followed = followed
        self._silence = min(LONGEST_SILENCE, max(SHORTEST_SILENCE, limit / 2))
        self._pause = min(LONGEST_PAUSE, limit / 20)
        self._version: str | None = None
        self._lines: Lines | None = None
        self._stopped = threading.Event()
        self._settled = threading.Event()
        self._error: Exception | None = None
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="servicegroup-k8s", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def wait(self, timeout: float) -> None:
        """Wait until nothing is missed any more; raises what prevents that."""
        if not self._settled.wait(timeout):
            raise Busy(f"no watch was open within {timeout:g} s")
        if self._error is not None:
            raise self._error

    def stop(self, timeout: float) -> None:
        """End the thread; waits for it, at most *timeout* seconds."""
        self._stopped.set()
        lines = self._lines
        if lines is not None:
            lines.cancel()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                if self._version is None:
                    self._list()
                self._follow()
            except Expired:
                self._version = None
            except FAILURES as error:
                if self._stopped.is_set():
                    return
                self._failed(error)
                self._stopped.wait(self._pause * random.uniform(0.5, 1.0))  # noqa: S311
            except Exception as error:
                if self._stopped.is_set():
                    return
                LOG.exception("a watch failed, and begins anew")
                self._failed(error)
                self._version = None
                self._stopped.wait(self._pause)

    def _failed(self, error: Exception) -> None:
        if not self._settled.is_set():
            self._error = error
            self._settled.set()
            self._stopped.set()
            return
        if not self._failing:
            self._failing = True
            log = LOG.error if isinstance(error, ConfigurationError) else LOG.info
            log("[%s] the watch of %s is interrupted: %s", GROUP, self._followed.path, error)
        # Whoever is called looks by itself, and finds out how the API server is.
        self._followed.tell(anything=True)

    def _list(self) -> None:
        """Read everything there is, and have everybody look: what happened meanwhile is unknown."""
        self._version = self._followed.listed()
        if self._settled.is_set():
            self._followed.tell(anything=True)

    def _follow(self) -> None:
        """Take changes as they come, until the watch ends."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": self._followed.selector,
            "resourceVersion": self._version or "",
            "timeoutSeconds": str(random.randint(SHORTEST, LONGEST)),  # noqa: S311
        }
        with self._client.watch(self._followed.path, query, self._silence) as lines:
            self._lines = lines
            try:
                self._take_all(lines)
            finally:
                self._lines = None  # its connection may be used for something else from now on

    def _take_all(self, lines: Lines) -> None:
        if self._stopped.is_set():
            return
        if self._failing:
            self._failing = False
            LOG.info("[%s] the watch of %s goes on", GROUP, self._followed.path)
        self._settled.set()
        taken = float("-inf")
        for some in lines:
            busy = self._client.clock.now() - taken < GATHERED
            self._take(some)
            if busy:
                time.sleep(GATHERED)
            taken = self._client.clock.now()

    def _take(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            event = leases.decode_event(line)
            if event.type == "ERROR":
                _refused(event.object)
            self._version = self._followed.taken(event.type, event.object)
        self._followed.tell()


def _refused(status: bytes) -> None:
    said = leases.decode_status(status)
    if said.code == 410:
        raise Expired(said.message)
    raise Busy(f"the watch ends with {said.code}: {said.message}")
