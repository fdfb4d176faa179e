"""Taking a database away from everybody, and giving it back."""

import abc
import json
import signal
import subprocess
import sys
from collections.abc import Callable

from servers.database import DatabaseServer
from servers.process import Server

#: Holds SQLite's write lock until it is told to let go, or killed.
_LOCK = """
import json, sqlite3, sys
connection = sqlite3.connect(json.loads(sys.argv[1]), isolation_level=None, timeout=30)
connection.execute("BEGIN EXCLUSIVE")
connection.execute("UPDATE instances SET report_count = report_count")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""


class Outage(abc.ABC):
    """A way in which a database can be away; it knows the database's URL."""

    url: str | None

    @abc.abstractmethod
    def begin(self) -> None:
        """Take it away."""

    @abc.abstractmethod
    def end(self) -> None:
        """Give it back, with what it held; no-op if it is not away."""


class ServerOutage(Outage):
    """A server that is stopped, killed with signal 9, or paused so that nothing answers."""

    def __init__(self, server: Server, how: str) -> None:
        self.url = server.create_database() if isinstance(server, DatabaseServer) else None
        ways: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "stopped": (server.stop, server.start),
            "killed": (server.kill, server.start),
            "paused": (server.pause, server.resume),
        }
        self._begin, self._end = ways[how]
        self._away = False

    def begin(self) -> None:
        self._begin()
        self._away = True

    def end(self) -> None:
        if self._away:
            self._away = False
            self._end()


class LockOutage(Outage):
    """An SQLite file whose write lock another process holds, running or stopped by SIGSTOP.

    A running holder is killed at the end, a stopped one goes on and commits. Either way the
    readers of a file in WAL mode go on reading.
    """

    def __init__(self, path: str, how: str) -> None:
        self.url = f"sqlite:///{path}"
        self._path = path
        self._stopped = how == "locked by a stopped writer"
        self._holder: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        self._holder = subprocess.Popen(
            [sys.executable, "-c", _LOCK, json.dumps(self._path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "locked\n"
        if self._stopped:
            self._holder.send_signal(signal.SIGSTOP)

    def end(self) -> None:
        holder, self._holder = self._holder, None
        if holder is None:
            return
        if self._stopped:
            holder.send_signal(signal.SIGCONT)
            holder.communicate("go on\n")
            assert holder.returncode == 0
        else:
            holder.kill()
            holder.communicate()
