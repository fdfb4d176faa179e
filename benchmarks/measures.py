"""The measurements of one database, at one size of its fleet after another."""

from __future__ import annotations

import timeit
import uuid
from collections.abc import Iterator

import sqlalchemy as sa

import servicegroup
from benchmarks.bare import bare
from benchmarks.core import Core
from benchmarks.figures import Figure
from benchmarks.fleet import ATTRIBUTES, GROUP, Fleet, configuration, member_id, service
from benchmarks.pace import Pace
from servicegroup import config, loading
from servicegroup.door import Door
from servicegroup.driver import Context
from servicegroup.model import Member
from servicegroup.observer import Observer
from servicegroup.picture import Picture

JOINERS = "joiners"
#: Members of the larger of the two processes whose beats are measured.
HELD = 1000
#: Seconds between polls: so many that none falls into another measurement.
RARELY = 30.0


class Measures:
    """Everything that is asked of one database."""

    def __init__(self, url: str, fleet: Fleet, pace: Pace) -> None:
        self._fleet = fleet
        self._pace = pace
        self._conf = configuration(url, poll_interval=RARELY)
        self._settings = config.settings(self._conf)
        self._group = servicegroup.ServiceGroup(self._conf)
        self._bare = bare(sa.make_url(url))
        self._bare_beats = bare(sa.make_url(url), beats=True)
        self._core = Core(sa.make_url(url), self._bare)

    def close(self) -> None:
        for one in (self._group, self._bare, self._bare_beats, self._core):
            one.close()

    def shared(self, size: int, processes: int) -> Iterator[Figure]:
        """Yield the listings of members that a few processes hold."""
        self._fleet.share(processes)
        for figure in self.listings(size):
            yield figure._replace(operation=f"{figure.operation}, of {processes} processes")

    def listings(self, size: int) -> Iterator[Figure]:
        """Yield what it takes to see the whole group."""
        times = self._pace.medians(
            lambda: self._group.states(GROUP),
            lambda: self._bare.verdicts(GROUP),
            lambda: self._core.verdicts(GROUP),
        )
        yield Figure.of("ids and verdicts", size, times)
        times = self._pace.medians(
            lambda: self._group.get_members(GROUP),
            lambda: self._bare.objects(GROUP),
            lambda: self._core.objects(GROUP),
        )
        yield Figure.of("full objects", size, times)

    def beats(self) -> Iterator[Figure]:
        """Yield what a beat takes for a process with one member and for one with many."""
        for count in (1, HELD):
            door, life = self._process()
            joined = door.join([_member(number, life, JOINERS) for number in range(count)])

            def ours(door: Door = door, life: str = life, joined: list[Member] = joined) -> None:
                door.heartbeat(life, joined)

            def by_hand(life: str = life) -> None:
                self._bare_beats.beat(life)

            def by_core(life: str = life) -> None:
                self._core.beat(life)

            times = self._pace.medians(ours, by_hand, by_core)
            door.leave(joined)
            door.stop()
            self._fleet.remove(JOINERS)
            yield Figure.of(f"beat of a process, {count:,} member{'s' * (count > 1)}", None, times)

    def questions(self, size: int) -> Iterator[Figure]:
        """Yield what it takes to ask of one member."""
        one = member_id(size // 2)
        times = self._pace.medians(
            lambda: self._group.is_up(GROUP, one),
            lambda: self._bare.one(GROUP, one),
            lambda: self._core.one(GROUP, one),
        )
        yield Figure.of("is_up by query", size, times)
        with self._group.watch(GROUP) as watch:
            count = 2000
            taken = timeit.repeat(lambda: watch.is_up(one), number=count, repeat=15)
        yield Figure("is_up by a watch", size, sorted(taken)[len(taken) // 2] / count)

    def watches(self, size: int) -> Iterator[Figure]:
        """Yield what it takes to open a watch and to keep it up to date."""
        times = self._pace.medians(
            lambda: self._group.watch(GROUP).close(), lambda: self._bare.objects(GROUP)
        )
        yield Figure.of("watch: first load", size, times)

        door, _ = self._process()
        observer = Observer(door, None, self._settings.limits)
        picture = Picture(GROUP, self._settings.service_down_time)
        picture.replace(observer.judged(observer.look(GROUP)), now=0.0)

        def poll() -> None:
            look = observer.look(GROUP, known=picture.known(None))
            picture.replace(observer.judged(look), now=0.0)

        times = self._pace.medians(poll, lambda: self._bare.verdicts(GROUP))
        yield Figure.of("watch: poll, no change", size, times)
        door.stop()

    def joins(self, size: int) -> Iterator[Figure]:
        """Yield what it takes to join, beside a fleet of that size."""
        door, life = self._process()
        numbers = iter(range(1_000_000))
        joined: list[servicegroup.Membership] = []

        def one() -> None:
            membership = self._group.join(JOINERS, str(next(numbers)), attributes=ATTRIBUTES)
            joined.append(membership)

        def by_hand() -> None:
            self._bare.insert(_row(next(numbers), life))

        def leave() -> None:
            while joined:
                joined.pop().leave()

        times = self._pace.medians(one, by_hand, between=leave)
        self._fleet.remove(JOINERS)
        yield Figure.of("join, one", size, times)

        members = [_member(number, life, JOINERS) for number in range(size)]
        rows = [_row(number, life) for number in range(size)]
        times = self._pace.medians(
            lambda: door.join(members),
            lambda: self._bare.insert_all(rows),
            between=lambda: self._fleet.remove(JOINERS),
        )
        yield Figure.of("join, all by one process", size, times)
        door.stop()

    def _process(self) -> tuple[Door, str]:
        """Return a door and the life that beats through it, as another process would have them."""
        life = str(uuid.uuid4())
        driver = loading.load("db")(Context(self._conf, self._settings, life))
        door = Door("db", driver)
        door.start()
        return door, life


def _member(number: int, life: str, group_id: str) -> Member:
    name = member_id(number)
    return Member(
        group_id, name, "nova-compute", name, 1, attributes=ATTRIBUTES, version=1, instance_id=life
    )


def _row(number: int, life: str) -> dict[str, object]:
    return service(number, life, now=0, wall=0, group_id=JOINERS)
