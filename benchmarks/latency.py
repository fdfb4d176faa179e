"""How long after a change a watch tells of it."""

from __future__ import annotations

import contextlib
import functools
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import servicegroup
from benchmarks.figures import Figure
from benchmarks.places import ATTRIBUTES, GROUP, Fleet, Place, member_id
from benchmarks.rivals import Rival
from servicegroup import EventType
from servicegroup.driver import Capability

#: Seconds: the poll interval set for this measurement, where the store cannot call back.
POLL = 0.1
#: Seconds before each change: nobody waits for one with a core awake.
PAUSE = 0.02
#: Seconds: the longest wait for an event.
PATIENCE = 30.0
#: Seconds: whoever took so long in all is not asked again.
ENOUGH = 30.0

Change = tuple[EventType, Callable[[], object]]

_KINDS = (
    (EventType.JOINED, "event: join to JOINED"),
    (EventType.CHANGED, "event: change to CHANGED"),
    (EventType.LEFT, "event: leave to LEFT"),
    (EventType.DOWN, "event: end of a process to DOWN"),
)


class Latency:
    """One watcher and one process that changes; times run from the call that makes the change."""

    def __init__(self, place: Place, fleet: Fleet, rivals: Sequence[Rival], times: int) -> None:
        self._place = place
        self._fleet = fleet
        self._rivals = rivals
        self._times = times

    def at(self, size: int) -> Iterator[Figure]:
        """Yield the time from each kind of change to its event."""
        conf = self._place.configuration(poll_interval=POLL)
        door, _ = self._place.process(conf)
        called = Capability.WATCH in door.capabilities
        taken: dict[EventType, list[float]] = {}
        others: dict[str, list[float]] = {}
        watcher, actor = servicegroup.ServiceGroup(conf), servicegroup.ServiceGroup(conf)
        with (
            watcher,
            actor,
            watcher.watch(GROUP) as watch,
            self._others(0.0 if called else POLL) as events,
        ):
            _until_ready(watch)
            for number in range(self._times):
                life = self._fleet.instance_of(member_id(number))
                changes = _joins_and_leaves(actor, f"latecomer-{number}")
                changes.append((EventType.DOWN, functools.partial(door.end, life, "ended")))
                for kind, change in changes:
                    # Out of the blue; and not in step with the polls.
                    time.sleep(PAUSE if called else POLL * (number + 1) / self._times)
                    taken.setdefault(kind, []).append(_until(watch, kind, change))
                for column, other in events.items():
                    before = others.setdefault(column, [])
                    if sum(before) < ENOUGH:
                        time.sleep(PAUSE)
                        before.extend(itertools.islice(other, 1))
        door.stop()
        note = "" if called else f"polled every {POLL:g} s"
        medians = {column: statistics.median(times) for column, times in others.items() if times}
        for kind, operation in _KINDS:
            yield Figure(operation, size, statistics.median(taken[kind]), medians, note=note)

    @contextlib.contextmanager
    def _others(self, interval: float) -> Iterator[dict[str, Iterator[float]]]:
        with contextlib.ExitStack() as stack:
            yield {
                rival.column: stack.enter_context(contextlib.closing(rival.events(interval)))
                for rival in self._rivals
                if hasattr(rival, "events")
            }


def _joins_and_leaves(actor: servicegroup.ServiceGroup, name: str) -> list[Change]:
    """Return a member's life step by step, with what is told of each."""
    joined: list[servicegroup.Membership] = []

    def join() -> None:
        joined.append(actor.join(GROUP, name, attributes=ATTRIBUTES))

    def update() -> None:
        joined[0].update({**ATTRIBUTES, "weight": 50})

    def leave() -> None:
        joined[0].leave()

    return [(EventType.JOINED, join), (EventType.CHANGED, update), (EventType.LEFT, leave)]


def _until_ready(watch: servicegroup.Watch) -> None:
    while (event := watch.next_event(PATIENCE)) and event.type is not EventType.READY:
        pass


def _until(watch: servicegroup.Watch, kind: EventType, change: Callable[[], object]) -> float:
    start = time.perf_counter()
    change()
    while (event := watch.next_event(PATIENCE)) is not None:
        if event.type is kind:
            return time.perf_counter() - start
    raise RuntimeError(f"no {kind.name} within {PATIENCE:g} s")
