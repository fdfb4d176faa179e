"""Many keys at once on a ring, with numpy: whole fleets, and the list of what moves.

The keys are kept in the order of their positions. So the ring's points are searched among the keys,
and not the keys among the points: a thousand times fewer searches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from servicegroup.exceptions import ConfigurationError, EmptyRing, InvalidPlacement
from servicegroup.hashring import HashRing, Move, Span, position

if TYPE_CHECKING:
    import numpy

#: Bytes of one position.
SIZE = 16


class Positions:
    """The positions of many keys. Never changes; usable from any thread.

    :param places: the positions of the keys in their order, as from
        :func:`servicegroup.hashring.position`: listed, or 16 bytes each in one piece
    :raises ConfigurationError: numpy is not installed
    """

    def __init__(self, places: Sequence[bytes] | bytes) -> None:
        np = _numpy()
        whole = places if isinstance(places, bytes) else b"".join(places)
        if len(whole) % SIZE or (
            not isinstance(places, bytes) and len(whole) != SIZE * len(places)
        ):
            raise InvalidPlacement(f"positions are {SIZE} bytes each: what hashring.position gives")
        halves = np.frombuffer(whole, ">u8").reshape(-1, 2)
        high, low = halves[:, 0].astype("u8"), halves[:, 1].astype("u8")
        order = np.argsort(high, kind="stable")
        ordered = high[order]
        if (ordered[1:] == ordered[:-1]).any():
            order = np.lexsort((low, high))
            ordered = high[order]
        #: Index of each key, in the order of the positions.
        self.order: numpy.ndarray[Any, Any] = order
        self._high, self._low = ordered, low[order]

    @classmethod
    def of(cls, keys: Iterable[str]) -> Positions:
        """Return the positions of *keys*, each of which is hashed."""
        return cls([position(key) for key in keys])

    def __len__(self) -> int:
        return len(self.order)

    def owners(self, ring: HashRing) -> numpy.ndarray[Any, Any]:
        """Return the index into ``ring.hosts`` of each key's host, in the order of the keys.

        :raises EmptyRing: there is no host, and a key
        """
        np = _numpy()
        owners: numpy.ndarray[Any, Any] = np.empty(len(self), "i4")
        owners[self.order] = self.owners_in_order(ring)
        return owners

    def owners_in_order(self, ring: HashRing) -> numpy.ndarray[Any, Any]:
        """Return what :meth:`owners` does, but in the order of the positions: ten times faster.

        :raises EmptyRing: there is no host, and a key
        """
        np = _numpy()
        high, low, owner = (np.frombuffer(one, one.typecode) for one in ring.arrays)
        if not len(owner):
            if len(self):
                raise EmptyRing("nobody is on the ring, so nobody serves these keys: add a host")
            owner = np.zeros(1, "i4")
        counts = np.diff(self._below(high, low), prepend=0, append=len(self))
        owners: numpy.ndarray[Any, Any] = np.repeat(np.append(owner, owner[0]), counts)
        return owners

    def counts(self, ring: HashRing) -> dict[str, int]:
        """Return how many of the keys each host serves; those that serve none are there, too."""
        np = _numpy()
        if not len(self):
            return dict.fromkeys(ring.hosts, 0)
        counted = np.bincount(self.owners_in_order(ring), minlength=len(ring.hosts))
        return dict(zip(ring.hosts, counted.tolist(), strict=True))

    def within(self, spans: Sequence[Span]) -> list[int]:
        """Return the indexes of the keys whose positions are in any of *spans*."""
        np = _numpy()
        first, end = self._bounds(spans)
        found = [self.order[start:stop] for start, stop in zip(first, end, strict=True)]
        indexes: list[int] = np.concatenate(found).tolist() if found else []
        return indexes

    def moved(self, moves: Sequence[Move]) -> list[tuple[int, Move]]:
        """Return the index of each key that moves, with its move: those and no others.

        :param moves: what :meth:`HashRing.moves_to` returned
        """
        first, end = self._bounds([move.span for move in moves])
        return [
            (index, move)
            for start, stop, move in zip(first, end, moves, strict=True)
            for index in self.order[start:stop].tolist()
        ]

    def _bounds(self, spans: Sequence[Span]) -> tuple[list[int], list[int]]:
        np = _numpy()
        ends = np.frombuffer(b"".join(first + last for first, last in spans), ">u8")
        ends = ends.reshape(-1, 2, 2).astype("u8")
        first = self._below(ends[:, 0, 0], ends[:, 0, 1])
        last = self._below(ends[:, 1, 0], ends[:, 1, 1], including=True)
        return first.tolist(), last.tolist()

    def _below(
        self,
        high: numpy.ndarray[Any, Any],
        low: numpy.ndarray[Any, Any],
        *,
        including: bool = False,
    ) -> numpy.ndarray[Any, Any]:
        """Return how many keys lie below each position; with *including* also at it."""
        np = _numpy()
        below: numpy.ndarray[Any, Any] = np.searchsorted(self._high, high, "left")
        above = np.searchsorted(self._high, high, "right")
        side = "right" if including else "left"
        for index in np.flatnonzero(below != above):  # the lower halves decide
            start, stop = below[index], above[index]
            below[index] += np.searchsorted(self._low[start:stop], low[index], side)
        return below


def _numpy() -> Any:
    try:
        import numpy as np
    except ImportError as error:
        raise ConfigurationError(
            "placing whole fleets needs numpy: pip install 'servicegroup[placement]'"
        ) from error
    return np
