"""The daemon's side of its guardian: starts it, looks after it, and dismisses it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence

from servicegroup.child import Child, directory
from servicegroup.guardian.words import CLEAN, FAILED, READY, Task, packed
from servicegroup.will import LastWill

LOG = logging.getLogger(__name__)

#: Why members are down whose guardian said so.
REASON = "process ended without leaving"
#: Seconds that the first join waits at most until the guardian has been started and told.
PATIENCE = 0.5
#: Seconds for which an interpreter may take to start.
STARTING = 30.0
_HELD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Guardian:
    """The guardian of one process and instance. Usable from any thread; useless after a fork.

    :param wills: returns the last wills, one or more, that give a reason
    :param limit: seconds for which it tries to carry them out, and before a failed start is tried
        again
    """

    def __init__(self, wills: Callable[[str], Sequence[LastWill]], limit: float) -> None:
        self._wills = wills
        self._limit = limit
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._ready = False
        self._thread: threading.Thread | None = None
        self._again_at = float("-inf")
        self._troubled = False
        self._over = False
        self._clean = False

    def start(self, now: float) -> None:
        """Start it, unless it was; returns at once. What goes wrong is logged, once."""
        with self._lock:
            if self._over or self._child or self._thread or now < self._again_at:
                return
            self._again_at = now + self._limit
            thread = threading.Thread(target=self._begin, name="servicegroup-guardian", daemon=True)
            try:
                thread.start()
                self._thread = thread
            except RuntimeError as error:  # there may be no more of them
                self._complain(str(error))

    def wait(self) -> None:
        """Wait, for a short time at most, until it knows what to do when this process dies."""
        thread = self._thread
        if thread is not None:
            thread.join(PATIENCE)

    def step(self, now: float) -> None:
        """Look whether it is there; never waits. If it is not, start another one."""
        child = self._child
        if child is None:
            self.start(now)
            return
        words = child.said()
        if words is None:
            return
        if words.startswith(READY):
            self._ready = True
            if self._troubled:
                LOG.warning("this process has a guardian again")
            self._troubled = False
            return
        child.close()
        with self._lock:
            if self._child is not child:
                return
            self._child, was_ready, self._ready = None, self._ready, False
        if words.startswith(FAILED):
            self._complain(words.removeprefix(FAILED).decode(errors="replace"))
        elif not was_ready:
            self._complain("it was started and ended at once")
        else:
            self._again_at = float("-inf")
            self._complain("it was killed; another one is being started")
            self.start(now)

    def dismiss(self, *, clean: bool) -> None:
        """Let it go. *clean*: all groups were left; else it does what it is there for."""
        with self._lock:
            self._over, self._clean = True, clean
            child, self._child = self._child, None
        if child is not None:
            self._dismiss(child)

    def _dismiss(self, child: Child) -> None:
        if self._clean:
            with contextlib.suppress(OSError):
                child.send(CLEAN, PATIENCE)
        child.close()

    def _begin(self) -> None:
        child = None
        try:
            child = self._started(self._wills(REASON))
        except Exception as error:  # noqa: BLE001 - a daemon joins without a guardian too
            self._complain(str(error) or type(error).__name__)
        with self._lock:
            self._thread = None
            if not self._over:
                self._child, child = child, None
        if child is not None:  # dismissed meanwhile
            self._dismiss(child)

    def _started(self, wills: Sequence[LastWill]) -> Child:
        task = packed(Task(wills, self._limit, os.environ, directory()))
        child = Child("servicegroup.guardian", str(os.getpid()), held=_HELD)
        try:
            try:
                child.send(task, STARTING)
            finally:
                child.wait(STARTING)  # if it ended, how says more than that it does not listen
        except BaseException:
            child.close()
            raise
        return child

    def _complain(self, reason: str) -> None:
        if not self._troubled:
            self._troubled = True
            LOG.warning(
                "this process has no guardian: if it dies now, others learn it by its age only "
                "(%s)",
                reason,
            )
