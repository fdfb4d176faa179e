"""A witness for those who only watch: a beat that carries no members."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future

from servicegroup.bounded import BoundedCaller
from servicegroup.door import Door
from servicegroup.driver import Capability

LOG = logging.getLogger(__name__)


class Bystander:
    """Beats as a life of its own, so that silence can be believed where nobody else is heard.

    That the store can be *read* proves nothing: a writer that was stopped, a dump that locks the
    tables, a full disk keep everybody's beats out while reads go on. That it takes *this* beat,
    again and again for one ``service_down_time``, proves that it would take the others'. It is a
    witness like any other: kept in the store, judged by the store's clock, good for all who ask.

    One per process, for all its watches; only where no member of the process beats anyway, so
    that a large fleet that comes back from an outage is not doubled. Usable from any thread.

    :param spared: whether the process beats anyway
    """

    def __init__(self, door: Door, interval: float, spared: Callable[[], bool]) -> None:
        self._door = door
        self._spared = spared
        self._interval = interval
        self._instance_id = str(uuid.uuid4())
        self._caller = BoundedCaller("servicegroup-bystander")
        self._lock = threading.Lock()
        self._flight: Future[None] | None = None
        self._due = float("-inf")
        self._refused = False

    def beat(self, now: float) -> None:
        """Beat if it is time and the last one came back; never waits. A beat that fails is none."""
        with self._lock:
            if self._spared():
                return
            waiting = self._flight is not None and not self._flight.done()
            if waiting or now < self._due or Capability.READ_ONLY in self._door.capabilities:
                return
            self._due = now + self._interval
            self._flight = self._caller.submit(self._send)

    def close(self) -> None:
        """Let the thread end. The beat goes stale in the store and is swept there."""
        self._caller.close()

    def _send(self) -> None:
        try:
            self._door.heartbeat(self._instance_id, [])
        except Exception as error:  # noqa: BLE001 - then there is no witness, that is all
            if not self._refused:
                LOG.info("the store takes no beats, so nobody is called down: %s", error)
            self._refused = True
        else:
            self._refused = False
