"""Numbers for the worker processes of one host, each held by one of them as long as it lives."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading

from servicegroup.exceptions import ConfigurationError
from servicegroup.state_folder import state_folder
from servicegroup.workers import MOST

#: {path: open file} of all locks of this process: they do not hold against itself, and one that is
#: opened a second time is lost when the second is closed.
_held: dict[str, int] = {}
_lock = threading.Lock()


class Seats:
    """The lowest free number, by file locks: the system frees them however a process ends.

    Whoever is started in place of a dead worker so gets its number, and takes over its member.
    """

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str], tuple[str, int]] = {}

    def take(self, group_id: str, member_id: str) -> int:
        """Return this process's number among the workers of a member; the same one each time.

        :raises ConfigurationError: there is no place for the locks, or no number left
        """
        key = (group_id, member_id)
        with _lock:
            if key not in self._taken:
                self._taken[key] = _lowest(key)
            return self._taken[key][1]

    def free(self) -> None:
        """Give all numbers back."""
        with _lock:
            for path, _ in self._taken.values():
                if (file := _held.pop(path, None)) is not None:
                    os.close(file)
            self._taken.clear()


def _lowest(key: tuple[str, str]) -> tuple[str, int]:
    remedy = "give each worker its number: join(..., worker=N)"
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]
    try:
        folder = state_folder() / "workers"
        folder.mkdir(mode=0o700, exist_ok=True)
        for number in range(MOST):
            path = str(folder / f"{digest}-{number}")
            if path not in _held and _locked(path):
                return path, number
    except OSError as error:
        raise ConfigurationError(
            f"the workers of this host cannot be numbered: {error.filename}: {error.strerror}; set "
            f"XDG_STATE_HOME to a folder that this user may write, or {remedy}"
        ) from error
    raise ConfigurationError(
        f"member {key[1]!r} of group {key[0]!r} has {MOST} workers here, which is the most; "
        f"use a second member id"
    )


def _locked(path: str) -> bool:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    except BaseException:
        os.close(file)
        raise
    _held[path] = file
    return True


def _forked() -> None:
    global _lock  # noqa: PLW0603 - the old one may be held by a thread that stayed behind
    _lock = threading.Lock()
    for file in _held.values():
        os.close(file)  # frees nothing: the locks are the parent's
    _held.clear()


os.register_at_fork(after_in_child=_forked)
