"""Calling back: one watch on all our Leases, turned into the members that may have changed.

The renewals of signs of life come through it too. They are no changes; what they tell is how old
each one is, by our own clock.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Collection, Iterable

from servicegroup.exceptions import ConfigurationError

from . import layout, leases
from .beats import is_alive
from .carried import Carried
from .client import CLIENT_ERRORS, LEASES, Busy, Client, Expired, Lines
from .history import History
from .leases import Lease
from .settings import GROUP

LOG = logging.getLogger(__name__)

Changed = Callable[[Collection[str] | None], None]
#: Seconds after which the API server is asked to end a watch, so that not all end at once.
SHORTEST, LONGEST = 240, 300
#: Seconds of silence after which a watch may be dead: a server's bookmarks come once a minute.
LONGEST_SILENCE, SHORTEST_SILENCE = 65.0, 1.0
#: What interrupts a watch, for as long as it lasts.
FAILURES: tuple[type[Exception], ...] = (ConfigurationError, *CLIENT_ERRORS)
#: Seconds between two tries, at most.
LONGEST_PAUSE = 5.0


class Watches:
    """All watches of one driver, on one thread."""

    def __init__(self, client: Client, history: History, call_timeout: float, limit: float) -> None:
        self._client = client
        self._history = history
        self._call_timeout = call_timeout
        self._limit = limit
        self._silence = min(LONGEST_SILENCE, max(SHORTEST_SILENCE, limit / 2))
        self._lock = threading.Condition()
        self._watched: dict[object, tuple[str, Changed]] = {}
        self._follower: Follower | None = None

    def watch(self, group_id: str, changed: Changed) -> Callable[[], None]:
        """See :meth:`servicegroup.driver.Driver.watch`."""
        token = object()
        with self._lock:
            self._watched[token] = (group_id, changed)
            if self._follower is None:
                self._follower = Follower(self._client, self._history, self._limit, self._silence)
                self._follower.tell = self._tell
                self._follower.start()
            follower = self._follower

        def stop() -> None:
            with self._lock:
                self._watched.pop(token, None)
                idle = not self._watched and self._follower is follower
                if idle:
                    self._follower = None
            if idle:
                follower.stop(self._call_timeout)

        try:
            follower.wait(2 * self._call_timeout)
        except BaseException:
            stop()
            raise
        return stop

    def stop(self) -> None:
        """End all of them."""
        with self._lock:
            self._watched.clear()
            follower, self._follower = self._follower, None
        if follower is not None:
            follower.stop(self._call_timeout)

    def _tell(self, changed: dict[str, set[str]] | None) -> None:
        """Call back: about these members of each group, or with ``None`` about anything."""
        with self._lock:
            watched = list(self._watched.values())
        for group_id, call in watched:
            if changed is None:
                call(None)
            elif group_id in changed:
                call(changed[group_id])


class Follower:
    """The thread that follows the Leases: lists them, and then watches from there on."""

    tell: Callable[[dict[str, set[str]] | None], None]

    def __init__(self, client: Client, history: History, limit: float, silence: float) -> None:
        self._client = client
        self._history = history
        self._limit = limit
        self._silence = silence
        self._carried = Carried()
        self._over: dict[str, bool] = {}
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
        tries = 0
        while not self._stopped.is_set():
            try:
                if self._version is None:
                    self._list()
                self._follow()
                tries = 0
            except Expired:
                self._version = None
            except FAILURES as error:
                if self._stopped.is_set():
                    return
                self._failed(error)
                tries += 1
                pause = min(LONGEST_PAUSE, 0.05 * 2**tries)
                self._stopped.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311
            except Exception as error:
                if self._stopped.is_set():
                    return
                LOG.exception("a watch of Leases failed, and begins anew")
                self._failed(error)
                self._version = None
                self._stopped.wait(LONGEST_PAUSE)

    def _failed(self, error: Exception) -> None:
        if not self._settled.is_set():
            self._error = error
            self._settled.set()
            self._stopped.set()
            return
        if not self._failing:
            self._failing = True
            log = LOG.error if isinstance(error, ConfigurationError) else LOG.info
            log("[%s] the watch of Leases is interrupted: %s", GROUP, error)
        # Whoever is called looks by itself, and finds out how the API server is.
        self.tell(None)

    def _list(self) -> None:
        """Read everything there is, and have everybody look: what happened meanwhile is unknown."""
        place = self._client.objects(LEASES, "leases")
        carried, over, version = Carried(), {}, ""
        for page, answer in self._client.pages(place, leases.KIND, leases.decode_list):
            version = page.metadata.version
            for lease in page.items:
                label = lease.metadata.labels.instance
                if lease.metadata.labels.kind == layout.BEAT:
                    over[label] = not is_alive(lease)
                    self._history.saw(label, lease.spec.renewed, answer.sent, answer.received)
                else:
                    carried.put(lease)
        self._carried, self._over, self._version = carried, over, version
        if self._settled.is_set():
            self.tell(None)

    def _follow(self) -> None:
        """Take changes as they come, until the watch ends."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": leases.KIND,
            "resourceVersion": self._version or "",
            "timeoutSeconds": str(random.randint(SHORTEST, LONGEST)),  # noqa: S311
        }
        place = self._client.objects(LEASES, "leases")
        with self._client.watch(place, query, self._silence) as lines:
            self._lines = lines
            if self._stopped.is_set():
                return
            if self._failing:
                self._failing = False
                LOG.info("the watch of Leases goes on")
            if not self._settled.is_set():
                self._settled.set()
                self.tell(None)
            for some in lines:
                self.take(some)

    def take(self, lines: Iterable[bytes]) -> None:
        """Take some lines of a watch, and tell what they change."""
        changed: dict[str, set[str]] = {}
        for line in lines:
            event = leases.decode_event(line)
            if event.type == "ERROR":
                self._refused(event.object)
            lease = leases.decode_lease(event.object)
            self._version = lease.metadata.version
            if event.type == "BOOKMARK":
                continue
            if lease.metadata.labels.kind == layout.BEAT:
                names = self._beat(lease, gone=event.type == "DELETED")
            else:
                names = self._carried.put(lease, gone=event.type == "DELETED")
            for group_id, member_id in names:
                changed.setdefault(group_id, set()).add(member_id)
        if changed:
            self.tell(changed)

    def _beat(self, lease: Lease, *, gone: bool) -> Collection[layout.Key]:
        """Return the members that a change of a sign of life is about: of a renewal, none."""
        label, now = lease.metadata.labels.instance, self._client.clock.now()
        if gone:
            self._over.pop(label, None)
            return self._carried.by(label)
        over, was_over = not is_alive(lease), self._over.get(label)
        self._over[label] = over
        silent = self._history.saw(label, lease.spec.renewed, now, now)
        if over is was_over and silent <= self._limit:
            return ()
        return self._carried.by(label)

    def _refused(self, status: bytes) -> None:
        said = leases.decode_status(status)
        if said.code == 410:
            raise Expired(said.message)
        raise Busy(f"the watch ends with {said.code}: {said.message}")
