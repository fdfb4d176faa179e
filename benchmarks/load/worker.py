"""The other end of :mod:`benchmarks.load.program`: starts one, hears it, and ends it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks.places import Place

#: Seconds: the longest wait for an answer, and for the end of a program.
PATIENCE = 120.0


class Worker:
    """One program, in a process of its own and out of reach of the terminal's Ctrl-C."""

    def __init__(self, program: str, place: Place, group: str, core: Any, **told: Any) -> None:
        told |= {"place": place.name, "address": place.address, "group": group, "core": core}
        self._name, self.group = program, group
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.load.{program}", json.dumps(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._heard: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._over = False
        self._ear = threading.Thread(target=self._listen, daemon=True)
        self._ear.start()

    def heard(self, key: str) -> list[dict[str, Any]]:
        """Return all that it said of one kind, so far."""
        with self._news:
            return [one for one in self._heard if key in one]

    def wait(self, key: str, count: int = 1, patience: float = PATIENCE) -> dict[str, Any]:
        """Wait until it has said so much of one kind; returns the last.

        :raises RuntimeError: it ended, or said nothing for too long
        """
        until = time.monotonic() + patience
        with self._news:
            while len(found := [one for one in self._heard if key in one]) < count:
                left = until - time.monotonic()
                if self._over or left <= 0:
                    how = "ended" if self._over else f"was silent for {patience:g} s"
                    raise RuntimeError(f"the program {self._name!r} {how} before it said {key!r}")
                self._news.wait(left)
            return found[count - 1]

    def ask(self, order: str, key: str) -> dict[str, Any]:
        """Give an order and wait for its answer."""
        count = len(self.heard(key)) + 1
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        return self.wait(key, count)

    def dismiss(self) -> None:
        """Tell it to end; does not wait."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def close(self) -> None:
        """End it, by force if it takes too long."""
        self.dismiss()
        try:
            self._process.wait(PATIENCE)
        except BaseException as error:
            self._process.kill()
            self._process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
        self._ear.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._heard.append(json.loads(line))
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()


@contextlib.contextmanager
def crew() -> Iterator[list[Worker]]:
    """Let workers be added to a list; all are told to end together, the last one added first."""
    workers: list[Worker] = []
    try:
        yield workers
    finally:
        _end(reversed(workers))


def _end(workers: Iterable[Worker]) -> None:
    with contextlib.ExitStack() as stack:
        for worker in list(workers):
            worker.dismiss()
            stack.callback(worker.close)
