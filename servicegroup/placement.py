"""Other ways to choose a host for a key than the plain ring, for whoever is free to choose.

They answer to the same names as :class:`servicegroup.hashring.HashRing`: ``hosts``, ``owner`` and
``map``. None of them agrees with Ironic's own conductors, and none has spans on the ring, so that
the nodes of one host are not found by index. ``[servicegroup_conductor] policy`` chooses one of
them for ``sg.conductors``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence

from servicegroup.exceptions import EmptyRing, InvalidPlacement
from servicegroup.hashring import PARTITION_EXPONENT, HashRing, checked_weights, position

_64 = 2**64 - 1
#: How 64 bits are mixed: the finalizer of SplitMix64 (its variant 13 by David Stafford).
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
#: Keys that are mixed at a time: what fits into a processor's own memory.
_BLOCK = 16_384


class Rendezvous:
    """Each key goes to the host that draws highest for it: the evenest without knowing all keys.

    A look-up costs as much as there are hosts. When a host goes, only its keys move; when one
    comes, only those that it takes.

    :param weights: as those of the ring, but a key's chance of a host is exactly its weight's: a
        host draws as many times
    :raises InvalidPlacement: a host or weight that cannot be
    """

    def __init__(self, hosts: Iterable[str], weights: Mapping[str, int] | None = None) -> None:
        self.weights = checked_weights(hosts, weights)
        self.hosts: Sequence[str] = tuple(sorted(self.weights))
        self._seeds = [
            (_seed(host, draw), number)
            for number, host in enumerate(self.hosts)
            for draw in range(self.weights[host])
        ]

    def owner(self, key: str) -> str:
        """Return the host that serves *key*.

        :raises EmptyRing: there is no host
        """
        return self.owner_at(position(key))

    def owner_at(self, place: bytes) -> str:
        """Return the host that serves a key whose :func:`~servicegroup.hashring.position` is known.

        :raises EmptyRing: there is no host
        """
        key = int.from_bytes(place[:8])
        best, owner = -1, -1
        for seed, number in self._seeds:
            drawn = key ^ seed
            drawn = ((drawn ^ (drawn >> 30)) * _FIRST) & _64
            drawn = ((drawn ^ (drawn >> 27)) * _SECOND) & _64
            drawn ^= drawn >> 31
            if drawn > best:
                best, owner = drawn, number
        if owner < 0:
            raise _empty()
        return self.hosts[owner]

    def map(self, keys: Iterable[str]) -> list[str]:
        """Return the host of each key, in the order of the keys.

        :raises EmptyRing: there is no host, and a key
        """
        return self.map_at([position(key) for key in keys])

    def map_at(self, places: Sequence[bytes]) -> list[str]:
        """Return the host of each position; with numpy a hundred times faster than one by one.

        :raises EmptyRing: there is no host, and a position
        """
        if places and not self.hosts:
            raise _empty()
        try:
            import numpy as np
        except ImportError:
            return [self.owner_at(place) for place in places]
        found: list[int] = []
        for start in range(0, len(places), _BLOCK):
            some = b"".join(place[:8] for place in places[start : start + _BLOCK])
            keys = np.frombuffer(some, ">u8").astype("u8")
            best, owner = np.zeros(len(keys), "u8"), np.zeros(len(keys), "i4")
            for seed, number in self._seeds:
                drawn = keys ^ np.uint64(seed)
                drawn ^= drawn >> np.uint64(30)
                drawn *= np.uint64(_FIRST)
                drawn ^= drawn >> np.uint64(27)
                drawn *= np.uint64(_SECOND)
                drawn ^= drawn >> np.uint64(31)
                np.copyto(owner, number, where=drawn > best)
                np.maximum(best, drawn, out=best)
            found += owner.tolist()
        return [self.hosts[number] for number in found]


class BoundedRing:
    """The ring, but no host has more than *load* times its fair share of the keys.

    A key whose host is full goes to the next host on the ring that is not. The keys are taken in
    the order of their positions, so that everybody who knows the same keys and hosts agrees; a
    key that comes or goes may move others.

    :param keys: all keys there are, or the :func:`~servicegroup.hashring.position` of each
    :param load: how many times its share of the keys a host may have, from 1 up
    :raises InvalidPlacement: a host, weight, exponent or load that cannot be
    :raises EmptyRing: there is no host, and a key
    """

    def __init__(
        self,
        hosts: Iterable[str],
        keys: Iterable[str | bytes],
        load: float = 1.25,
        weights: Mapping[str, int] | None = None,
        partition_exponent: int = PARTITION_EXPONENT,
    ) -> None:
        if not isinstance(load, int | float) or not 1 <= load < math.inf:
            raise InvalidPlacement(f"load={load!r} must be 1 or more: so many times its fair share")
        self.ring = HashRing(hosts, weights, partition_exponent)
        self.hosts = self.ring.hosts
        places = sorted({key if isinstance(key, bytes) else position(key) for key in keys})
        if places and not self.hosts:
            raise _empty()
        # One whose points are all others' too has none: it is nobody to share with.
        weight = {self.hosts[n]: self.ring.weights[self.hosts[n]] for n in self.ring.arrays[2]}
        total = sum(weight.values())
        room = {host: math.ceil(load * len(places) * one / total) for host, one in weight.items()}
        self._owners = self._shared_out(places, room)

    def _shared_out(self, places: Sequence[bytes], room: dict[str, int]) -> dict[bytes, str]:
        highs, lows, owners = self.ring.arrays
        points = [high << 64 | low for high, low in zip(highs, lows, strict=True)]
        found: dict[bytes, str] = {}
        index = 0
        for place in places:
            value = int.from_bytes(place)
            while index < len(points) and points[index] <= value:
                index += 1
            for step in range(len(points)):
                host = self.hosts[owners[(index + step) % len(points)]]
                if room[host] > 0:
                    room[host] -= 1
                    found[place] = host
                    break
        return found

    def owner(self, key: str) -> str:
        """Return the host that serves *key*.

        :raises InvalidPlacement: it is none of the keys that were given
        """
        try:
            return self._owners[position(key)]
        except KeyError:
            raise InvalidPlacement(
                f"key {key!r} is none of those that were shared out: make the ring with it"
            ) from None

    def map(self, keys: Iterable[str]) -> list[str]:
        """Return the host of each key, in the order of the keys.

        :raises InvalidPlacement: one is none of the keys that were given
        """
        return [self.owner(key) for key in keys]

    def owners(self) -> Mapping[bytes, str]:
        """Return the host of each key by its position."""
        return self._owners


class Static:
    """Each key goes where a table says; others, if at all, to one host.

    :param table: {key: host}
    :param otherwise: the host of all other keys; default: they have none
    """

    def __init__(self, table: Mapping[str, str], otherwise: str | None = None) -> None:
        self._table = dict(table)
        self._otherwise = otherwise
        every = [*self._table.values(), *([] if otherwise is None else [otherwise])]
        self.hosts: Sequence[str] = tuple(sorted(checked_weights(every, None)))

    def owner(self, key: str) -> str:
        """Return the host that serves *key*.

        :raises EmptyRing: the table does not say
        """
        host = self._table.get(key, self._otherwise)
        if host is None:
            raise EmptyRing(f"the table names no host for {key!r}, nor one for all others")
        return host

    def map(self, keys: Iterable[str]) -> list[str]:
        """Return the host of each key, in the order of the keys.

        :raises EmptyRing: the table does not say for one
        """
        return [self.owner(key) for key in keys]


def _seed(host: str, draw: int) -> int:
    text = f"{host}\0{draw}".encode()
    return int.from_bytes(hashlib.md5(text, usedforsecurity=False).digest()[:8])


def _empty() -> EmptyRing:
    return EmptyRing("nobody is there, so nobody serves anything: add a host")
