"""The server's clock, learned from the time that it gives to a write."""

from __future__ import annotations

import logging
import threading

from kazoo.exceptions import NoNodeError

from servicegroup.clock import boottime
from servicegroup.exceptions import ConfigurationError

from .client import CLIENT_ERRORS
from .layout import Paths
from .session import Session

LOG = logging.getLogger(__name__)

#: Seconds for which our own clock is trusted to run at the server's pace. Only times that are shown
#: depend on it, never a verdict.
LEARNED_FOR = 600.0


class ServerClock:
    """Wall time in seconds since 1970 by ZooKeeper's leader. Usable from any thread."""

    def __init__(self, session: Session, paths: Paths) -> None:
        self._session = session
        self._paths = paths
        self._lock = threading.Lock()
        self._learned: tuple[float, float] | None = None  # the server's time, ours
        self._refused = float("-inf")

    def now(self) -> float:
        """Return the server's time; one write where it was not learned lately.

        :raises kazoo.exceptions.NoNodeError: our nodes were not made yet
        """
        with self._lock:
            ours = boottime()
            if self._learned is None or ours - self._learned[1] > LEARNED_FOR:
                stat = self._session.request(self._session.write(self._paths.clock))
                self._learned = (stat.mtime / 1000.0, boottime())
            then, at = self._learned
            return then + boottime() - at

    def known(self) -> float | None:
        """Return the server's time, or ``None`` where it cannot be learned: we may only read."""
        if self._learned is None and boottime() - self._refused < LEARNED_FOR:
            return None
        try:
            return self.now()
        except (ConfigurationError, NoNodeError, *CLIENT_ERRORS) as error:
            LOG.debug("the server's clock is not known: %s", error)
            self._refused = boottime()
            return None
