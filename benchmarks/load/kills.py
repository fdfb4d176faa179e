"""Processes are killed, and an observer with a watch says when it was told."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.load.plan import TOLD_WITHIN, Plan
from benchmarks.load.worker import PATIENCE, Worker, crew
from benchmarks.places import Place
from servicegroup.driver import Capability

#: Processes that hold those who live on.
BYSTANDERS = 2


class Kills(NamedTuple):
    """How long after each kill the observer was told; infinite where it never was."""

    guardian: bool
    limit: float
    latencies: Sequence[float]
    false_downs: int
    unknown: int

    def percentile(self, share: float) -> float:
        """Return the time within which that share of all was told."""
        ordered = sorted(self.latencies)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def kills(place: Place, plan: Plan, *, guardian: bool) -> Kills:
    """Kill as many as planned, each at a random moment."""
    group = "load-guarded" if guardian else "load-unguarded"
    core = plan.core(short=not guardian, guardian=guardian)
    silent = core["service_down_time"]
    limit = _limit(place, plan, guardian=guardian)
    with crew() as workers:
        half = plan.beside // BYSTANDERS
        for number in range(BYSTANDERS):
            told = {"prefix": f"beside-{number}", "count": half}
            workers.append(Worker("members", place, group, core | {"guardian": False}, **told))
        bystanders = list(workers)
        watcher = Worker("watching", place, group, core)
        workers.append(watcher)
        for worker in bystanders:
            worker.wait("joined")
        watcher.wait("ready")
        if not guardian:  # from then on there are witnesses
            time.sleep(silent + core["report_interval"])
        told = {"prefix": "victim", "kills": plan.kills, "at_once": plan.victims}
        victims = Worker("victims", place, group, core, seconds=plan.seconds, **told)
        workers.append(victims)
        victims.wait("done", patience=5 * plan.seconds + PATIENCE)
        killed = {one["killed"]: one["at"] for one in victims.heard("killed")}
        until = time.monotonic() + limit + 10 * TOLD_WITHIN + plan.poll
        while time.monotonic() < until:
            time.sleep(0.05)
            if killed.keys() <= {one["down"] for one in watcher.heard("down")}:
                break
        told_of = watcher.heard("down")
        unknown = len(watcher.heard("unknown"))
    first: dict[str, float] = {}
    false = 0
    for one in told_of:
        if one["at"] < killed.get(one["down"], math.inf):
            false += 1
        else:
            first.setdefault(one["down"], one["at"])
    latencies = [first.get(name, math.inf) - at for name, at in killed.items()]
    return Kills(guardian, limit, latencies, false, unknown)


def _limit(place: Place, plan: Plan, *, guardian: bool) -> float:
    if not guardian:
        return place.told_within(plan.short_down_time, plan.poll) + TOLD_WITHIN
    door, _ = place.process()
    called = Capability.WATCH in door.capabilities
    door.stop()
    return TOLD_WITHIN if called else plan.poll + TOLD_WITHIN
