"""Ending an instance without the driver: what the guardian does for this one."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - names of hosts go through it
from collections.abc import Callable, Mapping
from typing import Any

from .ending import Ends
from .layout import Note, Paths
from .session import Session
from .settings import checked


class Brief(Session):
    """A session for one purpose: nothing is asked that it does not need."""

    def _opened(self) -> None:
        pass


def prepared(
    *, values: Mapping[str, Any], call_timeout: float, instance_id: str, reason: str
) -> Callable[[], None]:
    """Return what ends the instance, in a session of its own; *values*: those of our options."""
    options = checked(values)

    def carry_out() -> None:
        session = Brief(options, call_timeout, call_timeout)
        try:
            session.start()
            Ends(session, Paths(options.root)).end(instance_id, Note(reason, seen=True))
        finally:
            session.stop(orderly=True)

    return carry_out
