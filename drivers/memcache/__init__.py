"""The ``memcache`` driver: members in memcached, which forgets what it likes.

``driver`` is the driver itself; ``last_will`` is all that a guardian needs of it. ``options`` says
which servers. ``client`` is pymemcache's, ``server`` one memcached, ``exchange`` a request to
several, ``servers`` all of them with ``placement``, which says what key lives where. ``commands``
and ``replies`` are the protocol, ``classic`` the same on servers that have no meta commands,
``codec`` and ``signs`` what keys and values look like. On these stand ``index`` and ``compaction``
(who is in a group), ``members`` and ``report`` (writing them), ``pulse`` and ``quiet`` (beats),
``reading``, ``places``, ``beats``, ``glance`` and ``sight`` (looking). ``limits`` is the doctor's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .driver import MemcacheDriver

__all__ = ["MemcacheDriver"]


def __getattr__(name: str) -> Any:
    """Load the driver when it is asked for: the guardian needs only another part of this."""
    if name != "MemcacheDriver":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .driver import MemcacheDriver

    return MemcacheDriver
