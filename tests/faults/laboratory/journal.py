"""What each process writes down of itself: lines of JSON, timed by the host's monotonic clock.

All processes of a fleet run on one host, so their times can be compared.
"""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faults.laboratory.spans import Span

Entry = dict[str, Any]

#: Seconds between two ticks of a pulse, and the distance of two that is worth noting.
TICK = 0.02
STALL = 0.05


class Journal:
    """One process's own account, complete up to the moment at which it is killed."""

    def __init__(self, path: Path, who: str) -> None:
        self._who = who
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()

    def note(self, what: str, **fields: Any) -> None:
        """Write down something that ended now; ``begin`` is when it began."""
        with self._lock:
            entry = {"at": time.monotonic(), "who": self._who, "what": what, **fields}
            if not self._file.closed:
                self._file.write(json.dumps(entry) + "\n")

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            self._file.close()


class Pulse:
    """Notes when its process stood still: stopped, starved, or with the machine."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        last = time.monotonic()
        while not self._closed.wait(TICK):
            now = time.monotonic()
            if now - last > STALL:
                self._journal.note("stall", begin=last)
            last = now


def span(entry: Entry) -> Span:
    """Return when it began, if it took time, and when it was over."""
    at: float = entry["at"]
    begin: float = entry.get("begin", at)
    return begin, at


def read(folder: Path) -> list[Entry]:
    """Read all accounts in *folder* as one, in order of time."""
    entries = [entry for path in sorted(folder.glob("*.jsonl")) for entry in _entries(path)]
    return sorted(entries, key=lambda entry: entry["at"])


def _entries(path: Path) -> Iterator[Entry]:
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):  # whoever was killed may have written half a line
            yield json.loads(line)
