"""The guardian's own process: waits for the end of file, and then carries out the last wills.

It is at rest for as long as the daemon lives, so it imports little: never SQLAlchemy, never
oslo.config. Run as ``python -m servicegroup.guardian PID`` by a daemon; the argument is for ``ps``.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from servicegroup.child import detach
from servicegroup.guardian.words import CLEAN, FAILED, READY, Task, unpacked

CHANNEL = 0
#: A supervisor stops what is left of a service when its main process dies. Just then we are needed.
IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: Seconds between two tries: the first and the longest pause, doubled in between.
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0


def main() -> None:
    """Be the guardian of the process at the other end of the channel."""
    for one in IGNORED:
        signal.signal(one, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    detach()
    task, rest = _task()
    if task is None:
        return
    os.environ.update(task.environment)
    try:
        with _inside(task.directory):
            wills = [will.prepared() for will in task.wills]
    except Exception as error:  # noqa: BLE001 - told to the daemon, which logs it
        _say(FAILED + f"{type(error).__name__}: {error}".encode(errors="replace"))
        return
    _say(READY)
    if not _left(rest):
        with _inside(task.directory):
            carry_out(wills, task.limit)


@contextlib.contextmanager
def _inside(directory: str) -> Iterator[None]:
    """Be in *directory* for a while, if it is still there; at rest we keep none in use."""
    with contextlib.suppress(OSError):
        os.chdir(directory)
    try:
        yield
    finally:
        os.chdir("/")


def carry_out(wills: Sequence[Callable[[], None]], limit: float) -> None:
    """Carry out *wills*, each until it succeeds, all at once; give up after *limit* seconds."""
    signal.setitimer(signal.ITIMER_REAL, limit)  # ends the process, whatever it waits for
    threads = [threading.Thread(target=_persist, args=(will,)) for will in wills]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _persist(will: Callable[[], None]) -> None:
    pause = FIRST_PAUSE
    while True:
        try:
            will()
        except Exception:  # noqa: BLE001 - nobody is left to be told
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
            pause = min(2 * pause, LONGEST_PAUSE)
        else:
            return


def _task() -> tuple[Task | None, bytes]:
    """Return what we are given, and what came after it."""
    heard = b""
    while b"\n" not in heard:
        more = _heard()
        if not more:
            return None, b""
        heard += more
    line, _, rest = heard.partition(b"\n")
    return unpacked(line), rest


def _left(heard: bytes) -> bool:
    """Wait for the end of the daemon; returns whether it left all groups before."""
    while CLEAN not in heard:
        heard = _heard()
        if not heard:
            return False
    return True


def _heard() -> bytes:
    try:
        return os.read(CHANNEL, 1 << 16)
    except ConnectionResetError:  # it died before it read what we said
        return b""


def _say(words: bytes) -> None:
    with contextlib.suppress(OSError):  # it is gone: what we read next is the end of file
        os.write(CHANNEL, words)


if __name__ == "__main__":
    main()
