"""One ring for each kind of node, and what each of the hosts on them serves. Never changes."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from servicegroup.exceptions import ConfigurationError
from servicegroup.hashring import PARTITION_EXPONENT, HashRing, Move, Span
from servicegroup.inventory import Kind, Node

#: Most names that a sentence lists.
_FEW = 8


class Server(NamedTuple):
    """Who serves: the nodes of one conductor group, by the drivers that it has."""

    hostname: str
    conductor_group: str
    drivers: tuple[str, ...]
    weight: int = 1

    @property
    def kinds(self) -> Iterator[Kind]:
        """The kinds of nodes that it may serve."""
        return (Kind(self.conductor_group, driver) for driver in self.drivers)


class Rings:
    """The rings of *servers*. Usable from any thread.

    :param like: rings of which those are taken over, or changed, that differ little or not at all
    """

    def __init__(
        self,
        servers: Iterable[Server],
        partition_exponent: int = PARTITION_EXPONENT,
        like: Rings | None = None,
    ) -> None:
        self.servers = frozenset(servers)
        self._exponent = partition_exponent
        self._by_name = {server.hostname: server for server in self.servers}
        weights: dict[Kind, dict[str, int]] = {}
        for server in self.servers:
            for kind in server.kinds:
                weights.setdefault(kind, {})[server.hostname] = server.weight
        made: dict[tuple[tuple[str, int], ...], HashRing] = {}
        self._rings: dict[Kind, HashRing] = {}
        for kind, some in weights.items():
            same = tuple(sorted(some.items()))
            if same not in made:  # conductors of one group mostly have the same drivers
                made[same] = (self._empty if like is None else like.ring(kind)).replaced([], some)
            self._rings[kind] = made[same]

    def ring(self, kind: Kind) -> HashRing:
        """Return the ring of a kind; one without hosts where nobody serves it."""
        return self._rings.get(kind, self._empty)

    def __iter__(self) -> Iterator[Kind]:
        """Yield the kinds that somebody serves, sorted."""
        return iter(sorted(self._rings))

    def owner(self, node: Node) -> str | None:
        """Return the host that serves *node*, ``None`` if nobody can."""
        ring = self._rings.get(node.kind)
        return None if ring is None else ring.owner(node.uuid)

    def places(self, hostname: str) -> dict[Kind, list[Span]]:
        """Return which positions of which kinds a host serves; empty if it is not on a ring."""
        server = self._by_name.get(hostname)
        if server is None:
            return {}
        spans: dict[int, list[Span]] = {}  # kinds with the same hosts have one ring together
        places = {}
        for kind in server.kinds:
            ring = self._rings[kind]
            if id(ring) not in spans:
                spans[id(ring)] = ring.spans(hostname)
            places[kind] = spans[id(ring)]
        return places

    def moves_to(self, after: Rings) -> dict[Kind, list[Move]]:
        """Return which positions of which kinds have another host on *after*, and no others."""
        moves: dict[Kind, list[Move]] = {}
        known: dict[tuple[int, int], list[Move]] = {}
        for kind in sorted(self._rings.keys() | after._rings.keys()):
            old, new = self.ring(kind), after.ring(kind)
            if old is new:
                continue
            pair = (id(old), id(new))
            if pair not in known:
                known[pair] = old.moves_to(new)
            if known[pair]:
                moves[kind] = known[pair]
        return moves

    def why_nobody(self, kind: Kind) -> str:
        """Return in words what is missing to serve a kind of node, and what would do."""
        group, driver = kind
        words = f"no live conductor of {_group(group)} has driver {driver!r}"
        if not self.servers:
            return f"{words}: no conductor is alive"
        near = sorted(one for one in self.servers if one.conductor_group == group)
        others = sorted({other for other, name in self._rings if name == driver})
        hints = []
        if near:
            names = sorted({name for server in near for name in server.drivers})
            hints.append(f"{_group(group)} has {_listed(names)} ({len(near)} alive)")
        if others:
            hints.append(f"driver {driver!r} is served in {_listed(map(_group, others))}")
        if not hints:
            groups = sorted({server.conductor_group for server in self.servers})
            hints.append(f"those alive are of {_listed(map(_group, groups))}")
        return f"{words}: {'; '.join(hints)}"

    @functools.cached_property
    def _empty(self) -> HashRing:
        return HashRing([], partition_exponent=self._exponent)


def owners(ring: HashRing, places: Sequence[bytes]) -> Sequence[str]:
    """Return the hosts of these positions; at once, where numpy is there.

    :raises EmptyRing: there is no host, and a position
    """
    try:
        from servicegroup.positions import Positions

        numbers = Positions(places).owners(ring)
    except ConfigurationError:  # no numpy
        return [ring.owner_at(place) for place in places]
    return [ring.hosts[number] for number in numbers.tolist()]


def _group(name: str) -> str:
    return f"conductor group {name!r}" if name else "the default conductor group"


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    shown = ", ".join(every[:_FEW]) or "no driver"
    return f"{shown} and {len(every) - _FEW} more" if len(every) > _FEW else shown
