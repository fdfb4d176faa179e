"""Where the private servers of one test run live."""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

MEMORY = Path("/dev/shm")
#: Bytes that must be free there: a dozen servers of 60 MB, and what tests write to them.
ENOUGH = 2 * 1024**3


class Home:
    """A short-named folder that every account can enter, removed when the run ends.

    pytest's own temporary folders are closed to other accounts, and servers that refuse root run
    as another; their path is also too long for a Unix socket. The servers' processes are made
    known here, so that a run that is itself killed leaves none behind.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="sgt-", dir=_place()))
        self.path.chmod(0o755)
        self._numbers = itertools.count(1)
        # A session of its own: a Ctrl-C at the terminal must not end it before the servers.
        self._reaper = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).with_name("reaper.py")), str(self.path)],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def folder(self, name: str) -> Path:
        """Name a folder that does not exist yet, for one server called *name*."""
        return self.path / f"{name}-{next(self._numbers)}"

    def started(self, pid: int) -> None:
        """Note a process that must not outlive the run."""
        self._tell(f"+{pid}")

    def ended(self, pid: int) -> None:
        """Take a process off the list: it has been waited for."""
        self._tell(f"-{pid}")

    def close(self) -> None:
        """End what still runs and remove everything."""
        if self._reaper.stdin is not None:
            self._reaper.stdin.close()
        self._reaper.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _tell(self, line: str) -> None:
        if self._reaper.stdin is not None:
            self._reaper.stdin.write(line + "\n")
            self._reaper.stdin.flush()


def _place() -> Path:
    """Choose memory where there is enough: databases are made there ten times faster."""
    chosen = "TMPDIR" in os.environ
    if not chosen and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ENOUGH:
        return MEMORY
    return Path(tempfile.gettempdir())
