"""Processes of our own: made by exec, each with one channel, whose end is the end of the other.

The channel is a pair of connected sockets: the child's standard input is one, the other is ours.
Whichever process dies, however it dies, the other one reads the end of file. That holds only while
nobody else keeps our end open, so it is closed on exec and in every forked child.

The sockets are the interpreter's own: where the module ``socket`` is patched, as eventlet does, a
look that must not wait would wait.
"""

from __future__ import annotations

import _socket
import contextlib
import os
import pathlib
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Collection

#: Taken over from our environment: without these the interpreter may not even start.
_NEEDED = ("LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPLATLIBDIR")


class Child:
    """One child process running a module of ours, in a session of its own, seeing nothing else.

    Its directory is ``/``, its output goes nowhere, its environment holds no more than it takes to
    import what we can import: whatever else it is to know comes through the channel.

    :param arguments: shown to everybody by ``ps``
    :param held: signals that are blocked in it when it starts, until it says otherwise
    :param python: the interpreter, where it is not the one that runs this process
    :raises OSError: it cannot be started
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        held: Collection[signal.Signals] = (),
        python: str | None = None,
    ) -> None:
        python = python or sys.executable
        if not python:
            raise OSError("the Python interpreter that runs this process is not known")
        self._python = python
        self._channel, theirs = _channel()
        try:
            with _blocked(held):
                self._process = subprocess.Popen(  # noqa: S603 - it is our own module
                    [python, "-P", "-m", module, *arguments],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env=_environment(),
                    start_new_session=True,
                )
        except BaseException:
            self.close()
            raise
        finally:
            _close(theirs)

    def wait(self, timeout: float) -> None:
        """Wait until the process that was started has ended well; kill it after *timeout* seconds.

        :raises OSError: it ended otherwise, or had to be killed
        """
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise TimeoutError(f"it did not start within {timeout:g} s") from None
        if status:
            raise ChildProcessError(f"{self._python} ended with status {status}")

    def send(self, data: bytes, timeout: float) -> None:
        """Write to the child, within *timeout* seconds.

        :raises OSError: it is gone, or does not listen
        """
        self._channel.settimeout(timeout)
        try:
            self._channel.sendall(data)
        finally:
            self._channel.settimeout(None)

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._process.pid

    def heard(self, timeout: float) -> bytes:
        """Wait for what the child writes; nothing means that it is gone.

        :raises TimeoutError: it wrote nothing within *timeout* seconds
        """
        self._channel.settimeout(max(timeout, 0.001))
        try:
            return self._channel.recv(1 << 20)
        except ConnectionResetError:  # it died before it read what we said
            return b""
        finally:
            self._channel.settimeout(None)

    def end(self, timeout: float) -> int:
        """Close the channel, and kill what is still there after *timeout* seconds.

        All of its session: what it started itself, too.

        :returns: its exit status, negative the signal that ended it
        """
        self.close()
        with contextlib.suppress(ProcessLookupError):  # somebody else waited for it
            gone = os.pidfd_open(self._process.pid)
            select.select([gone], [], [], max(0.0, timeout))
            os.close(gone)
            # Not waited for yet: the number is still its own.
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def said(self) -> bytes | None:
        """Return what the child wrote lately: ``None`` if nothing, nothing if it is gone."""
        try:
            return self._channel.recv(4096, _socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def close(self) -> None:
        """Close the channel: the child reads the end of file. Idempotent."""
        _close(self._channel)


def detach() -> None:
    """In a child: go on in a process that is nobody's child, and let the one that was end.

    So whoever waits for any child of the process that started us never meets us.
    """
    if os.fork():
        os._exit(0)


def directory() -> str:
    """Return the directory of this process, or the root if it was removed."""
    try:
        return str(pathlib.Path.cwd())
    except OSError:
        return "/"


#: Both ends of every channel in use, to be closed in forked children. A fork waits for this lock:
#: it must not come between the making of a channel and its entry here. (One thread may take it
#: twice: a signal's handler may fork whatever it interrupts.)
_open: set[_socket.socket] = set()
_forking = threading.RLock()


def _channel() -> tuple[_socket.socket, _socket.socket]:
    with _forking:
        ours, theirs = _socket.socketpair()
        _open.update((ours, theirs))
        return ours, theirs


def _close(end: _socket.socket) -> None:
    with _forking:
        _open.discard(end)
        end.close()


def _after_fork_in_child() -> None:
    global _forking  # noqa: PLW0603 - a lock that was held in the parent is of no use here
    _forking = threading.RLock()
    for one in _open:
        one.close()
    _open.clear()


def _before_fork() -> None:
    _forking.acquire()


def _after_fork_in_parent() -> None:
    _forking.release()


def _blocked(held: Collection[signal.Signals]) -> contextlib.AbstractContextManager[object]:
    stack = contextlib.ExitStack()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    stack.callback(signal.pthread_sigmask, signal.SIG_SETMASK, before)
    return stack


def _environment() -> dict[str, str]:
    here = directory()
    path = [os.path.join(here, one) for one in sys.path]  # noqa: PTH118 - "" stands for it
    needed = {name: os.environ[name] for name in _NEEDED if name in os.environ}
    return {"PYTHONPATH": os.pathsep.join(path), **needed}


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
