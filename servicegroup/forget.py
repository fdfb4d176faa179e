"""Removing members that have been down for so long that nobody waits for them any more."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection
from concurrent.futures import Future

from servicegroup.bounded import BoundedCaller
from servicegroup.door import Door
from servicegroup.model import State
from servicegroup.observer import Observer
from servicegroup.status import in_words

LOG = logging.getLogger(__name__)

#: Looks are spread over this share of ``forget_after``, so that one process of a fleet is enough
#: and all of them do not look at once; at least so many seconds apart.
SHARE = 0.1
SHORTEST = 60.0


class Forgetter:
    """Looks at the groups of this process now and then, on a thread of its own."""

    def __init__(
        self,
        door: Door,
        observer: Observer,
        forget_after: float,
        members: Callable[[], Collection[tuple[str, str]]],
    ) -> None:
        self._door = door
        self._observer = observer
        self._forget_after = forget_after
        self._members = members
        self._caller = BoundedCaller("servicegroup-forget")
        self._flight: Future[None] | None = None
        self._period = max(SHARE * forget_after, min(SHORTEST, forget_after))
        self._due: float | None = None

    def step(self, now: float) -> float:
        """Look if it is time; never waits. Returns when to step again."""
        if self._due is None:
            self._due = now + self._period * random.random()  # noqa: S311
        if now >= self._due:
            self._due = now + self._period * random.uniform(0.5, 1.5)  # noqa: S311
            if self._flight is None or self._flight.done():
                self._flight = self._caller.submit(self.look)
        return self._due

    def look(self) -> None:
        """Remove who is down for too long. A member that changed meanwhile is untouched."""
        for group_id in {group_id for group_id, _ in self._members()}:
            try:
                self._look_at(group_id)
            except Exception as error:  # noqa: BLE001 - a later look will do
                LOG.info("members of group %r were not looked through: %s", group_id, error)

    def close(self) -> None:
        """Let the thread end."""
        self._caller.close()

    def _look_at(self, group_id: str) -> None:
        for status in self._observer.each(self._observer.look(group_id, attributes=False)):
            since = status.liveness.since
            if status.state is State.DOWN and since is not None and since > self._forget_after:
                self._door.leave([status.member])
                LOG.warning(
                    "member %r of group %r was down for %s and is forgotten (%s)",
                    status.member_id,
                    group_id,
                    in_words(since),
                    status.reason,
                )
