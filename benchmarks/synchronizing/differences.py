"""From the body of an answer to its differences, beside what everybody does."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from benchmarks.figures import NAIVE, Figure
from benchmarks.pace import Pace
from benchmarks.synchronizing.shapes import TYPE, Server, Service, flat, listed, nested, rows
from servicegroup.synchronizer.baseline import Baseline


def figures(entities: int, pace: Pace) -> Iterator[Figure]:
    """Yield one for each shape, and one where the order is another one each time."""
    every = range(entities)
    yield _figure("flat", [listed(every, flat, version) for version in (0, 1)], Service, pace)
    yield _figure("nested", [listed(every, nested, version) for version in (0, 1)], Server, pace)
    mixed = [listed(every, flat, version) for version in (0, 1)]
    for one in mixed:
        random.Random(len(mixed)).shuffle(one)
    random.Random(1).shuffle(mixed[1])
    yield _figure("flat, in no order", mixed, Service, pace)


def naive(body: bytes, known: dict[str, str]) -> int:
    """Return how many changed, as everybody finds it."""
    changed, seen = 0, set()
    for item in json.loads(body):
        mark = hashlib.sha1(json.dumps(item, sort_keys=True).encode()).hexdigest()
        seen.add(item["id"])
        if known.get(item["id"]) != mark:
            known[item["id"]] = mark
            changed += 1
    for key in known.keys() - seen:
        del known[key]
        changed += 1
    return changed


def ours(body: bytes, kind: type, baseline: Baseline) -> int:
    """Return how many changed, as a collector's process finds it."""
    reading = baseline.poll()
    changed = list(reading.rows(rows(msgspec.json.Decoder(list[kind]).decode(body))))
    gone = list(reading.gone())
    baseline.note(changed)
    for type_, keys in gone:
        baseline.forget(type_, keys)
    return len(changed) + sum(len(keys) for _, keys in gone)


def _figure(name: str, versions: Sequence[Any], kind: type, pace: Pace) -> Figure:
    entities = len(versions[0])
    bodies = [msgspec.json.encode(one) for one in versions]
    known: dict[str, str] = {}
    baseline = Baseline([TYPE])
    naive(bodies[0], known)
    ours(bodies[0], kind, baseline)
    turns: dict[str, Iterator[bytes]] = {who: itertools.cycle(bodies[::-1]) for who in ("a", "b")}
    counts: list[int] = []

    def mine() -> None:
        with _without_collector():  # as a collector's process runs
            counts.append(ours(next(turns["a"]), kind, baseline))

    works: dict[str, Callable[[], Any]] = {
        "ours": mine,
        NAIVE: lambda: counts.append(naive(next(turns["b"]), known)),
    }
    taken = pace.medians(works)
    assert set(counts) == {counts[0]}, "the two do not find the same"
    note = f"{entities / taken['ours']:,.0f}/s; bodies of {len(bodies[0]) // entities} B each"
    others = {NAIVE: taken[NAIVE]}
    return Figure(f"body to differences, {name}", entities, taken["ours"], others, note=note)


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
