"""What figures should reach, and which do not."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from benchmarks.figures import NAIVE, TOOZ, Figure

#: The size at which the targets for listings are set.
LARGE = 10_000

#: Whether a figure reaches it, given all figures of the same place.
Met = Callable[[Figure, Sequence[Figure]], bool]


class Target(NamedTuple):
    """What a figure should reach; *operation* may hold wildcards."""

    operation: str
    words: str
    met: Met
    places: Sequence[str]
    only_large: bool = True

    def applies(self, figure: Figure, place: str) -> bool:
        """Whether this is about *figure*."""
        if self.places and place not in self.places:
            return False
        if not fnmatch.fnmatchcase(figure.operation, self.operation):
            return False
        return not self.only_large or figure.members is None or figure.members >= LARGE


def _ratio(limit: float) -> Met:
    return lambda figure, _: figure.ratio is not None and round(figure.ratio, 2) <= limit


def _below(limit: float) -> Met:
    return lambda figure, _: figure.ours < limit


def _faster(times: float, column: str = TOOZ) -> Met:
    return lambda figure, _: (figure.times(column) or 0.0) >= times


def _rate(each_second: float) -> Met:
    return lambda figure, _: (figure.members or 0) / figure.ours >= each_second


def _beside_tooz(limit: float) -> Met:
    """Take at most that many times what tooz takes."""
    return lambda figure, _: round(1 / (figure.times(TOOZ) or 1e-9), 2) <= limit


def _of(operation: str, share: float) -> Met:
    """Take at most that share of what another operation takes at the same size."""
    return lambda figure, figures: all(
        figure.ours <= share * one.ours
        for one in figures
        if one.operation == operation and one.members == figure.members
    )


def _flat(limit: float) -> Met:
    """Take at most that many times what the same operation takes at the smallest size."""
    return lambda figure, figures: (
        figure.ours
        <= limit
        * min((one.members or 0, one.ours) for one in figures if one.operation == figure.operation)[
            1
        ]
    )


EVERYWHERE: Sequence[str] = ()
SQLITE = ("sqlite",)
SERVERS = ("postgresql", "mariadb")
DATABASES = (*SQLITE, *SERVERS)
ZOOKEEPER = ("zookeeper",)
MEMCACHE = ("memcache",)
PLACEMENT = ("placement",)
REST = ("rest",)
KUBERNETES = ("k8s",)
ON_TOOZ = ("tooz",)
SYNCHRONIZER = ("synchronizer",)
STORES = (*ZOOKEEPER, *MEMCACHE)

TARGETS = (
    Target("ids and verdicts*", "at most 1.5x", _ratio(1.5), DATABASES),
    Target("full objects*", "at most 2.5x", _ratio(2.5), DATABASES),
    Target("full objects", "at most 1.5x", _ratio(1.5), STORES),
    Target("full objects", "3x faster than tooz", _faster(3), MEMCACHE),
    Target("full objects, tooz one by one", "25x faster than tooz", _faster(25), ZOOKEEPER),
    Target("full objects, tooz one by one", "1,000x faster than tooz", _faster(1000), MEMCACHE),
    Target("full objects, seen before", "half the first look", _of("full objects", 0.5), MEMCACHE),
    Target("full objects*", "at most 1.5x", _ratio(1.5), KUBERNETES),
    Target("full objects", "at most 1.2x tooz", _beside_tooz(1.2), ON_TOOZ),
    Target("beat*", "at most 1.5x", _ratio(1.5), (*SERVERS, *STORES), only_large=False),
    Target("beat*", "under 0.1 ms", _below(1e-4), SQLITE, only_large=False),
    Target("is_up by query", "at most 1.5x", _ratio(1.5), STORES),
    Target("is_up by query", "20x faster than tooz", _faster(20), ZOOKEEPER),
    Target("is_up by query", "1,000x faster than tooz", _faster(1000), MEMCACHE),
    Target("is_up by query, first look", "at most 2.5x", _ratio(2.5), STORES),
    Target("is_up by a watch", "under 1 µs", _below(1e-6), EVERYWHERE, only_large=False),
    Target("join, one", "at most 3x", _ratio(3), MEMCACHE),
    Target("join, one", "50x faster than tooz", _faster(50), MEMCACHE),
    Target("event: change to CHANGED", "at most 3x", _ratio(3), ZOOKEEPER),
    Target("event: change to CHANGED", "flat in members", _flat(2), ZOOKEEPER),
    Target("memory of a watch", "at most 2 kB a member", _below(2000), EVERYWHERE),
    Target("map all nodes*", "200x faster than tooz", _faster(200), PLACEMENT),
    Target("one look-up", "10x faster than tooz", _faster(10), PLACEMENT, only_large=False),
    Target("nodes that move, one *", "under 5 ms", _below(0.005), PLACEMENT),
    Target("first page, sqlite", "under 20 ms", _below(0.020), PLACEMENT),
    Target("first page, postgresql", "under 20 ms", _below(0.020), PLACEMENT),
    Target("first page, mariadb", "under 20 ms", _below(0.020), PLACEMENT),
    Target("GET /v1/service/", "at most 2x", _ratio(2), REST),
    Target("GET /v2.1/os-services", "at most 2x", _ratio(2), REST),
    Target("GET /v1/conductors/{hostname}", "1,000 a second", _below(0.001), REST),
    Target("memory of a ring", "under 1 MB", _below(1e6), PLACEMENT),
    Target("body to differences, flat*", "5x faster than naive", _faster(5, NAIVE), SYNCHRONIZER),
    Target("body to differences, flat", "800,000 a second", _rate(800_000), SYNCHRONIZER),
    Target(
        "body to differences, nested", "10x faster than naive", _faster(10, NAIVE), SYNCHRONIZER
    ),
    Target("child to parent", "300,000 a second", _rate(300_000), SYNCHRONIZER),
    Target("memory of an unchanged entity", "at most 200 B", _below(201), SYNCHRONIZER),
    Target("peak of a child*", "under 600 MB", _below(600e6), SYNCHRONIZER),
    Target("notifications of RabbitMQ", "at most 1.11x", _ratio(1.11), SYNCHRONIZER),
    Target("import servicegroup", "under 150 ms", _below(0.150), EVERYWHERE, only_large=False),
)


def judged(figure: Figure, figures: Sequence[Figure], place: str) -> list[tuple[str, bool]]:
    """Return what *figure* should reach, in words, and whether it does."""
    targets = [one for one in TARGETS if one.applies(figure, place)]
    return [(one.words, one.met(figure, figures)) for one in targets]


def missed(figures: Sequence[Figure], place: str) -> Iterable[str]:
    """Yield in words what is not reached."""
    for figure in figures:
        for words, reached in judged(figure, figures, place):
            if not reached:
                at = "" if figure.members is None else f" at {figure.members:,}"
                yield f"{figure.operation}{at} ({words})"
