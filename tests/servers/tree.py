"""Signals to a process and all its descendants.

PostgreSQL answers from child processes that are sessions of their own: a signal to the process
that was started, or to its process group, reaches none of them.
"""

import contextlib
import signal
import time

import psutil

GONE_WITHIN = 10.0


def members(pid: int) -> list[psutil.Process]:
    """List process *pid* first, then its descendants; empty if it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def send(processes: list[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to each of *processes* that is still there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def pause(pid: int) -> None:
    """Stop the whole tree: the parent first, so that it starts no child meanwhile."""
    send(members(pid)[:1], signal.SIGSTOP)
    send(members(pid)[1:], signal.SIGSTOP)


def resume(pid: int) -> None:
    """Let the whole tree go on."""
    send(members(pid), signal.SIGCONT)


def kill(pid: int) -> list[psutil.Process]:
    """Kill the whole tree with signal 9 and return the descendants, which end soon after."""
    send(members(pid)[:1], signal.SIGSTOP)
    processes = members(pid)
    send(processes, signal.SIGKILL)
    return processes[1:]


def wait_gone(processes: list[psutil.Process], seconds: float = GONE_WITHIN) -> None:
    """Wait until none of *processes* runs; a zombie nobody has waited for counts as gone.

    :raises TimeoutError: one still runs after *seconds*.
    """
    deadline = time.monotonic() + seconds
    while any(map(_runs, processes)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still running after {seconds} s: {processes}")
        time.sleep(0.005)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
