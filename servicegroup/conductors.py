"""Conductors, and which of them serves which node.

A conductor is a member of ``[servicegroup_conductor] group`` that publishes its ``conductor_group``
and its ``drivers``. The nodes of one group and driver are shared among the conductors that are not
down: by a hash ring, which is the mapping that Ironic itself uses, or by another policy.
"""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from servicegroup import served
from servicegroup.clock import boottime
from servicegroup.conductor import (
    Conductor,
    FleetMapping,
    Load,
    NodeMove,
    Page,
    PlacedNode,
    Said,
    described,
)
from servicegroup.config import Settings
from servicegroup.exceptions import (
    InvalidMember,
    NoSuchConductor,
    ServiceGroupError,
)
from servicegroup.hashring import Move
from servicegroup.hostname import check_hostname
from servicegroup.inventory import Inventory, Kind, Node, Query, no_such_node
from servicegroup.membership import Membership
from servicegroup.model import State
from servicegroup.shares import Server, Shares
from servicegroup.sharing import shares
from servicegroup.status import MemberStatus, in_words
from servicegroup.watch import Watch

#: Generations that are remembered for :meth:`Conductors.moved`.
REMEMBERED = 64
#: Seconds: the longest hold. Nodes of a conductor that does not come back are served by nobody.
LONGEST_HOLD = 86400.0


class Conductors:
    """``sg.conductors``. Usable from any thread.

    Each question looks at the conductors once, and sees them as they are then. :meth:`follow`
    keeps them in memory instead, for processes that ask often.

    Raises :exc:`DriverUnavailable` where a store does not answer.
    """

    def __init__(
        self,
        settings: Settings,
        inventory: Callable[[], Inventory],
        look: Callable[[str], Iterable[MemberStatus]],
        watch: Callable[[str], Watch],
        join: Callable[..., Membership],
    ) -> None:
        self.group_id = settings.conductor_group
        self._settings = settings
        self._find_inventory = inventory
        self._look = look
        self._open_watch = watch
        self._join = join
        self._lock = threading.RLock()
        self._watch: Watch | None = None
        self._conductors: dict[str, Conductor] = {}
        self._shares = self._shared(())
        # Who served: from it the rings of then are made again, at the cost of what differs.
        self._history = collections.OrderedDict({0: self._shares.servers})
        self._generation = 0
        self._held: dict[tuple[str, int], float] = {}  # first seen stepped down, by our clock
        self._changes_at = float("inf")  # when a hold is over, by our clock

    # -- being one ------------------------------------------------------------------------------

    def join(
        self,
        *,
        drivers: Iterable[str],
        conductor_group: str = "",
        hostname: str | None = None,
        weight: int = 1,
        attributes: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Membership:
        """Make this process a conductor, in one step: others see all of it or nothing.

        :param drivers: the hardware types whose nodes it can serve, at least one
        :param conductor_group: of letters, digits, ``_``, ``-`` and ``.``, kept in lower case; it
            serves only nodes of the same group
        :param hostname: default: ``[servicegroup] host``. ``host``, ``host:port``, ``[v6]:port``
        :param weight: how many shares of the nodes it takes, from 1 up; Ironic knows only 1
        :param attributes: further ones to publish
        :param options: of :meth:`servicegroup.ServiceGroup.join`, such as ``health``
        :raises InvalidMember: a name that cannot be
        """
        attributes = described(conductor_group, drivers, weight, attributes)
        member_id = check_hostname(self._settings.host if hostname is None else hostname)
        options.setdefault("name", "ironic-conductor")
        return self._join(self.group_id, member_id, attributes=attributes, **options)

    def step_down(self, membership: Membership, *, hold: float) -> bool:
        """Leave for a planned restart: others keep its nodes for it for *hold* seconds.

        It is down at once. Its nodes stay mapped to it until it joins again, or the time is over:
        nobody else takes them over, and nobody serves them. Without this, use ``leave``.

        :returns: whether the store confirmed it; otherwise it is tried on while we are open
        :raises InvalidMember: *hold* is not above 0, or above ``LONGEST_HOLD``
        """
        if not 0 < hold <= LONGEST_HOLD:
            raise InvalidMember(
                f"hold={hold!r} must be above 0 and at most {LONGEST_HOLD:g} seconds; to give the "
                f"nodes to others, leave"
            )
        reason = f"planned restart, its nodes are held for {in_words(hold)}"
        return membership.step_down(reason, {**membership.member.attributes, "hold": hold})

    # -- who ------------------------------------------------------------------------------------

    def list(self) -> list[Conductor]:
        """Return all conductors, alive or not, by host name."""
        with self._lock:
            self._refresh(ages=True)
            return sorted(self._conductors.values(), key=lambda one: one.hostname)

    def get(self, hostname: str) -> Conductor:
        """Return one conductor. Where they are followed, it costs the same whatever their number.

        :raises InvalidMember: no host name
        :raises NoSuchConductor: there is none
        """
        check_hostname(hostname)
        with self._lock:
            self._refresh()
            one, watch = self._known(hostname), self._watch
            if watch is None or watch.closed:
                return one
            verdict = watch.liveness(hostname)
            return self._conductor(one.status._replace(liveness=verdict), one)

    def follow(self) -> Watch:
        """Keep the conductors in memory from now on, until the watch that is returned is closed.

        Questions then cost no look at them, and changes count as soon as the watch has heard of
        them. While its store does not answer, the rings stay as they are. The watch's events are
        taken by these questions: to iterate, make another.

        :raises ConfigurationError: the store can never be read as configured
        """
        with self._lock:
            if self._watch is None or self._watch.closed:
                self._watch = self._open_watch(self.group_id)
                self._rebuild(self._watch.members)
            return self._watch

    # -- whose ----------------------------------------------------------------------------------

    def for_node(self, node: Node | str) -> PlacedNode:
        """Return who serves a node, given as itself or by uuid or name.

        :raises NoSuchNode: the inventory has no such node
        """
        if isinstance(node, str):
            found = self._inventory.node(node)
            if found is None:
                raise no_such_node(node)
            node = found
        return served.placed(self.shares(), node)

    def place(self, nodes: Iterable[Node]) -> Sequence[PlacedNode]:
        """Return who serves each of some nodes, by one look at the conductors.

        Nodes that are not in the inventory are placed as if all of them were.
        """
        return served.placed_together(self.shares(), list(nodes))

    def nodes(self, query: Query = Query()) -> Page:  # noqa: B008 - a tuple
        """Return a page of all nodes, with their conductors."""
        return served.page(self._inventory, self.shares(), query)

    def nodes_of(self, hostname: str, query: Query = Query()) -> Page:  # noqa: B008
        """Return a page of the nodes that a conductor serves: ``query.limit`` of them if there are.

        Each page is answered by the shares of its own moment. So of the nodes that the conductor
        serves all the while until the last page, each is listed once and none is left out, for any
        size of pages; those that come or go meanwhile may be on a page or not, on none twice.

        By index with policy ``ring``; with the others each node is looked at until the page is
        full.

        :raises NoSuchConductor: there is none of that name; one that is down serves no nodes
        """
        return served.page(self._inventory, self._shares_with(hostname), query, hostname)

    def count_of(self, hostname: str, where: Mapping[str, Any] | None = None) -> int:
        """Return exactly how many nodes a conductor serves; *where* as in :class:`Query`.

        :raises NoSuchConductor: there is none of that name
        """
        return served.count(self._inventory, self._shares_with(hostname), hostname, where or {})

    def mapping(self) -> FleetMapping:
        """Return who serves each node there is. Reads all their keys, and no more."""
        with self._lock:
            shares = self.shares()
            generation = self._generation
        found: dict[str, str | None] = {}
        for kind in self._inventory.kinds():
            uuids, places = self._inventory.keys(kind)
            found.update(zip(uuids, shares.owners(kind, uuids, places), strict=True))
        return FleetMapping(generation, found)

    def loads(self) -> Sequence[Load]:
        """Return what those have to do who share nodes. Reads the positions of all nodes."""
        return served.loads(self._inventory, self.shares(), self._inventory.kinds())

    def counts(self) -> dict[str | None, int]:
        """Return how many nodes each conductor serves; under ``None``, how many nobody can.

        Conductors that serve none are there, too. Reads the positions of all nodes.
        """
        with self._lock:
            shares = self.shares()
            counts: dict[str | None, int] = dict.fromkeys(self._conductors, 0)
        kinds = self._inventory.kinds()
        for load in served.loads(self._inventory, shares, kinds):
            for host, count in load.nodes.items():
                counts[host] += count
        counts[None] = sum(kinds.values()) - sum(counts.values())
        return counts

    # -- change ---------------------------------------------------------------------------------

    @property
    def generation(self) -> int:
        """The number of the shares as they are now: another one whenever conductors came or went.

        With policy ``bounded`` nodes that come or go may move others, which this does not count.
        """
        with self._lock:
            self._refresh()
            return self._generation

    def shares(self) -> Shares:
        """Return who serves what as it is now; :class:`~servicegroup.rings.Rings`, by default."""
        with self._lock:
            self._refresh()
            return self._shares.as_of_now()

    def moved(self, since: int) -> Sequence[NodeMove]:
        """Return exactly the nodes whose conductor is another one than at a ``generation``.

        One that went and came back meanwhile is not among them. Of the nodes there are now.

        :raises ServiceGroupError: the generation is none of the last ``REMEMBERED`` of this object:
            compare two :meth:`mapping` instead
        """
        before, after = self._then_and_now(since)
        return [NodeMove(*one) for one in before.moved_to(after, self._inventory)]

    def moves(self, since: int) -> Mapping[Kind, Sequence[Move]]:
        """Return what :meth:`moved` does as positions: whoever holds the nodes' own finds them.

        With policy ``ring`` as ranges, and no node is looked at; with the others one by one.

        :raises ServiceGroupError: as there
        """
        before, after = self._then_and_now(since)
        return before.moves_to(after, self._inventory)

    # -- within ---------------------------------------------------------------------------------

    @property
    def _inventory(self) -> Inventory:
        return self._find_inventory()

    def _refresh(self, *, ages: bool = False) -> None:
        """Take in what changed; with *ages*, also the ages of what did not."""
        watch = self._watch
        if watch is None or watch.closed:
            self._rebuild(self._look(self.group_id))
            return
        changed = ages or boottime() >= self._changes_at
        while watch.next_event(0) is not None:
            changed = True
        if changed:
            self._rebuild(watch.members)

    def _rebuild(self, statuses: Iterable[MemberStatus]) -> None:
        before = self._conductors
        self._changes_at = float("inf")
        self._conductors = {
            status.member_id: self._conductor(status, before.get(status.member_id))
            for status in statuses
        }
        known = {server: server for server in self._shares.servers}
        wanted = [
            Server(one.hostname, one.conductor_group, one.drivers, one.weight)
            for one in self._conductors.values()
            if one.serving
        ]
        servers = frozenset(known.get(server, server) for server in wanted)
        if self._shares.servers == servers:
            return
        self._shares = self._shared(servers, self._shares)
        self._generation += 1
        self._history[self._generation] = servers
        while len(self._history) > REMEMBERED:
            self._history.popitem(last=False)

    def _conductor(self, status: MemberStatus, before: Conductor | None) -> Conductor:
        hold = self._hold(status) if status.state is State.DOWN else None
        serving = status.is_up or hold is not None
        if status.state is State.UNKNOWN:
            serving = before is None or before.serving
        said = Said.read(status.attributes)
        return Conductor(status.member_id, *said, serving, hold, status)

    def _hold(self, status: MemberStatus) -> float | None:
        """Return for how long yet the nodes of a conductor that is down wait for it."""
        member, hold = status.member, status.attributes.get("hold")
        forced = status.record is not None and status.record.forced_down
        if member.withdrawn is None or forced or not isinstance(hold, int | float):
            return None
        now, life = boottime(), (member.member_id, member.incarnation)
        since = status.liveness.since
        if since is None:  # the store keeps no time of it: from when we first saw it
            since = now - self._held.setdefault(life, now)
        left = min(hold, LONGEST_HOLD) - since
        if left <= 0:
            return None
        self._changes_at = min(self._changes_at, now + left)
        return left

    def _known(self, hostname: str) -> Conductor:
        conductor = self._conductors.get(hostname)
        if conductor is None:
            raise NoSuchConductor(
                f"there is no conductor {hostname!r} in group {self.group_id!r}; 'servicegroup "
                f"conductor list' shows those there are"
            )
        return conductor

    def _shared(self, servers: Iterable[Server], like: Shares | None = None) -> Shares:
        policy = self._settings.placement
        return shares(policy, servers, self._keys, like)

    def _keys(self, kind: Kind) -> tuple[Sequence[str], Sequence[bytes]]:
        return self._inventory.keys(kind)

    def _then_and_now(self, since: int) -> tuple[Shares, Shares]:
        with self._lock:
            now = self.shares()
            servers = self._history.get(since)
            if servers is None:
                raise ServiceGroupError(
                    f"generation {since!r} is not remembered, only those from "
                    f"{next(iter(self._history))} to {self._generation}: compare with mapping()"
                )
        return self._shared(servers, now), now

    def _shares_with(self, hostname: str) -> Shares:
        check_hostname(hostname)
        with self._lock:
            shares = self.shares()
            self._known(hostname)
        return shares
