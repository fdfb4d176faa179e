"""Calls that may never come back, made by a thread that can be given up."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, TypeVar

T = TypeVar("T")
LOG = logging.getLogger(__name__)

#: Given-up threads that may be stuck at once; more would pile up against a store that hangs.
MOST_STUCK = 2

Job = tuple["Future[Any]", Callable[[], Any]]


class CallTimeout(TimeoutError):
    """The call did not come back in time; it may still have its effect."""


class BoundedCaller:
    """Runs calls one after another on a daemon thread, and waits for none longer than told.

    A call that overruns is abandoned together with its thread; the next one gets a new thread.
    While ``MOST_STUCK`` threads are stuck, and once it is closed, calls fail at once. Usable from
    any thread, and from a signal's handler, whatever that interrupts.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.RLock()
        self._jobs: queue.SimpleQueue[Job | None] | None = None
        self._stuck = 0
        self._closed = False

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Queue *work*; its result is in the future. Raises nothing of its own."""
        future: Future[T] = Future()
        with self._lock:
            try:
                if self._jobs is None:
                    self._jobs = self._started()
            except CallTimeout as error:
                future.set_exception(error)
            else:
                self._jobs.put((future, work))
        return future

    def tell(self, callback: Callable[[], object], what: str) -> None:
        """Queue a callback that is not ours; if it fails, *what* did so is logged."""

        def run() -> None:
            try:
                callback()
            except BaseException:  # also who wants to exit: on this thread that does nothing
                LOG.exception("%s failed", what)

        self.submit(run)

    def call(
        self,
        work: Callable[[], T],
        timeout: float,
        *,
        late_after: float | None = None,
        late: Callable[[], None] = lambda: None,
    ) -> T:
        """Run *work* and return its result.

        :param late: called, once, if it has not come back after *late_after* seconds
        :raises CallTimeout: it did not come back within *timeout* seconds
        """
        future = self.submit(work)
        if late_after is not None and late_after < timeout:
            if not wait([future], late_after).done:
                late()
            timeout -= late_after
        return self.result(future, timeout)

    def result(self, future: Future[T], timeout: float) -> T:
        """Return the result of what was submitted.

        :raises CallTimeout: it did not come back within *timeout* seconds, and is abandoned
        """
        try:
            return future.result(timeout)
        except FutureTimeoutError as error:
            if future.done():  # the work itself raised a TimeoutError
                raise
            self.abandon(future)
            raise CallTimeout(f"no answer within {timeout:.3g} s") from error

    def abandon(self, future: Future[Any]) -> None:
        """Give up on *future*: what waits behind it fails, what comes next gets a new thread."""
        if future.cancel():  # never started: the one before it is stuck
            return
        with self._lock:
            jobs, self._jobs = self._jobs, None
            if jobs is None or future.done():
                self._jobs = jobs
                return
            self._stuck += 1
        future.add_done_callback(self._returned)
        jobs.put(None)

    def close(self) -> None:
        """Let the thread end after what is queued."""
        with self._lock:
            jobs, self._jobs = self._jobs, None
            self._closed = True
        if jobs is not None:
            jobs.put(None)

    def _started(self) -> queue.SimpleQueue[Job | None]:
        self._require_open()
        if self._stuck >= MOST_STUCK:
            raise CallTimeout(f"{self._stuck} earlier calls are still waiting for an answer")
        jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        thread = threading.Thread(target=self._work, args=(jobs,), name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # there may be no more of them now
            raise CallTimeout(f"nobody to make the call: {error}") from error
        try:
            self._require_open()  # a signal's handler may have closed it just now
        except CallTimeout:
            jobs.put(None)
            raise
        return jobs

    def _require_open(self) -> None:
        if self._closed:
            raise CallTimeout("it is closed")

    def _returned(self, future: Future[Any]) -> None:  # noqa: ARG002
        with self._lock:
            self._stuck -= 1

    @staticmethod
    def _work(jobs: queue.SimpleQueue[Job | None]) -> None:
        while (job := jobs.get()) is not None:
            future, work = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
                future.set_exception(error)
            del future, work, job
