"""The policies beside ``ring``, and the choice among all. What a host serves lies scattered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from servicegroup.hashring import position
from servicegroup.inventory import Kind, Node
from servicegroup.placement import BoundedRing, Rendezvous
from servicegroup.policy import BOUNDED, RENDEZVOUS, RING, STATIC, Policy
from servicegroup.rings import Rings
from servicegroup.shares import Server, Shares

#: Returns the uuids and positions of all nodes of a kind, as :meth:`Inventory.keys` does.
Keys = Callable[[Kind], tuple[Sequence[str], Sequence[bytes]]]


def shares(
    policy: Policy, servers: Iterable[Server], keys: Keys, like: Shares | None = None
) -> Shares:
    """Share the nodes among *servers* by a policy.

    :param keys: asked where a policy must know all nodes
    :param like: what was before, if anything: a ring that differs little is made of it
    """
    match policy.name:
        case "rendezvous":
            return Draws(servers)
        case "bounded":
            return BoundedRings(servers, policy, keys)
        case "static":
            return Table(servers, policy)
    assert policy.name == RING
    return Rings(servers, policy.partition_exponent, like if isinstance(like, Rings) else None)


class Draws(Shares):
    """Each node goes to the server that draws highest for it."""

    policy = RENDEZVOUS

    def __init__(self, servers: Iterable[Server]) -> None:
        super().__init__(servers)
        self._of: dict[Kind, Rendezvous] = {}
        for kinds in self.alike():
            self._of.update(dict.fromkeys(kinds, Rendezvous([], self._weights[kinds[0]])))

    def owner(self, node: Node) -> str | None:
        """See :meth:`Shares.owner`."""
        drawn = self._of.get(node.kind)
        return None if drawn is None else drawn.owner(node.uuid)

    def owners(
        self, kind: Kind, uuids: Sequence[str], places: Sequence[bytes]
    ) -> Sequence[str | None]:
        """See :meth:`Shares.owners`."""
        drawn = self._of.get(kind)
        return [None] * len(uuids) if drawn is None else drawn.map_at(places)


class BoundedRings(Shares):
    """Each node goes where the ring says, or to the next server that is not full.

    So who serves one depends on which others there are: each question reads their positions.
    """

    policy = BOUNDED

    def __init__(self, servers: Iterable[Server], policy: Policy, keys: Keys) -> None:
        super().__init__(servers)
        self._settings = policy
        self._keys = keys
        self._known: dict[Kind, Mapping[bytes, str]] = {}

    def as_of_now(self) -> Shares:
        """See :meth:`Shares.as_of_now`."""
        return BoundedRings(self.servers, self._settings, self._keys)

    def owner(self, node: Node) -> str | None:
        """See :meth:`Shares.owner`. For one that is not in the inventory: as if it were."""
        return self.owners(node.kind, [node.uuid], [position(node.uuid)])[0]

    def owners(
        self,
        kind: Kind,
        uuids: Sequence[str],  # noqa: ARG002 - the positions say it
        places: Sequence[bytes],
    ) -> Sequence[str | None]:
        """See :meth:`Shares.owners`."""
        weights = self._weights.get(kind)
        if weights is None:
            return [None] * len(places)
        known = self._known.get(kind)
        if known is None or not all(place in known for place in places):
            known = self._known[kind] = BoundedRing(
                [],
                [*self._keys(kind)[1], *places],
                self._settings.bounded_load,
                weights,
                self._settings.partition_exponent,
            ).owners()
        return [known[place] for place in places]


class Table(Shares):
    """Each node goes where the table says; nobody stands in for a server that is not there."""

    policy = STATIC

    def __init__(self, servers: Iterable[Server], policy: Policy) -> None:
        super().__init__(servers)
        self._table, self._otherwise = policy.table, policy.otherwise

    def owner(self, node: Node) -> str | None:
        """See :meth:`Shares.owner`."""
        return self.owners(node.kind, [node.uuid], ())[0]

    def owners(
        self,
        kind: Kind,
        uuids: Sequence[str],
        places: Sequence[bytes],  # noqa: ARG002 - the uuids say it
    ) -> Sequence[str | None]:
        """See :meth:`Shares.owners`."""
        there, table, otherwise = self.weights(kind), self._table, self._otherwise
        return [
            host if host in there else None for host in (table.get(one, otherwise) for one in uuids)
        ]

    def portions(self, kind: Kind, nodes: Mapping[str, int]) -> Mapping[str, float]:  # noqa: ARG002
        """See :meth:`Shares.portions`: of those that there are."""
        total = sum(nodes.values())
        return {host: count / total if total else 0.0 for host, count in nodes.items()}

    def why_nobody(self, node: Node) -> str:
        """See :meth:`Shares.why_nobody`."""
        host = self._table.get(node.uuid, self._otherwise)
        if host is None:
            return (
                f"[servicegroup_conductor] static_table names no conductor for node {node.uuid}: "
                f"add it there, or set static_otherwise"
            )
        by = "its conductor by [servicegroup_conductor] static_table"
        server = self._by_name.get(host)
        if server is None:
            return f"{by}, {host!r}, is not alive"
        return f"{by}, {host!r}, cannot serve it: {super().why_nobody(node)}"
