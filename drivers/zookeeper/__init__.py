"""The ``zookeeper`` driver: a process is there while its session is.

Each process has one session and one ephemeral node; its members are ordinary nodes that name it.
So a beat costs one small read whatever the number of members, a process that dies takes all of them
down at once, and none of them is forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .driver import ZooKeeperDriver

__all__ = ["ZooKeeperDriver"]


def __getattr__(name: str) -> Any:
    """Load the driver when it is asked for: the guardian needs only other parts of this."""
    if name != "ZooKeeperDriver":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .driver import ZooKeeperDriver

    return ZooKeeperDriver
