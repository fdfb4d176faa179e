"""Who serves which nodes: what every policy answers. Never changes."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from servicegroup.hashring import Move, Span
from servicegroup.inventory import Inventory, Kind, Node, Places

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


class Shares(abc.ABC):
    """Which of *servers* serves which node, by one policy. Usable from any thread."""

    #: What ``[servicegroup_conductor] policy`` calls it.
    policy: str

    def __init__(self, servers: Iterable[Server]) -> None:
        self.servers = frozenset(servers)
        self._by_name = {server.hostname: server for server in self.servers}
        self._weights: dict[Kind, dict[str, int]] = {}
        for server in self.servers:
            for kind in server.kinds:
                self._weights.setdefault(kind, {})[server.hostname] = server.weight

    def __iter__(self) -> Iterator[Kind]:
        """Yield the kinds that somebody serves, sorted."""
        return iter(sorted(self._weights))

    def weights(self, kind: Kind) -> Mapping[str, int]:
        """Return {host name: weight} of those that share the nodes of a kind."""
        return self._weights.get(kind, {})

    def alike(self) -> Sequence[Sequence[Kind]]:
        """Return the kinds that somebody serves: together those that the same hosts share."""
        found: dict[tuple[tuple[str, int], ...], list[Kind]] = {}
        for kind in self:
            found.setdefault(tuple(sorted(self._weights[kind].items())), []).append(kind)
        return list(found.values())

    def as_of_now(self) -> Shares:
        """Return what answers one question: where the nodes that there are matter, of now."""
        return self

    @abc.abstractmethod
    def owner(self, node: Node) -> str | None:
        """Return the host that serves *node*, ``None`` if nobody can."""

    @abc.abstractmethod
    def owners(
        self, kind: Kind, uuids: Sequence[str], places: Sequence[bytes]
    ) -> Sequence[str | None]:
        """Return the host of each of some nodes of a kind, given as uuids and their positions."""

    def places(self, hostname: str) -> Places | None:
        """Return which positions of which kinds a host serves; empty if it serves none.

        ``None``: its nodes lie scattered, and are found by looking at each.
        """
        return None if hostname in self._by_name else {}

    def portions(self, kind: Kind, nodes: Mapping[str, int]) -> Mapping[str, float]:
        """Return how much of all the nodes of a kind there could be is each host's: 1 together.

        :param nodes: how many each has now
        """
        weights = self.weights(kind)
        total = sum(weights.values())
        return {host: weights[host] / total for host in nodes}

    def moves_to(self, after: Shares, inventory: Inventory) -> dict[Kind, list[Move]]:
        """Return which positions of which kinds have another host with *after*, and no others."""
        moves: dict[Kind, list[Move]] = {}
        for kind, _, place, old, new in self._moved(after, inventory):
            moves.setdefault(kind, []).append(Move(Span(place, place), old, new))
        return moves

    def moved_to(
        self, after: Shares, inventory: Inventory
    ) -> Iterator[tuple[str, str | None, str | None]]:
        """Yield each node of the inventory that has another host with *after*: uuid, old, new."""
        return ((uuid, old, new) for _, uuid, _, old, new in self._moved(after, inventory))

    def why_nobody(self, node: Node) -> str:
        """Return in words what is missing to serve a node, and what would do."""
        group, driver = node.kind
        words = f"no live conductor of {_group(group)} has driver {driver!r}"
        if not self.servers:
            return f"{words}: no conductor is alive"
        near = sorted(one for one in self.servers if one.conductor_group == group)
        others = sorted({other for other, name in self._weights if name == driver})
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

    def _moved(
        self, after: Shares, inventory: Inventory
    ) -> Iterator[tuple[Kind, str, bytes, str | None, str | None]]:
        for kind in sorted(self._weights.keys() | after._weights.keys()):
            uuids, places = inventory.keys(kind)
            olds, news = self.owners(kind, uuids, places), after.owners(kind, uuids, places)
            for uuid, place, old, new in zip(uuids, places, olds, news, strict=True):
                if old != new:
                    yield kind, uuid, place, old, new


def _group(name: str) -> str:
    return f"conductor group {name!r}" if name else "the default conductor group"


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    shown = ", ".join(every[:_FEW]) or "no driver"
    return f"{shown} and {len(every) - _FEW} more" if len(every) > _FEW else shown
