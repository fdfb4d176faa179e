"""Removing evidence that nobody needs any more: the Leases of members that left long ago.

They are in nobody's way, so it is done once by each process, at its first join, a page at a time.
"""

from __future__ import annotations

import logging

from servicegroup.exceptions import ConfigurationError

from . import layout, leases
from .client import CLIENT_ERRORS, LEASES, Client, Conflict, Expired, Missing
from .leases import Lease

LOG = logging.getLogger(__name__)

#: Seconds. A process that was paused for longer may come back over its successor's grave.
REMOVED_KEPT = 30 * 86400.0
#: Seconds. Who lived there left by its own will.
OWN_KEPT = 86400.0
#: Leases that are looked at.
SOME = 500
FAILURES: tuple[type[Exception], ...] = (
    ConfigurationError,
    Conflict,
    Expired,
    Missing,
    *CLIENT_ERRORS,
)


class Sweep:
    """Done once for each driver object, and never in the way of what it is done beside."""

    def __init__(self, client: Client, reader: layout.Reader, limit: float) -> None:
        self._client = client
        self._reader = reader
        self._shortest = 2 * limit
        self._done = False

    def once(self) -> None:
        """Remove old graves. Raises nothing."""
        if self._done:
            return
        self._done = True
        place = self._client.objects(LEASES, "leases")
        query = {"labelSelector": layout.selected(layout.GRAVE), "limit": str(SOME)}
        try:
            for lease in leases.decode_list(self._client.get(place, query).data).items:
                if self._is_old(lease):
                    only = {"resourceVersion": lease.metadata.version}
                    path = f"{place}/{lease.metadata.name}"
                    self._client.delete(path, {"preconditions": only})
        except FAILURES as error:
            LOG.debug("old evidence is not removed now: %s", error)

    def _is_old(self, lease: Lease) -> bool:
        stored = self._reader.stored(lease)
        if stored is None or stored.is_here or stored.since is None:
            return False
        low, _ = self._client.clock.bounds(self._client.clock.now())
        kept = OWN_KEPT if stored.left == layout.OWN else REMOVED_KEPT
        return low - stored.since > max(kept, self._shortest)
