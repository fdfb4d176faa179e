"""A fleet to look at: each member of a process of its own, all of which beat once."""

from __future__ import annotations

import time
import urllib.parse
import uuid

from benchmarks.k8s.bare import PLACE, BareKubernetes
from benchmarks.places import GROUP, Place, member
from servicegroup import config
from servicegroup.drivers.k8s import beats, layout, leases
from servicegroup.drivers.k8s.layout import Stored


class KubernetesFleet:
    """Stored as the driver stores it, without a process for each."""

    def __init__(self, place: Place) -> None:
        self._settings = config.settings(place.configuration())
        self._bare = BareKubernetes(place.address)
        self._lives: list[str] = []

    def set_size(self, size: int) -> None:
        """Leave nothing in the store but *size* members, each of a process of its own."""
        self._bare.ask("DELETE", PLACE)
        self._lives = [str(uuid.uuid4()) for _ in range(size)]
        now = time.time()
        for number, life in enumerate(self._lives):
            joined = member(number, life).joined(1, now, None)
            self._bare.ask("POST", PLACE, layout.packed(Stored(joined, now), now))
            beat = beats.beat(life, self._settings, None, now=now, steady=now, up_since=now)
            self._bare.ask("POST", PLACE, beat)

    def remove(self, group_id: str) -> None:
        """Remove the members of a group without a trace."""
        if group_id != GROUP:
            query = {"labelSelector": f"{leases.GROUP}={layout.group_label(group_id)}"}
            self._bare.ask("DELETE", f"{PLACE}?{urllib.parse.urlencode(query)}")

    def instance_of(self, member_id: str) -> str:
        """Return the life that holds a member."""
        return self._lives[int(member_id.rpartition("-")[2])]

    def close(self) -> None:
        self._bare.close()
