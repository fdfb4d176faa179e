"""Policy ``ring``: one hash ring for each kind of node. What a host serves are ranges of it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from servicegroup.exceptions import ConfigurationError
from servicegroup.hashring import PARTITION_EXPONENT, HashRing, Move, Span
from servicegroup.inventory import Inventory, Kind, Node, Query
from servicegroup.policy import RING
from servicegroup.shares import Server, Shares


class Rings(Shares):
    """The rings of *servers*.

    :param like: rings of which those are taken over, or changed, that differ little or not at all
    """

    policy = RING

    def __init__(
        self,
        servers: Iterable[Server],
        partition_exponent: int = PARTITION_EXPONENT,
        like: Rings | None = None,
    ) -> None:
        super().__init__(servers)
        self._exponent = partition_exponent
        made: dict[tuple[tuple[str, int], ...], HashRing] = {}
        self._rings: dict[Kind, HashRing] = {}
        for kind, some in self._weights.items():
            same = tuple(sorted(some.items()))
            if same not in made:  # conductors of one group mostly have the same drivers
                made[same] = (self._empty if like is None else like.ring(kind)).replaced([], some)
            self._rings[kind] = made[same]

    def ring(self, kind: Kind) -> HashRing:
        """Return the ring of a kind; one without hosts where nobody serves it."""
        return self._rings.get(kind, self._empty)

    def owner(self, node: Node) -> str | None:
        """See :meth:`Shares.owner`."""
        ring = self._rings.get(node.kind)
        return None if ring is None else ring.owner(node.uuid)

    def owners(
        self,
        kind: Kind,
        uuids: Sequence[str],
        places: Sequence[bytes],
    ) -> Sequence[str | None]:
        """See :meth:`Shares.owners`. At once, where numpy is there."""
        ring = self.ring(kind)
        if not ring.hosts:
            return [None] * len(uuids)
        try:
            from servicegroup.positions import Positions

            numbers = Positions(places).owners(ring)
        except ConfigurationError:  # no numpy
            return [ring.owner_at(place) for place in places]
        return [ring.hosts[number] for number in numbers.tolist()]

    def places(self, hostname: str) -> dict[Kind, list[Span]]:
        """See :meth:`Shares.places`: some dozens of ranges for each kind."""
        server = self._by_name.get(hostname)
        if server is None:
            return {}
        spans: dict[int, list[Span]] = {}
        places = {}
        for kind in server.kinds:
            ring = self._rings[kind]
            if id(ring) not in spans:
                spans[id(ring)] = ring.spans(hostname)
            places[kind] = spans[id(ring)]
        return places

    def portions(
        self,
        kind: Kind,
        nodes: Mapping[str, int],  # noqa: ARG002 - the arcs say it
    ) -> Mapping[str, float]:
        """See :meth:`Shares.portions`."""
        return self.ring(kind).shares()

    def moves_to(
        self,
        after: Shares,
        inventory: Inventory | None = None,  # noqa: ARG002 - the rings say it
    ) -> dict[Kind, list[Move]]:
        """See :meth:`Shares.moves_to`. Looks at no node."""
        assert isinstance(after, Rings)
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

    def moved_to(
        self, after: Shares, inventory: Inventory
    ) -> Iterator[tuple[str, str | None, str | None]]:
        """See :meth:`Shares.moved_to`. Looks at those nodes only."""
        moves = self.moves_to(after)
        places = {kind: [move.span for move in some] for kind, some in moves.items()}
        for node in inventory.nodes(Query(places)) if places else ():
            yield node.uuid, self.owner(node), after.owner(node)

    @functools.cached_property
    def _empty(self) -> HashRing:
        return HashRing([], partition_exponent=self._exponent)
