"""The process of a collector, as its parent sees it: started, asked, listened to, killed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from servicegroup.child import Child, directory
from servicegroup.clock import boottime

from . import wire
from .ledger import Ledger
from .options import PollSettings

#: Seconds for which an interpreter and the imports of a plugin may take.
STARTING = 60.0
#: Seconds for handing something to a process that always listens.
SENDING = 30.0
#: Seconds between two looks whether we are to stop.
STEP = 0.25
#: Seconds that a process gets to end by itself.
GRACE = 0.5


class CollectorDied(Exception):
    """The process is gone or was ended, or says what no collector says; the words say how."""


class CollectorProcess:
    """One process with one plugin in it. For one thread.

    :raises CollectorDied: it could not be started, or has no plugin
    """

    def __init__(
        self,
        origin: str,
        name: str,
        options: Mapping[str, Any],
        types: Sequence[str],
        settings: PollSettings,
        *,
        python: str | None,
        stopping: threading.Event,
        logged: Any,
    ) -> None:
        self._stopping = stopping
        self._logged = logged
        self._frames = wire.Frames()
        self._messages: Iterator[wire.ToParent] = iter(())
        try:
            self._child = Child("servicegroup.synchronizer.collecting", name, python=python)
        except OSError as error:
            raise CollectorDied(f"its process could not be started: {error}") from error
        try:
            self.say(
                wire.Begin(
                    origin,
                    name,
                    dict(options),
                    list(types),
                    settings.memory_limit,
                    settings.max_entities,
                    dict(os.environb),
                    os.fsencode(directory()),
                )
            )
            ready = self.hear(boottime() + STARTING)
        except BaseException:
            self.end()
            raise
        if isinstance(ready, wire.Failed):
            self.end()
            raise CollectorDied(ready.reason)
        if not isinstance(ready, wire.Ready):
            self.end()
            raise CollectorDied(f"it said {type(ready).__name__} at first")
        self.types = ready.types

    @property
    def pid(self) -> int:
        """The process."""
        return self._child.pid

    def load(self, ledger: Ledger) -> None:
        """Hand over the baseline.

        :raises CollectorDied: it is gone
        """
        for type_, marks in ledger.marks(self.types):
            self.say(wire.Known(type_, marks))

    def say(self, message: wire.Message) -> None:
        """Send a message.

        :raises CollectorDied: it is gone
        """
        try:
            self._child.send(wire.frame(message), SENDING)
        except OSError as error:
            raise CollectorDied(self._how(str(error))) from error

    def hear(self, until: float) -> wire.ToParent:
        """Wait for the next message that is no log.

        :param until: by our clock; what takes longer is killed
        :raises CollectorDied: it is gone, killed, or talks nonsense
        """
        while True:
            try:
                message = next(self._messages, None)
            except (msgspec.MsgspecError, ValueError) as error:
                self.end()
                raise CollectorDied(f"its process was ended, it sent nonsense: {error}") from error
            if isinstance(message, wire.Log):
                self._logged(message)
            elif message is not None:
                return message
            else:
                self._messages = self._received(until)

    def end(self, grace: float = 0.0) -> int:
        """End it, killing whatever is still there after *grace* seconds; returns its status."""
        return self._child.end(grace)

    def _received(self, until: float) -> Iterator[wire.ToParent]:
        while True:
            left = until - boottime()
            if self._stopping.is_set():
                self.end()
                raise CollectorDied("stopped")
            if left <= 0:
                self.end()
                raise CollectorDied("it took longer than poll_deadline and was killed")
            try:
                data = self._child.heard(min(left, STEP))
            except TimeoutError:
                continue
            except OSError as error:
                raise CollectorDied(self._how(str(error))) from error
            if not data:
                raise CollectorDied(self._how("it closed its channel"))
            return map(wire.from_child, self._frames.feed(data))

    def _how(self, words: str) -> str:
        status = self.end(GRACE)
        if status < 0:
            return f"its process was killed by {signal.Signals(-status).name}"
        if status > 0:
            return f"its process ended with status {status}"
        return f"its process is gone: {words}"
