"""Other ways to choose a host for a key than the plain ring, for whoever is free to choose.

They answer to the same names as :class:`servicegroup.hashring.HashRing`: ``hosts``, ``owner`` and
``map``. None of them agrees with Ironic's own conductors, and none has spans on the ring, so that
the nodes of one host are not found by index.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence

from servicegroup.exceptions import EmptyRing, InvalidPlacement
from servicegroup.hashring import PARTITION_EXPONENT, HashRing, checked_weights, position


class Rendezvous:
    """Each key goes to the host that scores highest for it: the evenest without knowing all keys.

    A look-up costs as much as there are hosts. When a host goes, only its keys move; when one
    comes, only those that it takes.

    :param weights: as those of the ring, but each key's chance of a host is exactly its weight's
    :raises InvalidPlacement: a host or weight that cannot be
    """

    def __init__(self, hosts: Iterable[str], weights: Mapping[str, int] | None = None) -> None:
        self.weights = checked_weights(hosts, weights)
        self.hosts: Sequence[str] = tuple(sorted(self.weights))
        self._seeds = [(host, host.encode(), self.weights[host]) for host in self.hosts]

    def owner(self, key: str) -> str:
        """Return the host that serves *key*.

        :raises EmptyRing: there is no host
        """
        encoded = key.encode()
        best, owner = -math.inf, None
        for host, name, weight in self._seeds:
            digest = hashlib.md5(name + b"\0" + encoded, usedforsecurity=False).digest()
            # Weighted rendezvous hashing: -w / ln(h) of an even h between 0 and 1.
            score = -weight / math.log((int.from_bytes(digest[:8]) + 0.5) / 2**64)
            if score > best:
                best, owner = score, host
        if owner is None:
            raise _empty()
        return owner

    def map(self, keys: Iterable[str]) -> list[str]:
        """Return the host of each key, in the order of the keys.

        :raises EmptyRing: there is no host, and a key
        """
        return [self.owner(key) for key in keys]


class BoundedRing:
    """The ring, but no host has more than *load* times its fair share of the keys.

    A key whose host is full goes to the next host on the ring that is not. The keys are taken in
    the order of their positions, so that everybody who knows the same keys and hosts agrees; a
    key that comes or goes may move others.

    :param keys: all keys there are
    :param load: how many times its share of the keys a host may have, from 1 up
    :raises InvalidPlacement: a host, weight, exponent or load that cannot be
    :raises EmptyRing: there is no host, and a key
    """

    def __init__(
        self,
        hosts: Iterable[str],
        keys: Iterable[str],
        load: float = 1.25,
        weights: Mapping[str, int] | None = None,
        partition_exponent: int = PARTITION_EXPONENT,
    ) -> None:
        if not isinstance(load, int | float) or not 1 <= load < math.inf:
            raise InvalidPlacement(f"load={load!r} must be 1 or more: so many times its fair share")
        self.ring = HashRing(hosts, weights, partition_exponent)
        self.hosts = self.ring.hosts
        ordered = sorted(dict.fromkeys(keys), key=position)
        if ordered and not self.hosts:
            raise _empty()
        total = sum(self.ring.weights.values())
        room = {
            host: math.ceil(load * len(ordered) * weight / total)
            for host, weight in self.ring.weights.items()
        }
        self._owners = self._shared_out(ordered, room)

    def _shared_out(self, ordered: Sequence[str], room: dict[str, int]) -> dict[str, str]:
        highs, lows, owners = self.ring.arrays
        points = [high << 64 | low for high, low in zip(highs, lows, strict=True)]
        found: dict[str, str] = {}
        index = 0
        for key in ordered:
            place = int.from_bytes(position(key))
            while index < len(points) and points[index] <= place:
                index += 1
            for step in range(len(points)):
                host = self.hosts[owners[(index + step) % len(points)]]
                if room[host] > 0:
                    room[host] -= 1
                    found[key] = host
                    break
        return found

    def owner(self, key: str) -> str:
        """Return the host that serves *key*.

        :raises InvalidPlacement: it is none of the keys that were given
        """
        try:
            return self._owners[key]
        except KeyError:
            raise InvalidPlacement(
                f"key {key!r} is none of those that were shared out: make the ring with it"
            ) from None

    def map(self, keys: Iterable[str]) -> list[str]:
        """Return the host of each key, in the order of the keys.

        :raises InvalidPlacement: one is none of the keys that were given
        """
        return [self.owner(key) for key in keys]


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


def _empty() -> EmptyRing:
    return EmptyRing("nobody is there, so nobody serves anything: add a host")
