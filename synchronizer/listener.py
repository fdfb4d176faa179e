"""One notification listener of oslo.messaging: batches in order, acknowledged when stored.

What the library does by default loses messages or their order: it hears one priority, competes
for the queue with others, handles several batches at once, sorts each by priority, and
acknowledges what raised. Each of these is set otherwise here.
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

from . import oslo

LOG = logging.getLogger(__name__)

PRIORITIES = ("audit", "debug", "info", "warn", "error", "critical", "sample")
#: Seconds that an incomplete batch waits for more.
BATCH_TIMEOUT = 0.05
#: Seconds before what could not be stored is tried again: the first and the longest pause.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0

Understand = Callable[[Sequence[dict[str, Any]]], Callable[[], None]]


class Listener:
    """Listens as long as it is entered as a context manager.

    :param bus: the options of a bus plugin
    :param understand: takes some messages, in the order of their queue, and returns what stores
        what they say; if that raises it is called again, and later ones wait until it succeeds
    """

    def __init__(self, transport: Any, bus: Any, pool: str, understand: Understand) -> None:
        target = oslo.messaging().Target
        targets = [
            target(topic=topic, exchange=exchange)
            for topic in bus.topics
            for exchange in bus.exchanges or [None]
        ]
        self._dispatcher = Dispatcher(understand)
        # Made as get_batch_notification_listener makes it, but for the dispatcher: its own one
        # sorts what is in a batch by priority, and never gets rid of one without.
        self._server = importlib.import_module(
            "oslo_messaging.notify.listener"
        ).BatchNotificationServer(
            transport,
            targets,
            self._dispatcher,
            executor="threading",
            allow_requeue=True,
            pool=pool,
            batch_size=bus.batch_size,
            batch_timeout=BATCH_TIMEOUT,
        )

    def __enter__(self) -> Listener:
        # One thread: what is handled at the same time is handled in any order.
        self._server.start(override_pool_size=1)
        return self

    def __exit__(self, *_: object) -> None:
        self._dispatcher.end()
        self._server.stop()
        self._server.wait()


class Dispatcher:
    """What a server of oslo.messaging gives batches to. ``dispatch`` is for one thread."""

    supported_priorities = PRIORITIES

    def __init__(self, understand: Understand) -> None:
        self._understand = understand
        self._ending = threading.Event()
        self._gave_up = False

    def dispatch(self, incoming: Sequence[Any]) -> Collection[Any]:
        """Handle a batch; returns those that are to be delivered again: none, or all of them."""
        if self._gave_up:
            return frozenset(incoming)
        store = self._understand([one.message for one in incoming])
        pause = FIRST_PAUSE
        while not self._gave_up:
            try:
                store()
            except Exception:
                LOG.exception("notifications could not be stored; they wait until they can be")
                # Delivered again, they would come after those that are here already.
                self._gave_up = self._ending.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                return ()
        return frozenset(incoming)

    def end(self) -> None:
        """Try what cannot be stored no longer: the broker keeps it, and all that comes after."""
        self._ending.set()
