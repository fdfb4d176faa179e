"""Nodes and hypervisors, and the contract for whoever keeps them: a table of ours, or the host's.

An inventory is asked for what lies at certain positions of the ring, so that the nodes of one
conductor are found by index, whatever the number of all others.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from servicegroup.exceptions import InvalidInventory, NoSuchHypervisor, NoSuchNode, NotSupported
from servicegroup.hashring import Span, position


class Node(NamedTuple):
    """A bare-metal node. ``None`` where nothing is known.

    ``uuid`` is what places it on the ring, in exactly this spelling. ``created_at`` and
    ``updated_at`` are wall times in seconds since 1970, for people.
    """

    uuid: str
    name: str | None = None
    driver: str = ""
    conductor_group: str = ""
    power_state: str | None = None
    provision_state: str | None = None
    maintenance: bool = False
    instance_uuid: str | None = None
    created_at: float | None = None
    updated_at: float | None = None

    @property
    def kind(self) -> Kind:
        """What a conductor must be to serve it."""
        return Kind(self.conductor_group, self.driver)


class Hypervisor(NamedTuple):
    """A hypervisor as Nova knows it; ``None`` where nothing is known.

    ``host`` is the host of the service that runs it. Sizes of memory are in MiB, of disks in GiB.
    """

    id: int
    uuid: str
    hypervisor_hostname: str
    host: str
    hypervisor_type: str | None = None
    hypervisor_version: int | None = None
    host_ip: str | None = None
    vcpus: int | None = None
    vcpus_used: int | None = None
    memory_mb: int | None = None
    memory_mb_used: int | None = None
    free_ram_mb: int | None = None
    local_gb: int | None = None
    local_gb_used: int | None = None
    free_disk_gb: int | None = None
    disk_available_least: int | None = None
    running_vms: int | None = None
    current_workload: int | None = None
    cpu_info: Any = None
    pci_stats: Any = None


class Kind(NamedTuple):
    """What decides which conductors may serve a node: each kind has a ring of its own."""

    conductor_group: str
    driver: str


#: Called with how many of how many are done.
Progress = Callable[[int, int], None]
#: Which positions of which kinds of nodes.
Places = Mapping[Kind, Sequence[Span]]

#: What nodes may be sorted by; those that are equal, or unknown, come in the order of their making.
SORT_KEYS = ("id", *(name for name in Node._fields))
#: What nodes may be selected by.
FILTERS = (
    "uuid",
    "name",
    "driver",
    "conductor_group",
    "power_state",
    "provision_state",
    "maintenance",
    "instance_uuid",
)


class Query(NamedTuple):
    """Which nodes, in which order, how many.

    ``places``: only nodes there; ``None``: anywhere. ``where``: {one of ``FILTERS``: value}, all of
    which must hold. ``marker``: the uuid of the node after which to begin, which need not itself be
    among those asked for. ``limit``: at most so many.
    """

    places: Places | None = None
    where: Mapping[str, Any] = {}
    sort_key: str = "id"
    descending: bool = False
    marker: str | None = None
    limit: int | None = None

    def checked(self) -> Query:
        """Return itself.

        :raises InvalidInventory: a sort key, filter or limit that cannot be
        """
        if self.sort_key not in SORT_KEYS:
            raise InvalidInventory(
                f"nodes cannot be sorted by {self.sort_key!r}; they can by: {', '.join(SORT_KEYS)}"
            )
        for name in self.where:
            if name not in FILTERS:
                raise InvalidInventory(
                    f"nodes cannot be selected by {name!r}; they can by: {', '.join(FILTERS)}"
                )
        if self.limit is not None and self.limit < 1:
            raise InvalidInventory(f"limit={self.limit} must be 1 or more; leave it out for all")
        return self


class Inventory(abc.ABC):
    """Who keeps the nodes and hypervisors. Called from any thread.

    Implement it where the host service has its own tables, and pass it as
    ``ServiceGroup(conf, inventory=...)``; :class:`MemoryInventory` is one to start from. May raise
    :exc:`servicegroup.DriverUnavailable` where its store does not answer.
    """

    @abc.abstractmethod
    def node(self, ident: str) -> Node | None:
        """Return the node of this uuid or name, a uuid first."""

    @abc.abstractmethod
    def nodes(self, query: Query) -> list[Node]:
        """Return the nodes that *query* asks for.

        :raises NoSuchNode: there is no node of the uuid that is its marker
        """

    @abc.abstractmethod
    def count(self, query: Query) -> int:
        """Return how many nodes *query* asks for, whatever its marker and limit."""

    @abc.abstractmethod
    def kinds(self) -> dict[Kind, int]:
        """Return how many nodes there are of each kind."""

    @abc.abstractmethod
    def keys(self, kind: Kind) -> tuple[Sequence[str], Sequence[bytes]]:
        """Return the uuids of all nodes of a kind, and their positions on the ring, as long.

        The positions are what :func:`servicegroup.hashring.position` says of the uuids: kept
        beside the nodes, since they never change, whole fleets are placed in milliseconds.
        """

    @abc.abstractmethod
    def hypervisors(self) -> list[Hypervisor]:
        """Return all hypervisors, by id."""

    @abc.abstractmethod
    def hypervisor(self, ident: str) -> Hypervisor | None:
        """Return the hypervisor of this id, uuid or ``hypervisor_hostname``, an id first."""

    # What follows is for inventories that others may write, such as the default one.

    def create_node(self, **fields: Any) -> Node:  # noqa: ARG002
        """Add a node.

        :raises InvalidInventory: a field that cannot be so
        :raises EntryExists: a uuid or name that is taken
        """
        raise _kept_elsewhere()

    def add_nodes(
        self,
        wanted: Sequence[Node],  # noqa: ARG002
        progress: Progress | None = None,  # noqa: ARG002
    ) -> None:
        """Add many nodes: all of them, or none.

        :param progress: called now and then, on this thread, with how many of how many are written
        :raises EntryExists: a uuid or name that is taken
        """
        raise _kept_elsewhere()

    def update_node(self, ident: str, **fields: Any) -> Node:  # noqa: ARG002
        """Change what is given of the node of this uuid or name, and return it as it is now.

        ``None``, or an empty text, is no longer known. Another ``driver`` or ``conductor_group``
        gives it to another conductor; its ``uuid``, which is its place among them, stays.

        :raises NoSuchNode: there is none
        :raises InvalidInventory: a field that cannot be so
        :raises EntryExists: a name that is taken
        """
        raise _kept_elsewhere()

    def delete_node(self, ident: str) -> None:  # noqa: ARG002
        """Remove the node of this uuid or name.

        :raises NoSuchNode: there is none
        """
        raise _kept_elsewhere()

    def create_hypervisor(self, **fields: Any) -> Hypervisor:  # noqa: ARG002
        """Add a hypervisor; ``hypervisor_hostname`` is enough, ``host`` is the same by default.

        :raises InvalidInventory: a field that cannot be so
        :raises EntryExists: a uuid or name that is taken
        """
        raise _kept_elsewhere()

    def update_hypervisor(self, ident: str, **fields: Any) -> Hypervisor:  # noqa: ARG002
        """Change what is given of the hypervisor of this id, uuid or ``hypervisor_hostname``.

        ``None``, or an empty text, is no longer known. Its ``id`` and ``uuid`` stay.

        :returns: the hypervisor as it is now
        :raises NoSuchHypervisor: there is none
        :raises InvalidInventory: a field that cannot be so
        :raises EntryExists: a name that is taken
        """
        raise _kept_elsewhere()

    def report_hypervisor(self, hypervisor_hostname: str, **fields: Any) -> None:  # noqa: ARG002
        """Change what is given of the hypervisor of this name; add it where there is none.

        For the service that runs it, which says so again whenever something changed: as cheap as
        can be, and nothing is read.

        :raises InvalidInventory: a field that cannot be so
        """
        raise _kept_elsewhere()

    def delete_hypervisor(self, ident: str) -> None:  # noqa: ARG002
        """Remove the hypervisor of this id, uuid or ``hypervisor_hostname``.

        :raises NoSuchHypervisor: there is none
        """
        raise _kept_elsewhere()


class MemoryInventory(Inventory):
    """An inventory that is asked for lists each time: for small fleets, tests, and to start from.

    :param nodes: returns all nodes, in the order of their making
    :param hypervisors: returns all hypervisors
    """

    def __init__(
        self,
        nodes: Callable[[], Iterable[Node]],
        hypervisors: Callable[[], Iterable[Hypervisor]] = tuple,
    ) -> None:
        self._nodes = nodes
        self._hypervisors = hypervisors

    def node(self, ident: str) -> Node | None:
        """See :meth:`Inventory.node`."""
        found = [one for one in self._nodes() if ident in (one.uuid, one.name)]
        return min(found, key=lambda one: one.uuid != ident, default=None)

    def nodes(self, query: Query) -> list[Node]:
        """See :meth:`Inventory.nodes`."""
        query.checked()
        every = list(self._nodes())
        if query.sort_key != "id":
            every.sort(key=lambda node: _sortable(getattr(node, query.sort_key)))
        if query.descending:
            every.reverse()
        if query.marker is not None:
            for index, node in enumerate(every):
                if node.uuid == query.marker:
                    every = every[index + 1 :]
                    break
            else:
                raise no_such_node(query.marker)
        return self._selected(query, every)[: query.limit]

    def count(self, query: Query) -> int:
        """See :meth:`Inventory.count`."""
        return len(self._selected(query.checked(), self._nodes()))

    def kinds(self) -> dict[Kind, int]:
        """See :meth:`Inventory.kinds`."""
        counts: dict[Kind, int] = {}
        for node in self._nodes():
            counts[node.kind] = counts.get(node.kind, 0) + 1
        return counts

    def keys(self, kind: Kind) -> tuple[Sequence[str], Sequence[bytes]]:
        """See :meth:`Inventory.keys`."""
        uuids = [node.uuid for node in self._nodes() if node.kind == kind]
        return uuids, [position(uuid) for uuid in uuids]

    def hypervisors(self) -> list[Hypervisor]:
        """See :meth:`Inventory.hypervisors`."""
        return sorted(self._hypervisors())

    def hypervisor(self, ident: str) -> Hypervisor | None:
        """See :meth:`Inventory.hypervisor`."""
        names = (lambda one: str(one.id), lambda one: one.uuid, lambda one: one.hypervisor_hostname)
        for name in names:
            for one in self.hypervisors():
                if name(one) == ident:
                    return one
        return None

    def _selected(self, query: Query, nodes: Iterable[Node]) -> list[Node]:
        wanted = query.where.items()
        return [
            node
            for node in nodes
            if all(getattr(node, name) == value for name, value in wanted)
            and (query.places is None or _is_within(node, query.places))
        ]


def no_such_node(ident: str) -> NoSuchNode:
    """Return the error for a node that is not there."""
    return NoSuchNode(
        f"there is no node {ident!r} in the inventory; 'servicegroup node list' shows those there "
        f"are, 'servicegroup node create' adds one"
    )


def no_such_hypervisor(ident: str) -> NoSuchHypervisor:
    """Return the error for a hypervisor that is not there."""
    return NoSuchHypervisor(
        f"there is no hypervisor {ident!r} in the inventory; 'servicegroup hypervisor list' shows "
        f"those there are, 'servicegroup hypervisor create' adds one"
    )


def _kept_elsewhere() -> NotSupported:
    return NotSupported("this inventory is kept by the service itself: change it there")


def _is_within(node: Node, places: Places) -> bool:
    place = position(node.uuid)
    return any(first <= place <= last for first, last in places.get(node.kind, ()))


def _sortable(value: Any) -> tuple[bool, Any]:
    return (value is not None, value)
