"""Schedules for as long as told, from where the seed file says that the last run ended."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faults.laboratory.drawing import schedules
from faults.laboratory.schedule import Schedule
from faults.laboratory.stores import opened
from faults.laboratory.trial import Violated, attempt
from faults.laboratory.troupe import Troupe
from hypothesis import HealthCheck, Phase, given, seed, settings
from servers.home import Home

#: Schedules that are drawn from one seed. Hypothesis begins with the plainest one every time.
DRAWN = 10


class Account:
    """What was tried with one kind of store so far, kept in a file."""

    def __init__(self, path: Path, kind: str) -> None:
        self._path = path
        self._all: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
        fresh = {"seed": 1, "schedules": 0, "seconds": 0.0, "false_downs": 0, "failures": []}
        self.of_kind = self._all.setdefault(kind, fresh)

    def save(self) -> None:
        """Write it down."""
        self._path.write_text(json.dumps(self._all, indent=1) + "\n")


def drawn(kind: str, number: int) -> Iterator[Schedule]:
    """Draw the schedules of one seed; always the same ones."""
    found: list[Schedule] = []

    @seed(number)
    @settings(
        max_examples=DRAWN,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(schedules(kind))
    def take(schedule: Schedule) -> None:
        found.append(schedule._replace(seed=f"{number}.{len(found)}"))

    take()
    yield from found[1:]


def soak(kind: str, minutes: float, account: Account, failures: Path) -> int:
    """Try schedules for *minutes*; returns how many showed a violation."""
    until = time.monotonic() + 60.0 * minutes
    so_far, violated = account.of_kind, 0
    with Home() as home, opened(kind, home) as store, Troupe() as troupe:
        while time.monotonic() < until:
            for schedule in drawn(kind, so_far["seed"]):
                if time.monotonic() >= until:
                    break
                began = time.monotonic()
                try:
                    attempt(schedule, store, troupe, failures)
                except Violated as error:
                    violated += 1
                    so_far["false_downs"] += error.false_downs
                    so_far["failures"].append(str(_keep(schedule, failures)))
                    print(error)
                so_far["schedules"] += 1
                so_far["seconds"] += round(time.monotonic() - began, 1)
                account.save()
            else:
                so_far["seed"] += 1
                account.save()
            print(
                f"{kind}: {so_far['schedules']} schedules in all, "
                f"{len(so_far['failures'])} with violations, {so_far['false_downs']} false downs",
                flush=True,
            )
    return violated


def _keep(schedule: Schedule, failures: Path) -> Path:
    path = failures / f"{schedule.driver}-{schedule.seed}.json"
    path.write_text(schedule.text())
    return path
