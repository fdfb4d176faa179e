"""One collector: when it is polled, what of it counts, and what happens when it fails."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from servicegroup.clock import boottime

from . import wire
from .errors import CollectionFailed
from .judgement import Volatility, refusal
from .ledger import Ledger
from .options import PollSettings
from .plugin import CollectorPlugin, DeltaPlugin
from .process import GRACE, STEP, CollectorDied, CollectorProcess
from .source import Source

LOG = logging.getLogger(__name__)

#: Seconds that the first poll waits for streams of the same types to listen.
LISTENING = 5.0


class _PollFailed(Exception):
    """The poll counts for nothing; the collector lives on."""


class Collector(Source):
    """Runs one collector plugin, on a thread of its own. Usable from any thread."""

    def __init__(
        self,
        *,
        name: str,
        origin: str,
        plugin: type[CollectorPlugin],
        options: Mapping[str, Any],
        types: frozenset[str],
        settings: PollSettings,
        ledger: Ledger,
        python: str | None = None,
        after: Sequence[threading.Event] = (),
    ) -> None:
        super().__init__(name, plugin.kind, types, ledger)
        self._origin = origin
        self._options = options
        self._settings = settings
        self._python = python
        self._after = after
        self._overlap = plugin.overlap if issubclass(plugin, DeltaPlugin) else None
        self._process: CollectorProcess | None = None
        self._volatility = Volatility()
        self._stopping = threading.Event()
        self._woken = threading.Condition()
        self._asked: list[Future[None]] = []
        self._failures = 0
        self._due = self._full_due = float("-inf")
        #: Up to there, the process knows what streams said.
        self.touched_until = ledger.seq
        self._thread = threading.Thread(target=self._run, name=f"synchronizer-{name}", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process of the plugin, while there is one."""
        process = self._process
        return None if process is None else process.pid

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def poll(self) -> Future[None] | None:
        """Ask for one complete poll that begins after now; the future fails if it does.

        The error is a :class:`CollectionFailed`.
        """
        future: Future[None] = Future()
        with self._woken:
            if self._stopping.is_set():
                future.set_exception(CollectionFailed(f"plugin {self.name} is being stopped"))
                return future
            self._asked.append(future)
            self._woken.notify_all()
        return future

    def stop(self) -> None:
        """Begin to end; returns at once."""
        with self._woken:
            self._stopping.set()
            self._woken.notify_all()

    def join(self, timeout: float) -> None:
        """Wait for the end."""
        if self._thread.is_alive():
            self._thread.join(timeout)

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        # What changes during the first poll must be heard; but nobody waits for a dead broker.
        until = boottime() + LISTENING
        for listening in self._after:
            while not listening.is_set() and boottime() < until and not self._stopping.is_set():
                listening.wait(STEP)
        while self._wait():
            with self._woken:
                asked, self._asked = self._asked, []
            now = boottime()
            full = bool(asked) or self._overlap is None or now >= self._full_due
            try:
                self._poll(full)
            except (CollectorDied, _PollFailed) as error:
                self._failed(str(error), asked)
            except Exception as error:
                LOG.exception("polling plugin %s failed", self.name)
                self._end()
                self._failed(f"{type(error).__name__}: {error}", asked)
            else:
                self._failures = 0
                self._due = now + self._settings.poll_interval
                for future in asked:
                    future.set_result(None)
        self._end()
        self._give_up("it is being stopped")

    def _wait(self) -> bool:
        """Wait until a poll is due; returns whether to go on."""
        with self._woken:
            while not self._stopping.is_set() and not self._asked and boottime() < self._due:
                self._woken.wait(max(0.001, self._due - boottime()))
        return not self._stopping.is_set()

    def _failed(self, reason: str, asked: list[Future[None]]) -> None:
        if self._stopping.is_set():
            with self._woken:
                self._asked.extend(asked)
            return
        self._failures += 1
        pause = self._settings.retry_interval * 2.0 ** min(self._failures - 1, 30)
        self._due = boottime() + min(pause, self._settings.longest_retry) * random.uniform(0.8, 1)  # noqa: S311
        self.ill(reason)
        for future in asked:
            future.set_exception(CollectionFailed(f"plugin {self.name}: {reason}"))

    def _poll(self, full: bool) -> None:
        if self._process is None:
            self._begin()
            full = True
        process = self._process
        assert process is not None
        since = None if full else self._since()
        window = self.ledger.seq
        doubted = self.ledger.touched(process.types, self.touched_until)
        until = boottime() + self._settings.poll_deadline
        self.count("polls")
        try:
            process.say(wire.Poll(since, doubted, self._settings.poll_deadline))
            self.touched_until = window
            read = process.hear(until)
            if not isinstance(read, wire.Read):
                raise CollectorDied(f"it said {type(read).__name__} in place of what it read")
            if read.fatal:
                raise CollectorDied(read.error)
            if read.error:
                raise _PollFailed(read.error)
            refused = refusal(read, self._settings.max_delete_fraction)
            process.say(wire.Go(refused is None))
            if refused is not None:
                raise _PollFailed(refused)
            changes = self._take(process, window)
        except CollectorDied:
            self._end()
            raise
        self._succeeded_with(read, changes, since)

    def _take(self, process: CollectorProcess, window: int) -> int:
        changes = 0
        while True:
            message = process.hear(boottime() + self._settings.poll_deadline)
            if isinstance(message, wire.Rows):
                changes += self.ledger.polled(self.name, message.rows, window)
            elif isinstance(message, wire.Gone):
                changes += self.ledger.gone(message.entity_type, message.keys, window)
            elif isinstance(message, wire.End):
                return changes
            else:
                raise CollectorDied(f"it said {type(message).__name__} in place of what changed")

    def _succeeded_with(self, read: wire.Read, changes: int, since: float | None) -> None:
        self.count("changes", changes)
        self.count("duplicates", read.duplicates)
        if since is not None:
            self.well(read.newest)
            return
        self._full_due = boottime() + self._settings.reconcile_interval
        process = self._process
        assert process is not None
        self.ledger.ready(process.types)
        complaint = self._volatility.complaint(read)
        if complaint is None:
            self.well(read.newest)
        else:
            self.odd(complaint, read.newest)

    def _since(self) -> float | None:
        newest = self.ledger.newest(self.name)
        return None if newest is None or self._overlap is None else newest - self._overlap

    def _begin(self) -> None:
        touched = self.ledger.seq
        process = CollectorProcess(
            self._origin,
            self.name,
            self._options,
            sorted(self.types),
            self._settings,
            python=self._python,
            stopping=self._stopping,
            logged=self._logged,
        )
        try:
            process.load(self.ledger)
        except BaseException:
            process.end()
            raise
        self._process, self.touched_until = process, touched
        self.count("starts")

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end(GRACE if self._stopping.is_set() else 0.0)

    def _give_up(self, reason: str) -> None:
        with self._woken:
            asked, self._asked = self._asked, []
        for future in asked:
            future.set_exception(CollectionFailed(f"plugin {self.name}: {reason}"))

    def _logged(self, log: wire.Log) -> None:
        LOG.log(log.level, "plugin %s: %s: %s", self.name, log.name, log.text)
