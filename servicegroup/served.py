"""The nodes of conductors: pages of them, how many, and what that makes for each conductor."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from servicegroup.conductor import Load, Page, PlacedNode
from servicegroup.exceptions import NoSuchNode
from servicegroup.hashring import position
from servicegroup.inventory import Inventory, Kind, Node, Query
from servicegroup.rings import Rings
from servicegroup.shares import Shares

#: Nodes that are read at a time where each must be looked at.
CHUNK = 10_000


def placed(shares: Shares, node: Node) -> PlacedNode:
    """Return who serves a node, or why nobody does."""
    return _placed(shares, node, shares.owner(node))


def placed_together(shares: Shares, nodes: Sequence[Node]) -> list[PlacedNode]:
    """Return :func:`placed` of each, where all of them count, in the inventory or not."""
    if isinstance(shares, Rings):  # whose nodes do not matter to one another
        return [placed(shares, node) for node in nodes]
    return [
        _placed(shares, node, owner)
        for node, owner in zip(nodes, _owners(shares, nodes), strict=True)
    ]


def page(inventory: Inventory, shares: Shares, query: Query, hostname: str | None = None) -> Page:
    """Return a page of all nodes, or of those that a host serves.

    :raises NoSuchNode: there is no node of the uuid that is its marker
    """
    limit = query.checked().limit
    more = query if limit is None else query._replace(limit=limit + 1)
    if hostname is None:
        found = inventory.nodes(more)
        some = [placed(shares, node) for node in found[:limit]]
    else:
        found = list(_served(inventory, shares, more, hostname))
        some = [PlacedNode(node, hostname) for node in found[:limit]]
    further = limit is not None and len(found) > limit
    return Page(some, some[-1].node.uuid if further else None)


def count(inventory: Inventory, shares: Shares, hostname: str, where: Mapping[str, Any]) -> int:
    """Return exactly how many nodes a host serves."""
    places = shares.places(hostname)
    if places is None:
        return sum(1 for _ in _served(inventory, shares, Query(where=where), hostname))
    return inventory.count(Query(places, where)) if places else 0


def loads(inventory: Inventory, shares: Shares, known: Mapping[Kind, int]) -> Sequence[Load]:
    """Return what all hosts have to do. Reads the positions of all nodes."""
    found = []
    for kinds in shares.alike():
        hosts = dict.fromkeys(sorted(shares.weights(kinds[0])), 0)
        nodes: collections.Counter[str] = collections.Counter(hosts)
        for kind in kinds:
            if kind in known:
                owners = shares.owners(kind, *inventory.keys(kind))
                nodes.update(host for host in owners if host is not None)
        ring = shares.ring(kinds[0]) if isinstance(shares, Rings) else None
        portions = shares.portions(kinds[0], nodes)
        found.append(Load(kinds, shares.policy, portions, nodes, ring))
    return found


def _placed(shares: Shares, node: Node, owner: str | None) -> PlacedNode:
    return PlacedNode(node, owner, "" if owner else shares.why_nobody(node))


def _served(inventory: Inventory, shares: Shares, query: Query, hostname: str) -> Iterator[Node]:
    places = shares.places(hostname)
    if places is not None:  # they are there, and no others
        return iter(inventory.nodes(query._replace(places=places)) if places else ())
    return itertools.islice(_scattered(inventory, shares, query, hostname), query.limit)


def _scattered(inventory: Inventory, shares: Shares, query: Query, hostname: str) -> Iterator[Node]:
    given: set[str] = set()  # the chunks may have to begin again
    for nodes in _chunks(inventory, query):
        for node, owner in zip(nodes, _owners(shares, nodes), strict=True):
            if owner == hostname and node.uuid not in given:
                given.add(node.uuid)
                yield node


def _chunks(inventory: Inventory, query: Query) -> Iterator[list[Node]]:
    query = query._replace(limit=CHUNK)
    nodes = inventory.nodes(query)
    while nodes:
        yield nodes
        if len(nodes) < CHUNK:
            return
        nodes = _after(inventory, query, nodes)


def _after(inventory: Inventory, query: Query, nodes: list[Node]) -> list[Node]:
    for node in reversed(nodes):  # the last that has not been removed meanwhile
        try:
            return inventory.nodes(query._replace(marker=node.uuid))
        except NoSuchNode:
            pass
    return inventory.nodes(query)  # none is left that says how far it was


def _owners(shares: Shares, nodes: Sequence[Node]) -> Sequence[str | None]:
    by_kind: dict[Kind, list[int]] = {}
    for index, node in enumerate(nodes):
        by_kind.setdefault(node.kind, []).append(index)
    found: list[str | None] = [None] * len(nodes)
    for kind, indexes in by_kind.items():
        uuids = [nodes[index].uuid for index in indexes]
        owners = shares.owners(kind, uuids, [position(uuid) for uuid in uuids])
        for index, owner in zip(indexes, owners, strict=True):
            found[index] = owner
    return found
