"""Finding the guardians of a process, and what is to be known of them."""

import contextlib
from pathlib import Path

import psutil


def guardians(pid: int) -> list[psutil.Process]:
    """Find the guardians that watch over a process, alive or dead."""
    words = ["-m", "servicegroup.guardian", str(pid)]
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[-3:] == words:
                found.append(process)
    return found


def private_memory(process: psutil.Process) -> float:
    """Tell how much memory it has that no other process shares, in MB."""
    return _status(process, "RssAnon") / 1024


def loaded(process: psutil.Process) -> str:
    """Tell which files it has mapped: libraries of its own among them."""
    return Path(f"/proc/{process.pid}/maps").read_text()


def _status(process: psutil.Process, name: str) -> int:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise KeyError(name)
