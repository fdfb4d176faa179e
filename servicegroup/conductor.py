"""One conductor: what it says of itself, whether that can be; and what is told of its nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from servicegroup.exceptions import InvalidMember
from servicegroup.hashring import HashRing
from servicegroup.inventory import Kind, Node
from servicegroup.model import State, check_text
from servicegroup.status import MemberStatus, in_words

_GROUP = re.compile(r"[a-zA-Z0-9_.-]*")


class Conductor(NamedTuple):
    """One conductor: who it is, what it serves, and the verdict on it.

    ``serving``: whether it has a share of the nodes. Those that are up have; so has one that steps
    down for a planned restart, until its ``hold`` is over, and one of which nobody can tell, unless
    it was known to be down before. ``hold``: seconds for which its nodes wait for it yet, if they
    do.
    """

    hostname: str
    conductor_group: str
    drivers: tuple[str, ...]
    weight: int
    serving: bool
    hold: float | None
    status: MemberStatus

    @property
    def state(self) -> State:
        """``up``, ``down`` or ``unknown``."""
        return self.status.state

    @property
    def alive(self) -> bool:
        """Whether the verdict is ``up``: the same that ``sg.is_up`` gives."""
        return self.status.is_up

    @property
    def reason(self) -> str:
        """The reason of the verdict, in words."""
        if self.hold is None:
            return self.status.reason
        return f"planned restart: its nodes wait for it {in_words(self.hold)} more"

    @property
    def last_seen(self) -> float | None:
        """Seconds since its last sign of life, where the store keeps the time of it."""
        return self.status.liveness.age


class PlacedNode(NamedTuple):
    """A node, and the host name of the conductor that serves it.

    Where ``conductor`` is ``None``, ``reason`` says what is missing and what would do.
    """

    node: Node
    conductor: str | None
    reason: str = ""


class Page(NamedTuple):
    """Some nodes, and what to give as ``marker`` for those after them; ``None``: these are all."""

    nodes: Sequence[PlacedNode]
    next: str | None


class NodeMove(NamedTuple):
    """A node that went from one conductor to another; ``None``: nobody served it, or does."""

    uuid: str
    before: str | None
    after: str | None


class FleetMapping(NamedTuple):
    """Who serves each node of the whole fleet, by the conductors of one ``generation``."""

    generation: int
    #: {uuid of a node: host name, ``None`` where nobody can}
    conductors: Mapping[str, str | None]


class Load(NamedTuple):
    """What some hosts have to do that share the same kinds of nodes.

    ``portions``: how much of all the nodes there could be is each host's; together 1. ``nodes``:
    how many it serves of those there are. ``ring``: with policy ``ring``, their ring.
    """

    kinds: Sequence[Kind]
    policy: str
    portions: Mapping[str, float]
    nodes: Mapping[str, int]
    ring: HashRing | None = None

    @property
    def hosts(self) -> Sequence[str]:
        """The hosts, sorted."""
        return sorted(self.nodes)


class Said(NamedTuple):
    """What a member says of itself as a conductor; nothing where it says what cannot be."""

    conductor_group: str = ""
    drivers: tuple[str, ...] = ()
    weight: int = 1

    @classmethod
    def read(cls, attributes: Mapping[str, Any]) -> Said:
        """Take it from the attributes, which may be anybody's."""
        group, drivers = attributes.get("conductor_group", ""), attributes.get("drivers", ())
        weight = attributes.get("weight", 1)
        listed = drivers if isinstance(drivers, list | tuple) else ()
        return cls(
            group if isinstance(group, str) else "",
            tuple(sorted({one for one in listed if isinstance(one, str)})),
            weight if isinstance(weight, int) and weight >= 1 else 1,
        )


def described(
    conductor_group: str, drivers: Iterable[str], weight: int, further: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the attributes of a conductor; what :meth:`Said.read` reads.

    :raises InvalidMember: a group, driver or weight that cannot be
    """
    if isinstance(weight, bool) or not isinstance(weight, int) or weight < 1:
        raise InvalidMember(f"weight={weight!r} must be a whole number from 1 up")
    attributes = {
        **(further or {}),
        "conductor_group": check_conductor_group(conductor_group),
        "drivers": _checked_drivers(drivers),
    }
    return attributes if weight == 1 else {**attributes, "weight": weight}


def check_conductor_group(name: object) -> str:
    """Return the name of a conductor group in lower case.

    :raises InvalidMember: it holds what Ironic does not allow
    """
    group = check_text("conductor group", name, empty=True)
    if not _GROUP.fullmatch(group):
        raise InvalidMember(
            f"conductor group {group!r} may hold letters, digits, '_', '-' and '.' only"
        )
    return group.lower()


def _checked_drivers(drivers: Iterable[str]) -> list[str]:
    if isinstance(drivers, str):
        raise InvalidMember(f"drivers={drivers!r} is one text; give a list of names")
    names = sorted({check_text("driver", one) for one in drivers})
    if not names:
        raise InvalidMember("drivers is empty: name at least one that the conductor can serve")
    return names
