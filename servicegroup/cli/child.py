"""A program run in our place: it gets our signals, and its end is ours."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

#: As shells, env and nohup have it.
CANNOT_EXECUTE, NOT_FOUND = 126, 127
BY_SIGNAL = 128

#: What a terminal or the kernel sends has this code; it reached the child as well, being in the
#: same process group.
SI_KERNEL = 0x80

#: Never passed on: faults of ourselves, what nobody can catch, and job control, which must act on
#: us so that the shell sees it.
_OURS = {
    signal.SIGKILL,
    signal.SIGSTOP,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGCONT,
    signal.SIGCHLD,
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGTRAP,
    signal.SIGABRT,
    signal.SIGSYS,
    signal.SIGPIPE,
    signal.SIGXCPU,
    signal.SIGXFSZ,
}
#: Those that ask a program to end.
_ENDING = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
#: Python ignores these for itself; a child would inherit that.
_IGNORED_BY_PYTHON = [signal.SIGPIPE, signal.SIGXFSZ]


class Signals:
    """Holds back the signals of this process, to be passed on rather than obeyed.

    Made before any thread: a thread that did not hold them back would be killed by them. Those
    that were ignored already, as under nohup, stay ignored, by the child too.
    """

    def __init__(self) -> None:
        passed = {one for one in signal.valid_signals() if one not in _OURS}
        self._passed = {one for one in passed if signal.getsignal(one) is not signal.SIG_IGN}
        self._waited = self._passed | {signal.SIGCHLD}
        # Ignored, as some daemons leave it to their children, nobody could be waited for.
        self._chld = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        #: The mask that the child is to start with.
        self.before = signal.pthread_sigmask(signal.SIG_BLOCK, self._waited)

    def ending(self) -> int | None:
        """Return a signal that came meanwhile and asks to end, if there is one."""
        return next(iter(sorted(signal.sigpending() & _ENDING & self._passed)), None)

    def next(self) -> tuple[int, bool]:
        """Wait for a signal; returns it, and whether it reached the child by itself."""
        info = signal.sigwaitinfo(self._waited)
        return info.si_signo, info.si_code == SI_KERNEL

    def release(self) -> None:
        """Forget what came, and be as before."""
        while signal.sigtimedwait(self._waited, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, self.before)
        signal.signal(signal.SIGCHLD, self._chld)


class Child:
    """One running child process, in our process group and with our files, directory and terminal.

    :raises OSError: it cannot be executed
    """

    def __init__(self, command: Sequence[str], signals: Signals) -> None:
        self._signals = signals
        self._lock = threading.Lock()
        self._running = True
        self.pid = os.posix_spawnp(
            command[0],
            list(command),
            os.environ,
            setsigmask=signals.before,
            setsigdef=_IGNORED_BY_PYTHON,
        )

    def send(self, signum: int) -> None:
        """Send it a signal, from any thread; nothing happens once it has ended."""
        with self._lock:
            if self._running:
                os.kill(self.pid, signum)

    def wait(self) -> int:
        """Pass signals on until it ends; returns its status, 128 + n where signal n ended it."""
        while True:
            signum, reached = self._signals.next()
            if signum == signal.SIGCHLD:
                status = self._reaped()
                if status is not None:
                    code = os.waitstatus_to_exitcode(status)
                    return code if code >= 0 else BY_SIGNAL - code
            elif not reached:
                self.send(signum)

    def _reaped(self) -> int | None:
        """Take in whoever ended; as process 1 of a container we inherit strangers, too."""
        while True:
            with self._lock:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == self.pid:
                    self._running = False
            if pid == self.pid:
                return status
            if pid == 0:
                return None


def obstacle(program: str) -> tuple[int, str] | None:
    """Return the exit status and the words for a program that cannot be run, if it cannot."""
    if shutil.which(program) is not None:
        return None
    there = shutil.which(program, os.F_OK) is not None
    if there or (os.sep in program and Path(program).exists()):
        return CANNOT_EXECUTE, f"{program!r} cannot be executed; check its permissions"
    where = "there is no such file" if os.sep in program else "it is nowhere on the PATH"
    return NOT_FOUND, f"{program!r} was not found: {where}"
