"""Which members each instance carries, as the watch tells it."""

from __future__ import annotations

from collections.abc import Collection

from . import layout
from .layout import Key
from .leases import Lease


class Carried:
    """Not locked: one thread's."""

    def __init__(self) -> None:
        self._members: dict[str, tuple[str, Key]] = {}
        self._by: dict[str, set[Key]] = {}

    def by(self, instance: str) -> Collection[Key]:
        """Return the members that an instance carries, which is named by its label."""
        return tuple(self._by.get(instance, ()))

    def put(self, lease: Lease, *, gone: bool = False) -> Collection[Key]:
        """Note a member's Lease as it is now; returns the members that it is about."""
        name, labels, notes = lease.metadata.name, lease.metadata.labels, lease.metadata.notes
        before = self._members.pop(name, None)
        told = set()
        if before is not None:
            instance, key = before
            told.add(key)
            left = self._by[instance]
            left.discard(key)
            if not left:
                del self._by[instance]
        key = (notes.group, notes.member)
        if all(key):
            told.add(key)
        if all(key) and labels.kind == layout.HERE and not gone:
            self._members[name] = (labels.instance, key)
            self._by.setdefault(labels.instance, set()).add(key)
        return told
