"""Ends the servers of a test run that was itself killed; a program of its own.

Reads ``+PID`` and ``-PID`` lines. When the pipe closes, whoever held it is gone: the processes
not taken off the list are killed and the folder given as argument is removed. After an orderly
end the list is empty and the folder already gone.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path


def runs(pid: int) -> bool:
    """Whether the process is there; a zombie waits for its new parent and holds nothing."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def main() -> None:
    pids: set[int] = set()
    for line in sys.stdin:
        pid = int(line[1:])
        if line[0] == "+":
            pids.add(pid)
        else:
            pids.discard(pid)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while any(map(runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
