"""Holding a daemon of :mod:`fleet.daemon`: telling it, hearing it, killing and stopping it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import faketime
import psutil

#: Seconds; far beyond what is needed, for a machine that does much else.
PATIENCE = 30.0

_TESTS = Path(__file__).parents[1]


class DaemonError(Exception):
    """The daemon answered with an error: its class and words."""


class Daemon:
    """One process, ended by the pid that is held."""

    #: The module that is run.
    program: ClassVar[str] = "fleet.daemon"

    def __init__(
        self, connection: str | None, environment: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        told = json.dumps({"connection": connection, "options": options})
        self._process = subprocess.Popen(
            [sys.executable, "-m", self.program, told],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment_of_daemons(environment),
        )
        self.pid = self._process.pid
        self._heard: list[dict[str, Any]] = []
        self._answers = 0
        self._news = threading.Condition()
        self._ear = threading.Thread(target=self._listen, daemon=True)
        self._ear.start()

    def ready(self) -> "Daemon":
        """Wait until it can be told."""
        self._answer()
        return self

    def tell(self, call: str, *arguments: Any, **named: Any) -> Any:
        """Tell it to do something, and return what it answers.

        :raises DaemonError: it answered with an error.
        """
        self.begin(call, *arguments, **named)
        return self._answer()

    def begin(self, call: str, *arguments: Any, **named: Any) -> None:
        """Tell it to do something; :meth:`finish` returns what it answers."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([call, arguments, named]) + "\n")
        self._process.stdin.flush()

    def finish(self) -> Any:
        """Wait for the answer to :meth:`begin`."""
        return self._answer()

    def join(self, group_id: str, member_id: str, **options: Any) -> list[Any]:
        """Tell it to join; returns instance id, incarnation and process id."""
        joined: list[Any] = self.tell("join", group_id, member_id, **options)
        return joined

    def heard(self, key: str) -> list[dict[str, Any]]:
        """List what it said of a kind (``lost``, ``log``), in order."""
        with self._news:
            return [one for one in self._heard if key in one]

    def logged(self, words: str, level: str | None = None) -> list[str]:
        """List the messages it logged that hold *words*."""
        return [
            one["log"]
            for one in self.heard("log")
            if words in one["log"] and level in (None, one["level"])
        ]

    def wait_until(self, said: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Wait until *said*, asked whenever the daemon says something, is true; return it."""
        deadline = time.monotonic() + seconds
        with self._news:
            while not (value := said()):
                left = deadline - time.monotonic()
                assert left > 0, f"not said within {seconds} s: {self._heard}"
                assert self._ear.is_alive(), f"it ended after saying {self._heard}"
                self._news.wait(left)
            return value

    def silent(self) -> None:
        """Wait until its output ends: nobody who could write to it is left."""
        self._ear.join(PATIENCE)
        assert not self._ear.is_alive(), "somebody keeps its output open"

    def kill(self) -> None:
        """End it by signal 9."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Stop it, and wait until it stands still."""
        self._process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + PATIENCE
        while psutil.Process(self.pid).status() != psutil.STATUS_STOPPED:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it in good order, or by signal 9 if that takes too long."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._process.poll() is None:
            self.resume()
        with contextlib.suppress(BrokenPipeError):  # it was killed with a call half read
            self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
        self._ear.join()
        self._process.stdout.close()
        faketime.remove_shared_memory(self.pid)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._heard.append(json.loads(line))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def _answer(self) -> Any:
        number = self._answers
        self._answers += 1

        def answers() -> list[dict[str, Any]]:
            return [one for one in self._heard if "answer" in one or "error" in one][number:]

        answer = self.wait_until(answers)[0]
        if "error" in answer:
            raise DaemonError(*answer["error"])
        return answer["answer"]


def environment_of_daemons(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Build the environment in which this folder's programs find what they import."""
    environment = dict(os.environ if base is None else base)
    path = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{path}{os.pathsep}{_TESTS}" if path else str(_TESTS)
    return environment
