"""Ironic's ring manager, ``ironic.common.hash_ring.HashRingManager``, and its registry.

The rings are made of the conductors that this library sees alive, once ``[servicegroup] driver`` is
set in ``ironic.conf``; until then of those in Ironic's own tables.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Collection, Mapping
from typing import ClassVar

from oslo_config import cfg

from servicegroup import config, exceptions
from servicegroup.compat.ironic_registry import Registry, ironic_error
from servicegroup.compat.shared import chosen
from servicegroup.hashring import HashRing

__all__ = ["HashRingManager", "Registry", "Ring"]

#: Seconds within which nodes that nobody serves cause one reload together, not one each.
RETRY = 1.0


class Ring(HashRing):
    """A ring with the names that Ironic uses."""

    nodes = property(lambda self: dict.fromkeys(self.hosts))

    def __len__(self) -> int:
        return len(self.arrays[0])

    def get_nodes(self, data: bytes) -> set[str]:
        """Return the host that serves a node, in a set; *data* is the node's uuid."""
        return {self.owner(data.decode())} if self.hosts else set()


class HashRingManager:
    """Ironic's, without its reload for each node that nobody serves."""

    _hash_rings: ClassVar[tuple[dict[str, Ring] | None, float]] = (None, 0)
    _lock = threading.Lock()

    def __init__(
        self, use_groups: bool = True, cache: bool = True, conf: cfg.ConfigOpts | None = None
    ) -> None:
        self.use_groups, self.cache = use_groups, cache
        self._conf = importlib.import_module("ironic.conf").CONF if conf is None else conf
        config.register(self._conf)
        ours = chosen(self._conf, "driver")
        self._registry = Registry(self._conf) if ours else None

    @property
    def ring(self) -> dict[str, Ring]:
        """The rings by hardware type, ``group:type`` with groups, at most an interval old."""
        if not self.cache:
            return self._load_hash_rings()
        rings, made = HashRingManager._hash_rings
        limit = time.monotonic() - self._conf.hash_ring_reset_interval
        if rings is not None and (made >= limit or self._never_expires()):
            return rings
        with self._lock:
            rings, made = HashRingManager._hash_rings
            if rings is None or made < limit:
                rings = self._load_hash_rings()
                HashRingManager._hash_rings = rings, time.monotonic()
            return rings

    def get_ring(self, driver_name: str, conductor_group: str) -> Ring:
        """Return the ring of a hardware type in a conductor group.

        :raises DriverNotFound: no live conductor serves it
        :raises TemporaryFailure: there is no live conductor at all
        """
        key = f"{conductor_group}:{driver_name}" if self.use_groups else driver_name
        rings = self.ring
        if key not in rings and (
            not rings or time.monotonic() - HashRingManager._hash_rings[1] > RETRY
        ):
            self.reset()
            rings = self.ring
        if not rings:
            raise ironic_error("TemporaryFailure", exceptions.DriverUnavailable)()
        if key not in rings:
            known = ", ".join(sorted(rings))
            raise ironic_error("DriverNotFound", exceptions.NoSuchConductor)(
                f"no live conductor serves {key!r}; there are rings for {known}"
            )
        return rings[key]

    @classmethod
    def reset(cls) -> None:
        """Forget the rings: the next question loads them."""
        with cls._lock:
            HashRingManager._hash_rings = (None, 0)

    def _load_hash_rings(self) -> dict[str, Ring]:
        if self._conf.hash_ring_algorithm != "md5":
            raise exceptions.ConfigurationError("hash_ring_algorithm must be md5 here")
        hosts: Mapping[str, Collection[str]]
        if self._registry is not None:
            hosts = self._registry.get_active_hardware_type_dict(use_groups=self.use_groups)
        else:
            context = importlib.import_module("ironic.common.context").get_admin_context()
            table = importlib.import_module("ironic.objects").Conductor
            hosts = table.get_active_hardware_type_dict(context, use_groups=self.use_groups)
        exponent = self._conf.hash_partition_exponent
        return {key: Ring(some, partition_exponent=exponent) for key, some in hosts.items()}

    def _never_expires(self) -> bool:
        if self._registry is not None:
            return False
        return bool(importlib.import_module("ironic.common.utils").is_ironic_using_sqlite())
