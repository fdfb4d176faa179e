"""The ring beside tooz's own: the same mapping, and what it takes."""

from __future__ import annotations

import time
import tracemalloc
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.figures import TOOZ, Figure
from benchmarks.pace import Pace
from servicegroup.hashring import HashRing
from servicegroup.positions import Positions

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # futurist imports eventlet where it is, which says it is old
    from tooz.hashring import HashRing as ToozRing

CONDUCTORS = 1000
#: Keys that are looked up one by one.
LOOKED_UP = 500
_NAMESPACE = uuid.UUID(int=6)


def hosts(number: int = CONDUCTORS) -> list[str]:
    """Return the names of the conductors."""
    return [f"conductor-{index:04d}.example.org" for index in range(number)]


def keys(number: int) -> list[str]:
    """Return the uuids of the nodes: the same in every run."""
    return [str(uuid.uuid5(_NAMESPACE, str(index))) for index in range(number)]


def figures(uuids: Sequence[str], pace: Pace) -> Iterator[Figure]:
    """Measure; where the peer's mapping is another one, fail."""
    size = len(uuids)
    names = hosts()
    ring, peer = HashRing(names), ToozRing(names)
    begin = time.perf_counter()
    expected = [peer.get_nodes(one.encode()).pop() for one in uuids]
    mapping = time.perf_counter() - begin
    positions = Positions.of(uuids)
    found = [ring.hosts[number] for number in positions.owners(ring).tolist()]
    assert found == expected, "the ring is not tooz's"
    del found, expected
    yield _figure("map all nodes", size, pace, lambda: positions.owners(ring), mapping)
    yield _figure(
        "map all nodes, in the order of their positions",
        size,
        pace,
        lambda: positions.owners_in_order(ring),
        mapping,
    )
    some = uuids[:LOOKED_UP]
    works = {"ours": lambda: ring.map(some), TOOZ: _peers(peer, some)}
    each = {name: taken / len(some) for name, taken in pace.medians(works).items()}
    yield Figure("one look-up", size, each["ours"], {TOOZ: each[TOOZ]})
    larger, smaller = ring.with_host("another.example.org"), ring.without_host(names[500])
    yield _figure("change of the ring, one joins", None, pace, lambda: ring.with_host("another"))
    for words, after in (("joins", larger), ("dies", smaller)):
        work = _moves(positions, ring, after)
        note = f"{len(work()):,} nodes move"
        yield _figure(f"nodes that move, one {words}", size, pace, work)._replace(note=note)
    yield Figure(
        "memory of a ring",
        None,
        _kept(lambda: HashRing(names)),
        {TOOZ: _kept(lambda: ToozRing(names))},
        unit="B",
    )


def _moves(positions: Positions, ring: HashRing, after: HashRing) -> Callable[[], Sequence[Any]]:
    return lambda: positions.moved(ring.moves_to(after))


def _peers(peer: Any, some: Sequence[str]) -> Callable[[], Any]:
    return lambda: [peer.get_nodes(one.encode()).pop() for one in some]


def _figure(
    operation: str,
    size: int | None,
    pace: Pace,
    work: Callable[[], Any],
    peer: float | None = None,
) -> Figure:
    ours = pace.medians({"ours": work})["ours"]
    return Figure(operation, size, ours, {} if peer is None else {TOOZ: peer})


def _kept(make: Callable[[], Any]) -> float:
    """Return the bytes that are kept of what *make* returns."""
    tracemalloc.start()
    made = make()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del made
    return float(kept)
