"""Consumers: each has a thread, a position of its own, and is told one thing after the other.

Nothing waits in memory for a slow one: what it has not been told is read from the ledger when its
turn comes, where a newer state has taken the place of an older one of the same key by then.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from servicegroup.clock import boottime

from .ledger import Ledger
from .model import Event, Op, Token
from .position import Position
from .reading import Reader

LOG = logging.getLogger(__name__)

#: Seconds before what a callback raised on is told it again: the first and the longest pause.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0
#: Seconds between two notes of how far a named consumer is.
NOTE_EVERY = 1.0
#: Seconds between two looks although nobody woke us.
LOOK_EVERY = 5.0


class _Acknowledged:
    def __repr__(self) -> str:
        return "synchronizer.ACKNOWLEDGED"


#: For ``register(resume=)``: go on after what this name acknowledged last.
ACKNOWLEDGED: Final = _Acknowledged()
Resume = Token | _Acknowledged | None


class Put(Protocol):
    """A queue of the consumer's, such as ``queue.Queue``."""

    def put(self, item: Event, block: bool = ..., timeout: float | None = ...) -> None:
        """Put one event, or raise ``queue.Full``."""


class Registration:
    """What ``register`` returns: one consumer. Usable from any thread."""

    def __init__(
        self,
        types: Sequence[str],
        deliver: Callable[[Event], None] | Put,
        *,
        name: str | None,
        resume: Resume,
        only_notified: frozenset[str],
        most_unacknowledged: int,
        closed: Callable[[Registration], None],
    ) -> None:
        self.name = name
        self.types = tuple(types)
        self.delivered = 0
        self.failing: str | None = None
        self._started: Ledger | None = None
        self._on_closed = closed
        self._resume = resume
        self._only_notified = only_notified
        self._callback = deliver if callable(deliver) else None
        self._queue = None if callable(deliver) else deliver
        self._lock = threading.Lock()
        self._position = Position(most_unacknowledged)
        self._told = 0
        self._last = 0
        self._floors: dict[str, int] = {}
        self._asked = False
        self._noted = -1
        self._noted_at = float("-inf")
        self._want: set[str] = set()
        self._begun = self._ended = False
        self._thread = threading.Thread(
            target=self._run, name=f"synchronizer-consumer-{name or ''}", daemon=True
        )

    @property
    def position(self) -> Token | None:
        """Up to where everything was acknowledged; ``None`` before the first snapshot was."""
        ledger = self._started
        seq = self._position.seq
        return None if ledger is None or not seq else Token(ledger.epoch, seq)

    @property
    def needs(self) -> int | None:
        """After which change it has still to be told what is gone; ``None``: it has not begun."""
        return self._position.seq or self._told or None

    @property
    def lag(self) -> int:
        """How many changes, of any type, came after the position."""
        return 0 if self._started is None else self._started.seq - self._position.seq

    def snapshot(self) -> None:
        """Ask for a complete snapshot: what is held is lost, or something was missed."""
        with self._lock:
            self._want.update(self.types)
            self._asked = True
        self._wake()

    def close(self, timeout: float = 5.0) -> None:
        """Tell it nothing any more. Waits for a callback that is running, *timeout* seconds."""
        self._ended = True
        self._on_closed(self)
        self._wake()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)
            if self._thread.is_alive():
                LOG.warning("consumer %s does not return from its callback", self._shown)

    def start(self, ledger: Ledger) -> None:
        """Begin to tell what is in *ledger*. Called by the synchronizer."""
        self._started = ledger
        self._thread.start()

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            delivered = self.delivered
            try:
                self._follow()
            except Exception as error:
                if self._ended:
                    return
                LOG.exception("consumer %s cannot go on for now; it is tried again", self._shown)
                self.failing = f"{type(error).__name__}: {error}"
                pause = FIRST_PAUSE if self.delivered > delivered else pause
                self._wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                return

    def _follow(self) -> None:
        """Tell what there is until ended. What was not told when it raises is told next time."""
        with contextlib.closing(Reader(self._ledger, self.types)) as reader:
            if not self._begun:
                self._begin(reader)
                self._begun = True
            while not self._ended:
                if not self._tell_some(reader):
                    self._note()
                    self.failing = None
                    self._ledger.wait(self._told, LOOK_EVERY, self._woken)
        self._note(last=True)

    def _begin(self, reader: Reader) -> None:
        resume = self._resume
        if self.name is not None:
            self._ledger.claim(self.name, self)
        if isinstance(resume, _Acknowledged):
            assert self.name is not None
            found = reader.position(self.name)
            resume = None
            if found is not None and set(self.types) <= set(found[1]):
                resume = Token(self._ledger.epoch, found[0])
        known = reader.complete() | dict.fromkeys(self._only_notified, 0)
        usable = (
            resume is not None
            and resume.epoch == self._ledger.epoch
            and max(1, self._ledger.purged) <= resume.seq <= self._ledger.seq
        )
        if not usable:
            self._knows_nothing()
        with self._lock:
            self._want.update(self.types)
            if usable:
                assert resume is not None
                self._told = resume.seq
                self._position.passed(resume.seq)
                # What was acknowledged may lie beyond the last event that there was.
                self._last = 0 if resume is not self._resume else resume.seq
                # What became complete after that was not told as a snapshot by then.
                have = {type_ for type_, ready in known.items() if ready <= resume.seq}
                self._want -= have

    def _knows_nothing(self) -> None:
        """Forget how far it was: should it crash before its snapshot, it must get one again."""
        self._position.forget()
        self._noted = -1
        if self.name is not None:
            self._ledger.disown(self.name, self)

    def _tell_some(self, reader: Reader) -> bool:
        """Tell what there is; returns whether there was anything."""
        with self._lock:
            want = frozenset(self._want)
            asked, self._asked = self._asked, False
        if asked:
            try:
                self._knows_nothing()
            except BaseException:
                self._asked = True
                raise
        if self._snapshots(reader, want):
            return True
        seq = self._told
        events, until, purged = reader.changes(seq)
        if 0 < seq < purged:
            LOG.error("consumer %s: what is gone was forgotten before it was told", self._shown)
            self.snapshot()
            return True
        if want & reader.complete().keys():  # just now: snapshots come before changes
            return True
        for event in events:
            if event.type in want or event.seq <= self._floors.get(event.type, 0):
                continue  # comes, or came, with its snapshot
            event.after = self._last
            if not self._deliver(event):
                return True
            self._told = self._last = event.seq
        self._told = until
        self._position.passed(until)
        return until > seq

    def _snapshots(self, reader: Reader, want: frozenset[str]) -> bool:
        """Tell snapshots of what is wanted and complete; returns whether there were any."""
        ready = sorted(want & (reader.complete().keys() | self._only_notified))
        if not ready:
            return False
        now = self._ledger.seq
        if want == set(self.types):
            self._told = now
            for event in reader.failing():
                event.seq = 0
                if not self._deliver(event):
                    return True
        for type_ in ready:
            only = "nobody can be asked for all: this is what was notified so far"
            reason = only if type_ in self._only_notified else ""
            for event in reader.snapshot(type_, now, reason):
                if event.op is Op.SNAPSHOT_END:
                    # Others go on from where they are, and nothing can before the last one.
                    event.seq = self._told if type_ == ready[-1] else 0
                if not self._deliver(event):
                    return True
            self._floors[type_] = now
            with self._lock:
                self._want.discard(type_)
        self._last = self._told
        return True

    def _deliver(self, event: Event) -> bool:
        """Tell one event until it was taken; returns whether it was."""
        pause = FIRST_PAUSE
        while not self._ended:
            try:
                taken = self._enqueue(event) if self._callback is None else self._call(event)
            except BaseException as error:  # nothing of the consumer's ends the thread
                if self.failing is None:
                    LOG.exception(
                        "consumer %s failed on %s %s; it is told again until it succeeds",
                        self._shown,
                        event.op.value,
                        event.key or event.type,
                    )
                self.failing = f"{type(error).__name__}: {error}"
                self._wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                if self.failing is not None:
                    LOG.warning("consumer %s works again", self._shown)
                self.failing = None
                self.delivered += taken
                return taken
        return False

    def _call(self, event: Event) -> bool:
        assert self._callback is not None
        self._callback(event)
        self._position.passed(event.seq)
        return True

    def _enqueue(self, event: Event) -> bool:
        """Put one event into the queue; returns whether it was, before something else was asked."""
        assert self._queue is not None
        while (entry := self._position.tell(event.seq, 0.2)) is None:
            if self._woken():
                return False
        event.acknowledge = lambda _: self._position.handled(entry)
        told = False
        try:
            while not told and not self._woken():
                with contextlib.suppress(queue.Full):
                    self._queue.put(event, True, 0.2)
                    told = True
        finally:
            if not told:
                self._position.untold(entry)
        return told

    def _wait(self, pause: float) -> None:
        until = boottime() + pause
        while not self._ended and boottime() < until:
            self._ledger.wait(2**62, until - boottime(), lambda: self._ended)

    def _note(self, *, last: bool = False) -> None:
        """Keep the position, now and then."""
        position = self._position.seq
        if self.name is None or not position or position == self._noted:
            return
        if not last and boottime() < self._noted_at + NOTE_EVERY:
            return
        self._ledger.acknowledge(self.name, position, self.types, self)
        self._noted, self._noted_at = position, boottime()

    @property
    def _ledger(self) -> Ledger:
        assert self._started is not None
        return self._started

    def _wake(self) -> None:
        if self._started is not None:
            self._started.wake()

    def _woken(self) -> bool:
        return self._ended or self._asked

    @property
    def _shown(self) -> str:
        return repr(self.name) if self.name else "without a name"
