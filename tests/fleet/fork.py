"""Doing something in a forked child of the test's own process."""

import os
import pickle
from collections.abc import Callable
from typing import Any


def in_child(work: Callable[[], Any], *, account: int | None = None) -> Any:
    """Run *work* in a forked child and return what it returns, or raise what it raises.

    :param account: user id to run it as, if this process may choose
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _run(work, account, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        told = answer.read()
    _, status = os.waitpid(pid, 0)
    assert told, f"the child said nothing and ended with {os.waitstatus_to_exitcode(status)}"
    result, error = pickle.loads(told)
    if error is not None:
        raise error
    return result


def _run(work: Callable[[], Any], account: int | None, writing: int) -> None:
    result = error = None
    try:
        if account is not None and os.geteuid() == 0:
            os.setgroups([])
            os.setgid(account)
            os.setuid(account)
        result = work()
    except BaseException as raised:  # noqa: BLE001 - told to the parent
        error = raised
    try:
        told = pickle.dumps((result, error))
    except Exception:  # noqa: BLE001 - what cannot be told is told in words
        told = pickle.dumps((None, AssertionError(f"{type(error).__name__}: {error}")))
    with os.fdopen(writing, "wb") as answer:
        answer.write(told)
    os._exit(0)  # without the interpreter's regular exit: that is the parent's
