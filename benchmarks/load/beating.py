"""The fleet beats: how often, what that costs, how long a listing takes, and who is called down."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.load import cpu
from benchmarks.load.plan import Plan
from benchmarks.load.worker import PATIENCE, Worker, crew
from benchmarks.places import Place

#: Intervals for which the bare client beats in our place.
ROUNDS = 2


class Beating(NamedTuple):
    """What was seen while a fleet beat; times in seconds, processor time in seconds a second."""

    size: int
    how: str
    #: Whether a process sends one beat and rests for an interval.
    rests: bool
    due: float
    beats: float
    late: float
    failed: int
    verdicts: float
    listing: float
    clients: float
    store: float | None
    false_downs: int
    unknown: int
    #: Writes a second that the server counted, where it does.
    writes: float | None = None

    @property
    def client_per_beat(self) -> float:
        """Seconds of processor time that a beat takes of the fleet's processes."""
        return self.clients / self.beats if self.beats else math.inf


class Beat(NamedTuple):
    """Seconds of processor time of one beat: in a loop, with rests, and over many connections."""

    ours: float
    bare: float
    rested: float
    spread: float


def one_beat(place: Place, plan: Plan) -> Beat:
    """Measure what one beat takes of a client that does nothing else."""
    with crew() as workers:
        workers.append(
            Worker("bare", place, "load-bare", plan.core(), seconds=min(8.0, plan.seconds))
        )
        said = workers[0].wait("ours")
    return Beat(said["ours"], said["bare"], said["rested"], bare_instances(place, plan))


def members(place: Place, plan: Plan) -> Beating:
    """Let a few processes hold all members, as :class:`servicegroup.ServiceGroup` does."""
    group, core = "load-members", plan.core()
    with crew() as workers:
        for number, count in enumerate(_parts(plan.members, plan.processes)):
            told = {"prefix": f"held-{number}", "count": count}
            workers.append(Worker("members", place, group, core, **told))
        how = f"{plan.members:,} members in {_processes(len(workers))}"
        due = len(workers) / plan.interval
        return _measured(place, plan, list(workers), workers, (plan.members, how, True, due))


def instances(place: Place, plan: Plan) -> Beating:
    """Let many instances beat over few connections, or over one each where they must."""
    with crew() as workers:
        size, how = _instances(place, plan, workers, bare=False)
        due = size / plan.interval
        return _measured(place, plan, list(workers), workers, (size, how, False, due))


def bare_instances(place: Place, plan: Plan) -> float:
    """Let the bare client beat in our place; returns seconds of processor time of a beat."""
    with crew() as workers:
        _instances(place, plan, workers, bare=True)
        for worker in workers:
            worker.wait("joined")
        before = _beats(workers)
        time.sleep(min(plan.seconds, ROUNDS * plan.interval))
        after = _beats(workers)
    return (after["processor"] - before["processor"]) / (after["beats"] - before["beats"])


def _instances(place: Place, plan: Plan, workers: list[Worker], *, bare: bool) -> tuple[int, str]:
    """Start those who beat; returns how many instances there are, in words too."""
    group, core = "load-bare" if bare else "load-instances", plan.core()
    if place.one_life:
        size = drivers = min(plan.instances, plan.sessions)
        how = f"{size:,} instances with a session each"
    else:
        size = plan.instances
        drivers = max(1, min(plan.connections // place.connections, size))
        how = f"{size:,} instances over {drivers * place.connections:,} connections"
    counts = _parts(size, drivers)
    processes = min(plan.processes, drivers)
    for number in range(processes):
        told = {"prefix": f"alone-{number}", "share": number / drivers, "bare": bare}
        counted = {"counts": counts[number::processes]}
        workers.append(Worker("instances", place, group, core, **told, **counted))
    return size, f"{how} of {_processes(processes)}"


def _measured(
    place: Place,
    plan: Plan,
    fleet: Sequence[Worker],
    workers: list[Worker],
    what: tuple[int, str, bool, float],
) -> Beating:
    size, how, rests, due = what
    group, core = fleet[0].group, plan.core()
    lister = Worker("listing", place, group, core)
    watcher = Worker("watching", place, group, core)
    workers += [lister, watcher]
    for worker in fleet:
        worker.wait("joined")
    until = time.monotonic() + PATIENCE
    while (seen := lister.ask("list", "members")["up"]) < size:
        if time.monotonic() > until:
            raise RuntimeError(f"of {size:,} members only {seen:,} are up after {PATIENCE:g} s")
        time.sleep(0.2)
    watcher.wait("ready")

    before, listed = _beats(fleet), len(lister.heard("members"))
    store, _ = _of_store(place), place.writes()
    begin = time.monotonic()
    while (left := begin + plan.seconds - time.monotonic()) > 0:
        lister.ask("list", "members")
        time.sleep(max(0.0, min(left, plan.pause)))
    after = _beats(fleet)
    writes, seconds = place.writes(), time.monotonic() - begin
    store_after = _of_store(place)

    looks = lister.heard("members")[listed:]
    down = {one for look in looks for one in look["down"]}
    down |= {one["down"] for one in watcher.heard("at") if "down" in one}
    return Beating(
        size,
        how,
        rests,
        due,
        (after["beats"] - before["beats"]) / seconds,
        after["late"],
        int(after["failed"]),
        statistics.median(one["verdicts_took"] for one in looks),
        statistics.median(one["listing_took"] for one in looks),
        (after["processor"] - before["processor"]) / seconds,
        None if store is None or store_after is None else (store_after - store) / seconds,
        len(down),
        len(watcher.heard("unknown")),
        None if writes is None else writes / seconds,
    )


def _beats(fleet: Sequence[Worker]) -> dict[str, float]:
    said = [worker.ask("tell", "beats") for worker in fleet]
    return {
        "beats": sum(one["beats"] for one in said),
        "failed": sum(one["failed"] for one in said),
        "processor": sum(one["processor"] for one in said),
        "late": max(one["late"] for one in said),
    }


def _of_store(place: Place) -> float | None:
    return None if place.server is None else cpu.used(place.server)


def _processes(count: int) -> str:
    return f"{count:,} process{'es' * (count != 1)}"


def _parts(whole: int, count: int) -> list[int]:
    return [whole // count + (number < whole % count) for number in range(min(count, whole))]
