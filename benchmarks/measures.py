"""The measurements of one place, at one size of its fleet after another."""

from __future__ import annotations

import functools
import timeit
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import servicegroup
from benchmarks.figures import Elsewhere, Figure
from benchmarks.pace import Pace
from benchmarks.places import ATTRIBUTES, GROUP, Fleet, Place, member, member_id
from benchmarks.rivals import Rival
from servicegroup import config
from servicegroup.door import Door
from servicegroup.model import Member
from servicegroup.observer import Observer
from servicegroup.picture import Picture

JOINERS = "joiners"
#: Members of the larger of the two processes whose beats are measured.
HELD = 1000
#: Seconds between polls: so many that none falls into another measurement.
RARELY = 30.0


class Measures:
    """Everything that is asked of one store, by one client at a time."""

    def __init__(self, place: Place, fleet: Fleet, rivals: Sequence[Rival], pace: Pace) -> None:
        self._place = place
        self._fleet = fleet
        self._rivals = rivals
        self.pace = pace
        self._conf = place.configuration(poll_interval=RARELY)
        self._settings = config.settings(self._conf)
        self._group = servicegroup.ServiceGroup(self._conf)
        self._groups = iter(range(1_000_000))
        # By operation and column, the largest size at which a rival was quick enough.
        self._largest: dict[tuple[str, str], Elsewhere] = {}

    def close(self) -> None:
        self._group.close()

    def shared(self, size: int) -> Iterator[Figure]:
        """Yield the listings again: the members are held by fewer processes now."""
        yield from self._listing(size)

    def beats(self) -> Iterator[Figure]:
        """Yield what a beat takes for a process with one member and for one with many."""
        for count in (1, HELD):
            door, life = self._place.process(self._conf)
            joined = door.join([member(number, life, JOINERS) for number in range(count)])

            def ours(door: Door = door, life: str = life, joined: list[Member] = joined) -> None:
                door.heartbeat(life, joined)

            operation = f"beat of a process, {count:,} member{'s' * (count > 1)}"
            yield self._compared(operation, None, ours, "beat", life)
            door.leave(joined)
            door.stop()
            self._fleet.remove(JOINERS)

    def listings(self, size: int) -> Iterator[Figure]:
        """Yield what it takes to see the whole group."""
        yield from self._listing(size)
        if self._place.looks_again:
            yield self._seen_before(size)
        if any(hasattr(rival, "one_by_one") for rival in self._rivals):
            yield self.one_by_one(size)

    def questions(self, size: int) -> Iterator[Figure]:
        """Yield what it takes to ask of one member."""
        one = member_id(size // 2)
        ours = functools.partial(self._group.is_up, GROUP, one)
        yield self._compared("is_up by query", size, ours, "one", GROUP, one)
        if self._place.looks_again:
            yield self._first_look(size)
        with self._group.watch(GROUP) as watch:
            count = 2000
            taken = timeit.repeat(lambda: watch.is_up(one), number=count, repeat=15)
        yield Figure("is_up by a watch", size, sorted(taken)[len(taken) // 2] / count)

    def watches(self, size: int) -> Iterator[Figure]:
        """Yield what it takes to open a watch and to keep it up to date."""

        def load() -> None:
            self._group.watch(GROUP).close()

        yield self._compared("watch: first load", size, load, "load", GROUP)

        door, _ = self._place.process(self._conf)
        observer = Observer(door, None, self._settings.limits)
        picture = Picture(GROUP, self._settings.service_down_time)
        picture.replace(observer.judged(observer.look(GROUP)), now=0.0)

        def poll() -> None:
            look = observer.look(GROUP, known=picture.known(None))
            picture.replace(observer.judged(look), now=0.0)

        yield self._compared("watch: poll, no change", size, poll, "again", GROUP)
        door.stop()

    def joins(self, size: int) -> Iterator[Figure]:
        """Yield what it takes to join, beside a fleet of that size."""
        numbers = iter(range(1_000_000))
        joined: list[servicegroup.Membership] = []

        def named(join: Callable[[str], object]) -> None:
            join(f"joiner-{next(numbers)}")

        def ours(name: str) -> None:
            joined.append(self._group.join(self._place.joined, name, attributes=ATTRIBUTES))

        def leave() -> None:
            while joined:
                joined.pop().leave()
            self._each("leave")

        works = {"": functools.partial(named, ours)} | {
            rival.column: functools.partial(named, rival.join)
            for rival in self._rivals
            if hasattr(rival, "join")
        }
        yield self._figure("join, one", size, self.pace.medians(works, between=leave))
        if self._place.joined == JOINERS:
            self._fleet.remove(JOINERS)
        yield self._all_at_once(size)

    def one_by_one(self, size: int) -> Figure:
        """Return what it takes to see the whole group for who asks for each member by itself."""
        ours = functools.partial(self._group.get_members, GROUP)
        operation = "full objects, tooz one by one"
        return self._compared(operation, size, ours, "one_by_one", GROUP)

    # -- one figure each ----------------------------------------------------------------------

    def _listing(self, size: int) -> Iterator[Figure]:
        if any(hasattr(rival, "verdicts") for rival in self._rivals):
            states = functools.partial(self._group.states, GROUP)
            yield self._compared("ids and verdicts", size, states, "verdicts", GROUP)
        members = functools.partial(self._group.get_members, GROUP)
        yield self._compared("full objects", size, members, "objects", GROUP)

    def _seen_before(self, size: int) -> Figure:
        door, _ = self._place.process(self._conf)
        observer = Observer(door, None, self._settings.limits)
        known = {one.member_id: one.member for one in observer.judged(observer.look(GROUP))}

        def ours() -> object:
            return list(observer.judged(observer.look(GROUP, known=known)))

        figure = self._compared("full objects, seen before", size, ours, "again", GROUP)
        door.stop()
        return figure

    def _first_look(self, size: int) -> Figure:
        """Ask for each member once only, of somebody who never listed them."""
        with servicegroup.ServiceGroup(self._conf) as newcomer:
            newcomer.is_up(GROUP, "nobody", unknown=False)  # connects
            names = iter([member_id(number) for number in range(size)] * 2)
            works: dict[str, Callable[[], object]] = {
                "": lambda: newcomer.is_up(GROUP, next(names))
            }
            for rival in self._rivals:
                if rival.column != "tooz":
                    works[rival.column] = functools.partial(rival.one, GROUP, member_id(0))
            times = self.pace.medians(works, most=size - 2)
        return self._figure("is_up by query, first look", size, times)

    def _all_at_once(self, size: int) -> Figure:
        last = [""]
        door, life = self._place.process(self._conf)

        def named(join: Callable[[str, int], object]) -> None:
            # A group of its own each time: what a store remembers of one must not help the next.
            last[0] = f"{JOINERS}-{next(self._groups)}"
            join(last[0], size)

        def ours(group: str, size: int) -> None:
            door.join([member(number, life, group) for number in range(size)])

        def leave() -> None:
            self._fleet.remove(last[0])
            self._each("leave_all")

        works = {"": functools.partial(named, ours)} | {
            rival.column: functools.partial(named, rival.join_all)
            for rival in self._rivals
            if hasattr(rival, "join_all")
        }
        figure = self._figure(
            "join, all by one process", size, self.pace.medians(works, between=leave)
        )
        door.stop()
        return figure

    # -- comparing ----------------------------------------------------------------------------

    def _compared(
        self,
        operation: str,
        size: int | None,
        ours: Callable[[], object],
        method: str,
        *arguments: Any,
    ) -> Figure:
        works: dict[str, Callable[[], object]] = {"": ours}
        for rival in self._rivals:
            other = getattr(rival, method, None)
            if other is not None:
                works[rival.column] = functools.partial(other, *arguments)
        return self._figure(operation, size, self.pace.medians(works))

    def _figure(self, operation: str, size: int | None, times: dict[str, float]) -> Figure:
        """Return a figure; for who was too slow, with what was measured at a smaller size."""
        ours = times.pop("")
        elsewhere = {
            column: found
            for (name, column), found in self._largest.items()
            if name == operation and column not in times
        }
        if size is not None:
            for column, taken in times.items():
                self._largest[operation, column] = Elsewhere(size, taken, ours)
        return Figure(operation, size, ours, times, elsewhere)

    def _each(self, method: str) -> None:
        for rival in self._rivals:
            one = getattr(rival, method, None)
            if one is not None:
                one()
