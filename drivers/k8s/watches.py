"""Calling back: one watch on all our Leases, turned into the members that may have changed.

The renewals of signs of life come through it too. They are no changes; what they tell is how old
each one is, by our own clock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from . import layout, leases
from .beats import is_alive
from .carried import Carried
from .client import LEASES, Client
from .following import Changed, Follower
from .history import History
from .layout import Key
from .leases import Lease


class Watches:
    """All watches of one driver, on one thread."""

    def __init__(self, client: Client, history: History, call_timeout: float, limit: float) -> None:
        self._client = client
        self._history = history
        self._call_timeout = call_timeout
        self._limit = limit
        self._lock = threading.Lock()
        self._watched: dict[object, tuple[str, Changed]] = {}
        self._follower: Follower | None = None

    def watch(self, group_id: str, changed: Changed) -> Callable[[], None]:
        """See :meth:`servicegroup.driver.Driver.watch`."""
        token = object()
        with self._lock:
            self._watched[token] = (group_id, changed)
            if self._follower is None:
                followed = FollowedLeases(self._client, self._history, self._limit, self._tell)
                self._follower = Follower(self._client, followed, self._limit)
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


class FollowedLeases:
    """All Leases of ours; see :class:`.following.Followed`."""

    selector = leases.KIND

    def __init__(
        self,
        client: Client,
        history: History,
        limit: float,
        tell: Callable[[dict[str, set[str]] | None], None],
    ) -> None:
        self.path = client.objects(LEASES, "leases")
        self._client = client
        self._history = history
        self._limit = limit
        self._tell = tell
        self._carried = Carried()
        self._over: dict[str, bool] = {}
        self._changed: dict[str, set[str]] = {}

    def listed(self) -> str:
        """Learn which members each instance carries."""
        carried, over, version = Carried(), {}, ""
        for page, answer in self._client.pages(self.path, self.selector, leases.decode_list):
            version = page.metadata.version
            for lease in page.items:
                label = lease.metadata.labels.instance
                if lease.metadata.labels.kind == layout.BEAT:
                    over[label] = not is_alive(lease)
                    self._history.saw(label, lease.spec.renewed, answer.sent, answer.received)
                else:
                    carried.put(lease)
        self._carried, self._over = carried, over
        return version

    def taken(self, kind: str, data: bytes) -> str:
        """Note which members a change is about."""
        lease = leases.decode_lease(data)
        if kind != "BOOKMARK":
            is_beat, gone = lease.metadata.labels.kind == layout.BEAT, kind == "DELETED"
            about = self._beat(lease, gone=gone) if is_beat else self._carried.put(lease, gone=gone)
            for group_id, member_id in about:
                self._changed.setdefault(group_id, set()).add(member_id)
        return lease.metadata.version

    def tell(self, *, anything: bool = False) -> None:
        """Call back those who watch."""
        changed, self._changed = self._changed, {}
        if anything:
            self._tell(None)
        elif changed:
            self._tell(changed)

    def _beat(self, lease: Lease, *, gone: bool) -> Collection[Key]:
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
