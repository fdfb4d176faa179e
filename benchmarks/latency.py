"""How long after a change a watch tells of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import sqlalchemy as sa

import servicegroup
from benchmarks.bare import BarePostgreSQL, bare
from benchmarks.figures import Figure
from benchmarks.fleet import GROUP, Fleet, configuration, member_id
from servicegroup import EventType, config, loading
from servicegroup.door import Door
from servicegroup.driver import Context

#: Seconds: the poll interval set for this measurement, where the database cannot call back.
POLL = 0.1
#: Seconds: the longest wait for an event.
PATIENCE = 30.0


class Latency:
    """One watcher and one process that changes; times run from the call that makes the change."""

    def __init__(self, url: str, fleet: Fleet, times: int) -> None:
        self._url = url
        self._fleet = fleet
        self._times = times

    def at(self, size: int) -> Iterator[Figure]:
        """Yield the time to JOINED, to LEFT, and to DOWN after the end of a process."""
        conf = configuration(self._url, poll_interval=POLL)
        watcher = servicegroup.ServiceGroup(conf)
        actor = servicegroup.ServiceGroup(conf)
        settings = config.settings(conf)
        door = Door("db", loading.load("db")(Context(conf, settings, "benchmark")))
        joined: list[servicegroup.Membership] = []
        floor = self._floor()
        polled = floor is None
        note = f"polled every {POLL:g} s" if polled else "bare: NOTIFY to LISTEN"
        with watcher, actor, watcher.watch(GROUP) as watch:
            while (event := watch.next_event(PATIENCE)) and event.type is not EventType.READY:
                pass
            taken: dict[EventType, list[float]] = {}
            for number in range(self._times):
                name = f"latecomer-{number}"
                life = self._fleet.instance_of(member_id(number))

                def join(name: str = name) -> None:
                    joined.append(actor.join(GROUP, name))

                def leave() -> None:
                    joined.pop().leave()

                def end(life: str = life) -> None:
                    door.end(life, "ended")

                changes: list[tuple[EventType, Callable[[], None]]]
                changes = [(EventType.JOINED, join), (EventType.LEFT, leave), (EventType.DOWN, end)]
                for kind, change in changes:
                    taken.setdefault(kind, []).append(_until(watch, kind, change))
                    time.sleep(POLL * (number + 1) / self._times)  # not in step with the polls
        for kind, words in (
            (EventType.JOINED, "event: join to JOINED"),
            (EventType.LEFT, "event: leave to LEFT"),
            (EventType.DOWN, "event: end of a process to DOWN"),
        ):
            yield Figure(words, size, statistics.median(taken[kind]), floor, note=note)

    def _floor(self) -> float | None:
        client = bare(sa.make_url(self._url))
        try:
            if isinstance(client, BarePostgreSQL):
                return statistics.median(client.notices(20))
            return None
        finally:
            client.close()


def _until(watch: servicegroup.Watch, kind: EventType, change: Callable[[], object]) -> float:
    start = time.perf_counter()
    change()
    while (event := watch.next_event(PATIENCE)) is not None:
        if event.type is kind:
            return time.perf_counter() - start
    raise RuntimeError(f"no {kind.name} within {PATIENCE:g} s")
