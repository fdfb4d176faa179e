"""A private server: started for tests on loopback ports, ended by the pid that is held.

Another kind of server is a subclass that says what to install, how to prepare a folder, which
command to run and when it is ready.
"""

import abc
import contextlib
import os
import shutil
import signal
import subprocess
import time
from typing import ClassVar, Self

import faketime
from servers import tree
from servers.account import Account, ServerError
from servers.home import Home
from servers.log import Log
from servers.ports import LOOPBACK, free_ports

START_ATTEMPTS = 5


class _PortTakenError(ServerError):
    """Another process took a port between its choice and the start."""


class Server(abc.ABC):
    """One server in a folder of its own.

    Ports and data stay the same over :meth:`stop`, :meth:`kill` and :meth:`restart`. With
    *skewable*, the server runs by a wall clock that :meth:`step_clock` moves. As a context
    manager it is started and closed.

    :raises servers.requirement.MissingError: at construction, if it is not installed.
    """

    name: ClassVar[str]
    #: Whom the server runs as when the tests run as root; None where it does not mind root.
    account: ClassVar[str | None] = None
    port_count: ClassVar[int] = 1
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    #: Seconds.
    ready_within: ClassVar[float] = 30.0
    stop_within: ClassVar[float] = 15.0

    def __init__(self, home: Home, *, skewable: bool = False) -> None:
        self.find()
        if skewable:
            faketime.library()
        self.home = home
        self.folder = home.folder(self.name)
        self.log = Log(self.folder / "log")
        self.runs_as = Account(self.account)
        self.host = LOOPBACK
        self.ports: list[int] = []
        self._skewable = skewable
        self._clock: faketime.SteppedClock | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @abc.abstractmethod
    def find(cls) -> None:
        """Find every program that is needed.

        :raises servers.requirement.MissingError: one is not there.
        """

    @abc.abstractmethod
    def command(self) -> list[str]:
        """Build the command line that runs the server in the foreground, logging to stderr."""

    @abc.abstractmethod
    def ready(self) -> bool:
        """Whether the server answers now; may raise OSError in place of returning False."""

    def prepare(self) -> None:
        """Make the data, once, in ``self.folder``, which is there and belongs to the account."""

    def environment(self) -> dict[str, str]:
        """Name the variables that the server runs with; nothing else is inherited."""
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.folder), "LC_ALL": "C"}

    @property
    def port(self) -> int:
        """The port that clients use."""
        return self.ports[0]

    @property
    def address(self) -> str:
        """``host:port`` for clients."""
        return f"{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """The server's own process."""
        if self._process is None:
            raise ServerError(f"{self.name} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there, paused or not."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start the server and wait until it answers.

        :raises ServerError: it ended, or did not answer within ``ready_within``.
        """
        if self.running:
            raise ServerError(f"{self.name} runs already, as process {self.pid}")
        self._forget()
        if self.ports:
            self._launch()
            return self
        self.runs_as.make_folder(self.folder)
        if self._skewable:
            self._clock = faketime.SteppedClock(self.folder / "clock")
        self.prepare()
        for _ in range(START_ATTEMPTS - 1):
            with contextlib.suppress(_PortTakenError):
                self.ports = free_ports(self.port_count)
                self._launch()
                return self
        self.ports = free_ports(self.port_count)
        self._launch()
        return self

    def stop(self) -> None:
        """End the server in good order; no-op if it does not run.

        :raises ServerError: it had to be killed after ``stop_within``.
        """
        if self._process is not None and self.running:
            self.resume()
            self._process.send_signal(self.stop_signal)
            try:
                self._process.wait(self.stop_within)
            except subprocess.TimeoutExpired:
                self.kill()
                raise ServerError(
                    f"{self.name} did not stop within {self.stop_within} s\n{self.log.tail()}"
                ) from None
        self._forget()

    def kill(self) -> None:
        """Kill the server and its child processes with signal 9; the data stay."""
        if self._process is not None:
            descendants = tree.kill(self.pid) if self.running else []
            self._process.wait()
            tree.wait_gone(descendants)
        self._forget()

    def pause(self) -> None:
        """Stop every process of the server with SIGSTOP: connections stay, nothing answers."""
        tree.pause(self.pid)

    def resume(self) -> None:
        """Let a paused server go on."""
        tree.resume(self.pid)

    def restart(self) -> Self:
        """Start again on the same ports and data, after stopping in good order if it runs."""
        self.stop()
        return self.start()

    def step_clock(self, seconds: float) -> None:
        """Step the server's wall clock from where it is now; negative steps back."""
        if self._clock is None:
            raise ServerError(f"start {self.name} with skewable=True to step its clock")
        self._clock.step(seconds)

    def close(self) -> None:
        """End the server and remove its data."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _launch(self) -> None:
        # libfaketime is loaded after the change of account, else its shared memory is root's.
        clock = self._clock.environment() if self._clock else {}
        setting = ["env", *(f"{key}={value}" for key, value in clock.items())] if clock else []
        self.log.new_life()
        with self.log.file.open("ab") as log:
            self._process = subprocess.Popen(
                self.runs_as.command([*setting, *self.command()]),
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.home.started(self._process.pid)
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.kill()
            raise

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.ready_within
        while process.poll() is None:
            with contextlib.suppress(OSError):
                if self.ready():
                    return
            if time.monotonic() > deadline:
                raise ServerError(
                    f"{self.name} did not answer on {self.address} within {self.ready_within} s\n"
                    f"{self.log.tail()}"
                )
            time.sleep(0.01)
        log = self.log.tail()
        error = _PortTakenError if "address already in use" in log.lower() else ServerError
        raise error(f"{self.name} ended with {process.returncode} at its start\n{log}")

    def _forget(self) -> None:
        """Take the process off the books; it has been waited for."""
        if self._process is not None:
            self.home.ended(self._process.pid)
            faketime.remove_shared_memory(self._process.pid)
            self._process = None
