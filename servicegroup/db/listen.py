"""Being told of changes by PostgreSQL (LISTEN), on one connection and one thread per process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from typing import Any

import psycopg

from servicegroup.clock import boottime
from servicegroup.db import payload
from servicegroup.db.engine import Database
from servicegroup.db.patience import connector

LOG = logging.getLogger(__name__)

Changed = Callable[[Collection[str] | None], None]

#: Seconds between two looks at whether to stop, and before another try to connect.
_STEP = 0.5
_RETRY = 1.0
#: Time-outs of a request after which the connection has to prove that it is still one: who only
#: listens does not notice that the server, or what lies between, gave it up.
_PROOF = 4


class Listener:
    """Hands notices to watches. Lost notices are covered by ``changed(None)`` on reconnecting."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._watches: dict[object, tuple[str, Changed]] = {}
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def watch(self, group_id: str, changed: Changed) -> Callable[[], None]:
        """Call *changed* from now on; returns what ends it."""
        token = object()
        with self._lock:
            self._watches[token] = (group_id, changed)
            if self._thread is None:
                self._stopped = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._stopped,), name="servicegroup-listen", daemon=True
                )
                self._thread.start()

        def stop() -> None:
            with self._lock:
                self._watches.pop(token, None)

        return stop

    def stop(self) -> None:
        """End the thread and close its connection."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._watches.clear()
        self._stopped.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(4 * _STEP)

    def _run(self, stopped: threading.Event) -> None:
        connected = True
        while not stopped.is_set():
            try:
                with self._connect() as connection:
                    connection.execute(f"LISTEN {payload.CHANNEL}")
                    if not connected:
                        LOG.info("PostgreSQL reports changes again")
                        connected = True
                    self._tell(None, None)  # whatever was missed
                    self._hear(connection, stopped)
            except Exception as error:  # it must not end: nobody would start it again
                if connected:
                    foreseen = isinstance(error, psycopg.Error)
                    LOG.warning(
                        "PostgreSQL does not report changes, polling: %s",
                        error,
                        exc_info=None if foreseen else error,
                    )
                    connected = False
                self._tell(None, None)
                stopped.wait(_RETRY)

    def _hear(self, connection: psycopg.Connection[Any], stopped: threading.Event) -> None:
        """Hand on what is told until *stopped*.

        :raises psycopg.Error: the connection is none any more
        """
        patience = _PROOF * self._database.dialect.timeout
        proved_at = boottime()
        while not stopped.is_set():
            for notice in connection.notifies(timeout=_STEP):
                self._tell(*payload.unpacked(notice.payload))
            if boottime() > proved_at + patience:
                connection.execute(f"LISTEN {payload.CHANNEL}")  # again, which changes nothing
                proved_at = boottime()

    def _connect(self) -> psycopg.Connection[Any]:
        positional, named = self._database.connecting()
        named["application_name"] = "servicegroup-listen"
        connect = connector(self._database.dialect.timeout)
        return connect(*positional, **named, autocommit=True)

    def _tell(self, group_id: str | None, ids: Collection[str] | None) -> None:
        with self._lock:
            watches = list(self._watches.values())
        for watched, changed in watches:
            if group_id is None or watched == group_id:
                changed(ids)
