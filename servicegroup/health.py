"""Asking a service whether it is well, on a thread of its own: it may hang, the beat may not."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from servicegroup.bounded import BoundedCaller, CallTimeout
from servicegroup.membership import Health
from servicegroup.model import storable_text
from servicegroup.status import in_words


class HealthCheck:
    """The health of one member; asked once an interval, at most one question outstanding."""

    def __init__(
        self, member_id: str, health: Health, interval: float, wake: Callable[[], None]
    ) -> None:
        #: When to step again, by the heart's clock.
        self.due = float("-inf")
        self._health = health
        self._interval = interval
        self._wake = wake
        self._caller = BoundedCaller(f"servicegroup-health-{member_id}")
        self._asked: tuple[Future[object], float] | None = None
        self._reason: str | None = None
        #: Whether nobody asks any more: what :meth:`step` returns is of no interest then.
        self.ended = False

    def step(self, now: float) -> str | None:
        """Ask if it is time, and return what is wrong as far as is known; ``None`` if well.

        No answer within one interval is an answer: the service hangs.
        """
        if self._asked is not None:
            future, at = self._asked
            if future.done():
                self._asked = None
                self._reason = _read(future)
            elif now >= at + self._interval:
                self._reason = (
                    f"its health check has not answered within {in_words(self._interval)}"
                )
        if now >= self.due:
            self.due = now + self._interval
            if self._asked is None:
                future = self._caller.submit(self._health)
                self._asked = (future, now)
                future.add_done_callback(lambda _: self._wake())
        return self._reason

    def close(self) -> None:
        """Let the thread end."""
        self.ended = True
        self._caller.close()


def _read(future: Future[object]) -> str | None:
    error = future.exception()
    if isinstance(error, CallTimeout):
        return str(error)
    if error is not None:
        return storable_text(f"its health check failed: {type(error).__name__}: {error}")
    return None if future.result() else "its health check says no"
