"""Which of several hosts serves a key: a consistent hash ring in sorted arrays.

The mapping is, bit for bit, that of ``tooz.hashring`` with md5, which Ironic's conductors agree by:
processes with either may serve one fleet. Point *r* of a host is the md5 of its name repeated
``r + 2`` times; a key belongs to the host of the first point strictly above its own md5, and past
the last point to that of the first.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress, islice
from typing import NamedTuple

from servicegroup.exceptions import EmptyRing, InvalidPlacement

#: Ironic's ``hash_partition_exponent``: all processes of a fleet must use the same.
PARTITION_EXPONENT = 5
#: 2**16 points a host are more than any balance needs, and take 1.3 MB each.
LARGEST_EXPONENT = 16
#: The position above all others; positions are 128 bits.
TOP = 2**128 - 1

_HALF = 2**64 - 1


class Span(NamedTuple):
    """Positions from *first* to *last*, both included, as 16 bytes each that compare as they are.

    So a database that keeps :func:`position` beside each node finds them by index.
    """

    first: bytes
    last: bytes


class Move(NamedTuple):
    """The keys within *span* go from one host to another; ``None``: there was none, or is none."""

    span: Span
    before: str | None
    after: str | None


def position(key: str) -> bytes:
    """Return where *key* lies on every ring: its md5, 16 bytes. It never changes: worth keeping."""
    return hashlib.md5(key.encode(), usedforsecurity=False).digest()


class HashRing:
    """Hosts on a ring. Never changes, so any thread may use it: :meth:`replaced` makes another.

    Needs no more than the standard library; whole fleets are mapped by
    :class:`servicegroup.positions.Positions`.

    :param hosts: in any order, which does not matter; one that is given twice counts once
    :param weights: how much of the ring a host has compared with the others: a whole number from
        1 up; who is not named has 1, who is named here is a host
    :param partition_exponent: ``2 ** partition_exponent`` points for each unit of weight, 0 to 16
    :raises InvalidPlacement: a host, weight or exponent that cannot be
    """

    def __init__(
        self,
        hosts: Iterable[str],
        weights: Mapping[str, int] | None = None,
        partition_exponent: int = PARTITION_EXPONENT,
    ) -> None:
        if (
            not isinstance(partition_exponent, int)
            or not 0 <= partition_exponent <= LARGEST_EXPONENT
        ):
            raise InvalidPlacement(
                f"partition_exponent={partition_exponent!r} must be a number from 0 to "
                f"{LARGEST_EXPONENT}; Ironic's is {PARTITION_EXPONENT}"
            )
        self._replicas: int = 2**partition_exponent
        self.partition_exponent = partition_exponent
        self.weights = checked_weights(hosts, weights)
        #: The hosts, sorted.
        self.hosts: Sequence[str] = tuple(sorted(self.weights))
        points = self._points_of(self.hosts)
        number = {host: index for index, host in enumerate(self.hosts)}
        ordered = sorted(points)
        # Three plain arrays: 20 bytes a point, and numpy can look into them without a copy.
        self._high = array("Q", [point >> 64 for point in ordered])
        self._low = array("Q", [point & _HALF for point in ordered])
        self._owner = array("i", [number[points[point]] for point in ordered])

    # -- who ----------------------------------------------------------------------------------

    def owner(self, key: str) -> str:
        """Return the host that serves *key*.

        :raises EmptyRing: there is no host
        """
        digest = hashlib.md5(key.encode(), usedforsecurity=False).digest()
        high = self._high
        value = int.from_bytes(digest[:8])
        index = bisect_right(high, value)
        if index and high[index - 1] == value:  # the lower halves decide: one key in 10**14
            return self._at(int.from_bytes(digest))
        if index == len(high):
            index = 0
            if not high:
                raise _empty()
        return self.hosts[self._owner[index]]

    def owner_at(self, place: bytes) -> str:
        """Return the host that serves a key whose :func:`position` is known.

        :raises EmptyRing: there is no host
        """
        if not self._high:
            raise _empty()
        return self._at(int.from_bytes(place))

    def map(self, keys: Iterable[str]) -> list[str]:
        """Return the host of each key, in the order of the keys.

        :raises EmptyRing: there is no host, and a key
        """
        owner = self.owner
        return [owner(key) for key in keys]

    # -- what -----------------------------------------------------------------------------------

    def spans(self, host: str) -> list[Span]:
        """Return which positions are a host's, in ascending order and none twice.

        :raises InvalidPlacement: there is no such host on the ring
        """
        if host not in self.weights:
            raise InvalidPlacement(f"{host!r} is not on the ring: its hosts are {_few(self.hosts)}")
        number = self.hosts.index(host)
        count = len(self._owner)
        spans: list[tuple[int, int]] = []
        last = self._point(count - 1)
        if self._owner[0] == number:
            spans = [(0, self._point(0) - 1), (last, TOP)]
        for index in range(1, count):
            if self._owner[index] == number:
                spans.append((self._point(index - 1), self._point(index) - 1))
        return _joined(spans)

    def share(self, host: str) -> float:
        """Return how much of the ring is a host's, from 0 to 1."""
        positions = sum(
            int.from_bytes(last) - int.from_bytes(first) + 1 for first, last in self.spans(host)
        )
        return positions / (TOP + 1)

    def shares(self) -> dict[str, float]:
        """Return how much of the ring is each host's, by host; together they are 1."""
        sums = [0] * len(self.hosts)
        count = len(self._owner)
        for index in range(count):
            before = self._point(index - 1) if index else self._point(count - 1) - TOP - 1
            sums[self._owner[index]] += self._point(index) - before
        return {host: sums[number] / (TOP + 1) for number, host in enumerate(self.hosts)}

    @property
    def arrays(self) -> tuple[array[int], array[int], array[int]]:
        """The points in ascending order: upper halves, lower halves, indexes into ``hosts``.

        For bulk work; whoever writes to them breaks the ring.
        """
        return self._high, self._low, self._owner

    # -- change ---------------------------------------------------------------------------------

    def replaced(self, hosts: Iterable[str], weights: Mapping[str, int] | None = None) -> HashRing:
        """Return the ring of these hosts; only the points of those that differ are computed."""
        wanted = checked_weights(hosts, weights)
        changed = {
            host
            for host in self.weights.keys() | wanted.keys()
            if self.weights.get(host) != wanted.get(host)
        }
        if not changed:
            return self
        if changed & self.weights.keys() and self._hides:
            return HashRing([], wanted, self.partition_exponent)
        ring = HashRing.__new__(HashRing)
        ring._replicas = self._replicas
        ring.partition_exponent = self.partition_exponent
        ring.weights = wanted
        ring.hosts = tuple(sorted(wanted))
        ring._merge(self, changed)
        return ring

    def with_host(self, host: str, weight: int = 1) -> HashRing:
        """Return a ring with this host too, or with another weight for it."""
        return self.replaced(self.hosts, {**self.weights, host: weight})

    def without_host(self, host: str) -> HashRing:
        """Return a ring without this host; the same ring where it is not on it."""
        return self.replaced(
            [], {one: weight for one, weight in self.weights.items() if one != host}
        )

    def moves_to(self, after: HashRing) -> list[Move]:
        """Return exactly which positions have another host on *after*: no other key moves.

        Costs what the hosts that differ have of points, not what the ring has.

        :raises InvalidPlacement: the rings have different exponents
        """
        if after.partition_exponent != self.partition_exponent:
            raise InvalidPlacement(
                f"rings of partition_exponent {self.partition_exponent} and "
                f"{after.partition_exponent} have nothing in common: map the keys anew"
            )
        points: set[int] = set()
        for host in self.weights.keys() | after.weights.keys():
            old, new = self.weights.get(host, 0), after.weights.get(host, 0)
            if old != new:
                points.update(self._points(host, min(old, new), max(old, new)))
        spans: list[tuple[int, int]] = []
        for point in points:
            below = max(self._below(point), after._below(point))
            spans.append((max(below, 0), point - 1))
            if below < 0:  # whose point comes first has all positions past the last one, too
                spans.append((max(self._below(TOP + 1), after._below(TOP + 1)), TOP))
        moves = []
        for first, last in sorted(spans):
            old_host = self._at(first) if self.hosts else None
            new_host = after._at(first) if after.hosts else None
            if first <= last and old_host != new_host:
                moves.append(Move(_span(first, last), old_host, new_host))
        return moves

    def __len__(self) -> int:
        return len(self.hosts)

    def __contains__(self, host: object) -> bool:
        return host in self.weights

    def __repr__(self) -> str:
        return f"<HashRing of {len(self.hosts)} hosts, {len(self._high)} points>"

    # -- points ---------------------------------------------------------------------------------

    def _points(self, host: str, above: int, weight: int) -> Iterator[int]:
        """Yield the points of the units of weight from *above* to *weight* of a host."""
        name = host.encode()
        digest = hashlib.md5(name, usedforsecurity=False)

        def all_points() -> Iterator[int]:
            for _ in range(self._replicas * weight):
                digest.update(name)
                yield int.from_bytes(digest.digest())

        return islice(all_points(), self._replicas * above, None)

    def _point(self, index: int) -> int:
        return self._high[index] << 64 | self._low[index]

    def _find(self, value: int) -> int:
        """Return how many points are not above *value*."""
        high, low = value >> 64, value & _HALF
        start = bisect_left(self._high, high)
        if start == len(self._high) or self._high[start] != high:
            return start
        return bisect_right(self._low, low, start, bisect_right(self._high, high, start))

    def _at(self, value: int) -> str:
        index = self._find(value)
        return self.hosts[self._owner[index if index < len(self._owner) else 0]]

    def _below(self, value: int) -> int:
        """Return the highest point below *value*, -1 if there is none."""
        index = self._find(value - 1) if value else 0
        return self._point(index - 1) if index else -1

    @property
    def _hides(self) -> bool:
        """Whether hosts have points in common, so that one's going shows another's."""
        return len(self._high) < self._replicas * sum(self.weights.values())

    def _points_of(self, hosts: Iterable[str]) -> dict[int, str]:
        # Where two hosts have a point in common ("a" and "aa" have), the first by name keeps it;
        # with tooz it depends on the order in which they came.
        points: dict[int, str] = {}
        for host in sorted(hosts, reverse=True):
            points.update(dict.fromkeys(self._points(host, 0, self.weights[host]), host))
        return points

    def _merge(self, before: HashRing, changed: set[str]) -> None:
        """Take the points of *before* but those of *changed*, which come in their places anew."""
        number = {host: index for index, host in enumerate(self.hosts)}
        renumbered = [-1 if host in changed else number[host] for host in before.hosts]
        owners = array("i", [renumbered[one] for one in before._owner])
        highs, lows = before._high, before._low
        if changed & before.weights.keys():
            stay = [one >= 0 for one in owners]
            highs, lows = array("Q", compress(highs, stay)), array("Q", compress(lows, stay))
            owners = array("i", compress(owners, stay))
        points = self._points_of(changed & self.weights.keys())
        self._high, self._low, self._owner = array("Q"), array("Q"), array("i")
        start = 0
        for point in sorted(points):
            high, low = point >> 64, point & _HALF
            end = bisect_left(highs, high, start)
            while end < len(highs) and highs[end] == high and lows[end] < low:
                end += 1
            self._high += highs[start:end]
            self._low += lows[start:end]
            self._owner += owners[start:end]
            owner, start = number[points[point]], end
            if start < len(highs) and (highs[start], lows[start]) == (high, low):
                owner, start = min(owner, owners[start]), start + 1
            self._high.append(high)
            self._low.append(low)
            self._owner.append(owner)
        self._high += highs[start:]
        self._low += lows[start:]
        self._owner += owners[start:]


def checked_weights(hosts: Iterable[str], weights: Mapping[str, int] | None) -> dict[str, int]:
    """Return {host: weight} of hosts and the weights of some; who has a weight is a host too.

    :raises InvalidPlacement: a name that is no text or empty, a weight that is not 1 or more
    """
    if isinstance(hosts, str):
        raise InvalidPlacement(f"hosts={hosts!r} is one text; give a list of host names")
    found = dict.fromkeys(hosts, 1)
    for host, weight in (weights or {}).items():
        if isinstance(weight, bool) or not isinstance(weight, int) or weight < 1:
            raise InvalidPlacement(
                f"weight {weight!r} of host {host!r} must be a whole number from 1 up; leave a "
                f"host out that shall serve nothing"
            )
        found[host] = weight
    for host in found:
        if not isinstance(host, str) or not host:
            raise InvalidPlacement(f"host {host!r} is no name: give a text that is not empty")
        if not host.isascii() and any("\ud800" <= char <= "\udfff" for char in host):
            raise InvalidPlacement(f"host {host!r} holds a lone surrogate: decode it as UTF-8")
    return found


def _empty() -> EmptyRing:
    return EmptyRing("nobody is on the ring, so nobody serves anything: add a host")


def _few(hosts: Sequence[str]) -> str:
    shown = ", ".join(map(repr, hosts[:5])) or "none"
    return f"{shown} and {len(hosts) - 5} more" if len(hosts) > 5 else shown


def _span(first: int, last: int) -> Span:
    return Span(first.to_bytes(16), last.to_bytes(16))


def _joined(spans: Iterable[tuple[int, int]]) -> list[Span]:
    """Sort spans, leave out empty ones and make one of neighbours."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if first > last:
            continue
        if joined and joined[-1][1] + 1 == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return [_span(first, last) for first, last in joined]
