"""Ends the servers of a test run that was itself killed; a program of its own.

Reads ``+PID`` and ``-PID`` lines. When the pipe closes, whoever held it is done or gone: the
processes that were not taken off the list are ended, killed if they do not end by themselves, and
the folder given as argument is removed.
"""

import shutil
import signal
import sys
from pathlib import Path

#: Seconds that a server has to end after it was asked to.
PATIENCE = 5.0


def main() -> None:
    pids: set[int] = set()
    for line in sys.stdin:
        pid = int(line[1:])
        if line[0] == "+":
            pids.add(pid)
        else:
            pids.discard(pid)
    if pids:
        end(pids)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


def end(pids: set[int]) -> None:
    """End servers, paused ones too, with all that they started."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from servers import tree

    servers = [tree.members(pid) for pid in pids]
    everybody = [process for members in servers for process in members]
    # In good order first: a killed database server leaves shared memory behind.
    tree.send(everybody, signal.SIGCONT)
    tree.send([members[0] for members in servers if members], signal.SIGTERM)
    try:
        tree.wait_gone(everybody, PATIENCE)
    except TimeoutError:
        tree.send(everybody, signal.SIGKILL)
        tree.wait_gone(everybody)


if __name__ == "__main__":
    main()
