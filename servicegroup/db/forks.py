"""Keeping SQLite and forks apart: none of its connections is open while the process forks.

SQLite notes, per process, which locks it holds on which file. A child inherits the notes and the
mutexes, but neither the locks of the file nor the threads: it takes for its own what the parent has
locked, and may wait for ever for a thread that it does not have. SQLite's own page on how to
corrupt a database forbids to carry a connection over a fork, even only to leave it alone.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from typing import Any

from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

LOG = logging.getLogger(__name__)

#: Seconds that a fork waits for calls in flight: as long as these wait for a lock at most, at the
#: default report_interval.
PATIENCE = 10.0


class _Gate:
    """Counts connections in use, and lets none be taken while the process forks."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pools: weakref.WeakSet[ForkSafePool] = weakref.WeakSet()
        self._used = 0
        self._shut = False

    def add(self, pool: ForkSafePool) -> None:
        with self._changed:
            self._pools.add(pool)

    def enter(self) -> None:
        with self._changed:
            while self._shut:
                self._changed.wait()
            self._used += 1

    def leave(self) -> None:
        with self._changed:
            self._used -= 1
            if self._shut:
                self._changed.notify_all()

    def shut(self) -> None:
        with self._changed:
            self._shut = True
            until = time.monotonic() + PATIENCE
            while self._used and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            if self._used:
                LOG.warning("forking while SQLite is in use: the child may hang")
            for pool in self._pools:
                pool.dispose()

    def open(self) -> None:
        with self._changed:
            self._shut = False
            self._changed.notify_all()

    def renew(self) -> None:
        """Open in the child, where the lock may be held by a thread that stayed behind."""
        self._changed = threading.Condition()
        self._used = 0
        self._shut = False


_gate = _Gate()


class ForkSafePool(QueuePool):
    """A pool whose connections are closed before the process forks, and opened again at need."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._getting = threading.local()
        _gate.add(self)

    def _do_get(self) -> ConnectionPoolEntry:
        if getattr(self._getting, "now", False):  # it calls itself where it lost a race
            return super()._do_get()
        _gate.enter()
        self._getting.now = True
        try:
            return super()._do_get()
        except BaseException:
            _gate.leave()
            raise
        finally:
            self._getting.now = False

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        try:
            super()._do_return_conn(record)
        finally:
            _gate.leave()


os.register_at_fork(before=_gate.shut, after_in_parent=_gate.open, after_in_child=_gate.renew)
