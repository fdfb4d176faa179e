"""What collectors and streams have in common: how they are, told on each change of it."""

from __future__ import annotations

import logging
import threading
from typing import NamedTuple

from servicegroup.clock import boottime

from .collecting import encodable
from .ledger import Ledger

LOG = logging.getLogger(__name__)

OK, FAILING, WARNING = "ok", "failing", "warning"


class SourceStatus(NamedTuple):
    """How one plugin is. ``age``: seconds since it last succeeded, ``None`` if it never did.

    ``counts``: what happened since the start, such as ``polls``, ``failures``, ``restarts``,
    ``changes``, ``duplicates``, ``late`` and ``malformed``; those that did not are left out.
    """

    name: str
    kind: str
    types: tuple[str, ...]
    state: str
    reason: str
    age: float | None
    counts: dict[str, int]


class Source:
    """One running plugin."""

    def __init__(self, name: str, kind: str, types: frozenset[str], ledger: Ledger) -> None:
        self.name = name
        self.kind = kind
        self.types = types
        self.ledger = ledger
        self._counts: dict[str, int] = {}
        self._state, self._reason = "starting", ""
        self._told: tuple[str, str] | None = None
        self._succeeded: float | None = None
        self._lock = threading.Lock()
        self._telling = threading.Lock()

    def count(self, what: str, times: int = 1) -> None:
        """Count something that happened."""
        if times:
            with self._lock:
                self._counts[what] = self._counts.get(what, 0) + times

    def well(self, newest: float | None = None) -> None:
        """Note that it works, and the newest time that it told; told if it did not before."""
        self._become(OK, "")
        self._succeeded = boottime()
        self.ledger.succeeded(self.name, newest)

    def ill(self, reason: str) -> None:
        """Note that it fails; told if it did not before. Never raises: it may be ours to fail."""
        self.count("failures")
        self._become_if_possible(FAILING, reason)

    def flawed(self, reason: str) -> None:
        """Note that it works, but for something that is left out. Never raises, either."""
        self._become_if_possible(WARNING, reason)

    def odd(self, reason: str, newest: float | None = None) -> None:
        """Note that it works, but not as it should."""
        self._become(WARNING, reason)
        self._succeeded = boottime()
        self.ledger.succeeded(self.name, newest)

    @property
    def status(self) -> SourceStatus:
        """How it is now."""
        with self._lock:
            counts = dict(sorted(self._counts.items()))
        age = None if self._succeeded is None else boottime() - self._succeeded
        types = tuple(sorted(self.types))
        return SourceStatus(self.name, self.kind, types, self._state, self._reason, age, counts)

    def _become_if_possible(self, state: str, reason: str) -> None:
        try:
            self._become(state, reason)
        except Exception:
            LOG.exception("plugin %s: the baseline cannot keep how it is", self.name)

    def _become(self, state: str, reason: str) -> None:
        reason = encodable(reason)
        with self._telling:
            if state not in (self._state, OK):
                LOG.warning("plugin %s: %s: %s", self.name, state, reason)
            self._state, self._reason = state, reason
            if (state, reason) == self._told:
                return
            self._told = None  # unknown, should it fail
            told = self.ledger.say(self.name, state, reason, self.types)
            self._told = state, reason
        if told and state == OK:
            LOG.warning("plugin %s works again", self.name)
