"""Where the demo plays: a temporary directory and real processes, all gone when it is over."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence

from oslo_config import cfg

#: Seconds: short, so that the audience does not fall asleep.
REPORT_INTERVAL = 0.5
SERVICE_DOWN_TIME = 3.0
POLL_INTERVAL = 0.2

#: Seconds that processes get to end by themselves.
GRACE = 8.0
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PROGRAM = (sys.executable, "-m", "servicegroup.cli.main")
_DAEMON = (sys.executable, "-m", "servicegroup.cli.demo_daemon")


class Stage:
    """Used as a context manager: whatever happens inside, nothing stays behind.

    Each process has a session of its own: a Ctrl-C reaches the demo alone, which then ends them.
    """

    def __init__(self, hosts: Sequence[str]) -> None:
        self._hosts = hosts
        self._processes: list[subprocess.Popen[bytes]] = []
        self._handlers: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Stage:
        for signum in (signal.SIGTERM, signal.SIGHUP):
            self._handlers[signum] = signal.signal(signum, _interrupted)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="servicegroup-demo-"))
        for host in self._hosts:
            self._file(host).write_text(
                f"[servicegroup]\n"
                f"host = {host}\n"
                f"report_interval = {REPORT_INTERVAL}\n"
                f"service_down_time = {SERVICE_DOWN_TIME}\n"
                f"poll_interval = {POLL_INTERVAL}\n"
                f"guardian = true\n"
                f"[servicegroup_database]\n"
                f"connection = sqlite:///{self._database}\n"
            )
        return self

    def conf(self, host: str) -> cfg.ConfigOpts:
        """Return the configuration of one of the hosts."""
        conf = cfg.ConfigOpts()
        conf([f"--config-file={self._file(host)}"], project="servicegroup", use_env=False)
        return conf

    def daemon(self, host: str, group: str, name: str) -> subprocess.Popen[bytes]:
        """Start a daemon that joins by itself, under its host's name."""
        return self._start([*_DAEMON, str(self._file(host)), group, host, name])

    def run(self, host: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start ``servicegroup run`` with *arguments*."""
        return self._start([*_PROGRAM, "--config-file", str(self._file(host)), "run", *arguments])

    def show(self, host: str, arguments: Sequence[str]) -> None:
        """Run ``servicegroup`` with *arguments* to its end, with our output.

        :raises subprocess.CalledProcessError: it failed
        """
        command = [*_PROGRAM, "--config-file", str(self._file(host)), *arguments]
        subprocess.run(command, check=True, env=self._environment())  # noqa: S603

    def pause(self, process: subprocess.Popen[bytes]) -> None:
        """Stop a process, but not within a write: it would keep everybody else from writing."""
        while True:
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
            if self._is_writable():
                return
            process.send_signal(signal.SIGCONT)
            time.sleep(REPORT_INTERVAL / 10)

    def complaints(self) -> str:
        """Return what the processes wrote to their standard error."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def __exit__(self, *_: object) -> None:
        with _undisturbed():
            for process in self._processes:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                    process.send_signal(signal.SIGTERM)
            until = time.monotonic() + GRACE
            for process in self._processes:
                _finish(process, until)
            shutil.rmtree(self.folder, ignore_errors=True)
        for signum, handler in self._handlers.items():
            signal.signal(signum, handler)

    @property
    def _database(self) -> pathlib.Path:
        return self.folder / "demo.sqlite"

    @property
    def _log(self) -> pathlib.Path:
        return self.folder / "stderr"

    def _file(self, host: str) -> pathlib.Path:
        return self.folder / f"{host}.conf"

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with _undisturbed(), self._log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.PIPE,  # whose end tells the daemon that we are gone
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=self._environment(),
                start_new_session=True,
            )
            self._processes.append(process)
        return process

    @staticmethod
    def _environment() -> Mapping[str, str]:
        ours = ("OS_SERVICEGROUP", "HOST_HOSTNAME")
        return {name: value for name, value in os.environ.items() if not name.startswith(ours)}

    def _is_writable(self) -> bool:
        import sqlite3

        with contextlib.closing(sqlite3.connect(self._database, REPORT_INTERVAL / 2)) as database:
            database.isolation_level = None
            try:
                database.execute("BEGIN IMMEDIATE")
                database.execute("ROLLBACK")
            except sqlite3.OperationalError:
                return False
        return True


def _finish(process: subprocess.Popen[bytes], until: float) -> None:
    """Wait for a process that was told to end; kill its whole session if it does not."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # not waited for yet: the id is still its own
        process.wait()


def _interrupted(signum: int, frame: object) -> None:  # noqa: ARG001
    raise SystemExit(128 + signum)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let what would end us wait until the block is done.

    By handlers rather than by the signal mask, which a process started meanwhile would inherit.
    """
    came: list[int] = []
    before = {one: signal.signal(one, lambda signum, _: came.append(signum)) for one in _ENDING}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        if came:
            signal.raise_signal(came[0])
