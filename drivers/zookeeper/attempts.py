"""A change that others may overtake: tried again until it is the first, or nobody hinders it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from kazoo.exceptions import (
    BadVersionError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    OperationTimeoutError,
)

from .session import Session

#: Tries of a change that others keep overtaking; each time at least one of them succeeds.
TRIES = 100
#: Seconds before the next try at most.
LONGEST_WAIT = 0.05

CONFLICTS = (BadVersionError, NodeExistsError, NoNodeError, NotEmptyError)

T = TypeVar("T")


def again(session: Session, attempt: Callable[[], T], folders: Callable[[], dict[str, bytes]]) -> T:
    """Make one change, again and again while others overtake it or *folders* are to be made."""
    for count in range(TRIES):
        try:
            return attempt()
        except NoNodeError:
            session.ensure(folders())
        except CONFLICTS:
            pass
        if count:
            time.sleep(random.uniform(0, min(LONGEST_WAIT, 0.001 * 2**count)))  # noqa: S311
    raise OperationTimeoutError(f"others overtook this change {TRIES} times")
