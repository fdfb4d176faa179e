"""Ending an instance without the driver: what the guardian does for this one."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - names of hosts go through it
from collections.abc import Callable, Mapping
from typing import Any

from .client import Client
from .clock import Clock
from .ending import Others
from .settings import checked


def prepared(
    *, values: Mapping[str, Any], call_timeout: float, instance_id: str, reason: str
) -> Callable[[], None]:
    """Return what ends the instance; *values*: those of our options."""
    options = checked(values)

    def carry_out() -> None:
        client = Client(options, Clock(), call_timeout)
        client.start()
        try:
            client.hear()
            Others(client).end(instance_id, reason)
        finally:
            client.stop()

    return carry_out
