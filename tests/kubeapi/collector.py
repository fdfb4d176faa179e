"""What a cluster's controllers do: orphans are collected, pods that were deleted end."""

import time
from collections.abc import Callable
from datetime import datetime

from kubeapi.kinds import ACCOUNT, KINDS, LEASE, POD, Kind
from kubeapi.store import Item, Store

_OWNERS = {kind.name: kind for kind in KINDS if kind.namespaced}


class Collector:
    """Does one round when asked; *clock* is the server's wall clock."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def round(self) -> list[str]:
        """Remove what nobody owns any more and pods whose grace is over; returns their names."""
        removed = []
        for kind in (LEASE, POD, ACCOUNT):
            for item in list(self._store.all(kind)):
                if self._orphaned(item) or (kind is POD and self._over(item)):
                    self._store.delete(kind, item.key)
                    removed.append(item.key[1])
        return removed

    def _orphaned(self, item: Item) -> bool:
        owners = item.obj["metadata"].get("ownerReferences")
        if not owners:
            return False
        for owner in owners:
            kind: Kind | None = _OWNERS.get(owner["kind"])
            if kind is None:
                return False  # nothing is known of such owners
            # In another namespace there is no owner: it is looked for in this one only.
            found = self._store.get(kind, (item.key[0], owner["name"]))
            if found is not None and found.obj["metadata"]["uid"] == owner["uid"]:
                return False
        return True

    def _over(self, item: Item) -> bool:
        until = item.obj["metadata"].get("deletionTimestamp")
        return until is not None and datetime.fromisoformat(until).timestamp() <= self._clock()
