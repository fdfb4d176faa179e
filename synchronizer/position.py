"""How far a consumer is: what it was told and has not handled yet, and what came before that."""

from __future__ import annotations

import collections
import threading


class Entry:
    """Something told, and whether it was handled. ``window``: where it takes a place until then."""

    __slots__ = ("handled", "seq", "window")

    def __init__(self, seq: int, window: threading.Semaphore | None, *, handled: bool) -> None:
        self.seq = seq
        self.window = window
        self.handled = handled


class Position:
    """Moves over what was handled without a gap. Usable from any thread.

    :param most: how many may be told that were not handled
    """

    def __init__(self, most: int) -> None:
        #: Up to there, everything was handled; 0: nothing that one could resume from.
        self.seq = 0
        self._most = most
        self._window = threading.Semaphore(most)
        self._pending: collections.deque[Entry] = collections.deque()
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Begin anew: what was told and is lost is never handled."""
        with self._lock:
            self._pending.clear()
            self._window = threading.Semaphore(self._most)
            self.seq = 0

    def passed(self, seq: int) -> None:
        """Count everything up to there as handled, as soon as all that was told before it is."""
        with self._lock:
            if not self._pending:
                self.seq = max(self.seq, seq)
                return
            if not self._pending[-1].handled:
                self._pending.append(Entry(seq, None, handled=True))
            self._pending[-1].seq = seq

    def tell(self, seq: int, timeout: float) -> Entry | None:
        """Note what is being told, once there is a place for it; ``None``: not in time."""
        window = self._window
        if not window.acquire(timeout=timeout):
            return None
        entry = Entry(seq, window, handled=False)
        with self._lock:
            self._pending.append(entry)
        return entry

    def handled(self, entry: Entry) -> None:
        """Note that it was handled. Once is enough."""
        self._done(entry, told=True)

    def untold(self, entry: Entry) -> None:
        """Note that it was not told after all."""
        self._done(entry, told=False)

    def _done(self, entry: Entry, *, told: bool) -> None:
        with self._lock:
            if entry.handled:
                return
            entry.handled = True
            if not told:
                self._pending.remove(entry)
            while self._pending and self._pending[0].handled:
                self.seq = max(self.seq, self._pending.popleft().seq)
        if entry.window is not None:
            entry.window.release()
