"""Those not closed yet: they start anew in a forked child, and are closed at exit."""

from __future__ import annotations

import atexit
import os
from typing import Any, Protocol


class Living(Protocol):
    """What has a life of its own in this process."""

    def after_fork(self) -> None:
        """Start anew in a forked child."""

    def close(self) -> None:
        """End, for good."""


#: Kept alive, so that the regular exit leaves for them.
_living: set[Living] = set()
_inherited: list[Any] = []


def begin(one: Living) -> None:
    """Have it told of forks, and closed at the interpreter's regular exit."""
    _living.add(one)


def end(one: Living) -> None:
    """Forget it: it was closed. Idempotent."""
    _living.discard(one)


def keep(thing: object) -> None:
    """Never finalise this, such as what a forked child inherited and must not hang up."""
    _inherited.append(thing)


def _after_fork_in_child() -> None:
    for one in list(_living):
        one.after_fork()


def _close_all() -> None:
    for one in list(_living):
        one.close()


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_close_all)
