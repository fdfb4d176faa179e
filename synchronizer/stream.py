"""Streams: plugins that hear of changes in threads of this process, and where they put them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future

from .baseline import check_key, digest_of, row_of
from .collecting import said
from .errors import CollectionFailed
from .ledger import Ledger
from .model import Deleted, Entity, Item, Unchanged
from .plugin import StreamPlugin
from .source import Source
from .wire import Row

LOG = logging.getLogger(__name__)

#: Seconds before a stream that failed is run again: the first and the longest pause.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0


class Stream(Source):
    """Runs one stream plugin, and is the feed that it puts things in. Usable from any thread.

    :param reconcile: called with the types of which changes may have been missed, and why
    """

    def __init__(
        self,
        name: str,
        plugin: StreamPlugin,
        types: frozenset[str],
        ledger: Ledger,
        reconcile: Callable[[Collection[str], str], None],
    ) -> None:
        super().__init__(name, plugin.kind, types, ledger)
        self._plugin = plugin
        self._fields: Sequence[str] | None = plugin.counted_fields
        self._reconcile = reconcile
        self._stopping = threading.Event()
        #: Set once it hears, so that collectors begin after that.
        self.listening = threading.Event()
        self._ordering = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"synchronizer-{name}", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def poll(self) -> Future[None] | None:
        """Ask for everything now, if the plugin can; the future is done when it was taken in."""
        if not self._plugin.complete:
            return None
        future: Future[None] = Future()
        try:
            since = self.mark()
            self.complete(self._plugin.get_all(), since)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is the plugin's
            reason = f"plugin {self.name}: {said(error)}"
            self.ill(said(error))
            future.set_exception(CollectionFailed(reason))
        else:
            future.set_result(None)
        return future

    def stop(self) -> None:
        """Begin to end; returns at once."""
        self._stopping.set()

    def join(self, timeout: float) -> None:
        """Wait for the end."""
        if self._thread.is_alive():
            self._thread.join(timeout)
        if not self._thread.is_alive():
            try:
                self._plugin.close()
            except Exception:
                LOG.exception("plugin %s did not close", self.name)

    # -- the feed -----------------------------------------------------------------------------

    def changed(self, items: Iterable[Item]) -> None:
        """Take in changes, in their order."""
        with self._ordering:
            rows = [row for row in map(self._row, items) if row is not None]
            changes, late = self.ledger.streamed(self.name, rows)
        self.count("changes", changes)
        self.count("late", late)

    def mark(self) -> int:
        """Return a mark for :meth:`complete`."""
        return self.ledger.seq

    def complete(self, items: Iterable[Item], since: int) -> None:
        """Take in everything there is."""
        seen: dict[str, set[str]] = {type_: set() for type_ in self.types}

        def rows() -> Iterator[Row]:
            for item in items:
                row = self._row(item)
                if item.type in seen:
                    seen[item.type].add(item.key)
                if row is not None:
                    yield row

        with self._ordering:
            changes = self.ledger.polled(self.name, list(rows()), since)
            for type_, keys in seen.items():
                missing = [key for key in self.ledger.keys(type_) if key not in keys]
                changes += self.ledger.gone(type_, missing, since)
            self.ledger.ready(self.types)
        self.count("changes", changes)
        self.count("polls")
        self.well()

    def failing(self, reason: str) -> None:
        """Tell consumers that changes may be missed from now on."""
        self.ill(reason)

    def malformed(self, reason: str) -> None:
        """Tell that something was left out."""
        self.count("malformed")
        self.flawed(reason)

    def recovered(self, *, lost: str | None = None) -> None:
        """Tell that it works again."""
        self.well()
        self.listening.set()
        if lost is not None:
            self.count("reconciles")
            self._reconcile(self.types, lost)

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                self._plugin.run(self, self._stopping)
                reason = "it ended by itself"
            except BaseException as error:  # noqa: BLE001 - it is the plugin's
                reason = said(error)
            if not self._stopping.is_set():
                self.ill(reason)
                self.count("restarts")
                self._stopping.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _row(self, item: Item) -> Row | None:
        """Return what is kept of *item*.

        :raises TypeError: it is nothing that a stream may say; the message names it
        :raises ValueError: likewise
        """
        if not isinstance(item, Entity | Deleted | Unchanged):
            raise TypeError(f"{item!r} is no Entity, Deleted or Unchanged")
        if item.type not in self._plugin.entity_types:
            raise ValueError(f"{item!r} is of none of its entity_types")
        if item.type not in self.types:
            return None
        check_key(item)
        if isinstance(item, Deleted):
            return Row(item.type, item.key, 0, 0, None, None, item.timestamp, b"")
        if isinstance(item, Unchanged):
            return None
        return row_of(item, 0, digest_of(item, self._fields))
