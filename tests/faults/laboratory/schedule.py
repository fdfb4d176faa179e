"""Schedules of faults: plain data, kept in files that can be replayed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

FORMAT = 1

#: {process: members that it joins at the start}; all processes but the keeper can be faulted.
PROCESSES = {"p0": ("a", "b"), "p1": ("c", "d"), "p2": ("e",)}
MEMBERS = tuple(member for members in PROCESSES.values() for member in members)
OBSERVERS = ("o0", "o1")
#: Beats all the while, and does what operators do.
KEEPER = "keeper"


class Step(NamedTuple):
    """One fault: *at* seconds after the fleet was complete; *args* depend on the fault."""

    at: float
    fault: str
    target: str
    args: Mapping[str, Any] = {}


class Schedule(NamedTuple):
    """What befalls one fleet.

    ``skews``: {process or observer: seconds by which its wall clock is wrong}. ``defect``: the name
    of a deliberate defect of the library, to see whether it is caught. ``guardian``: whether the
    processes run with one.
    """

    driver: str
    steps: tuple[Step, ...]
    skews: Mapping[str, float] = {}
    seed: str = ""
    defect: str | None = None
    guardian: bool = False

    def text(self) -> str:
        """Write it as JSON, one step a line."""
        head = {**self._asdict(), "format": FORMAT}
        del head["steps"]
        lines = ",\n  ".join(json.dumps(step._asdict()) for step in self.steps)
        return f'{json.dumps(head)[:-1]},\n "steps": [\n  {lines}\n ]}}\n'


def parsed(text: str) -> Schedule:
    """Read what :meth:`Schedule.text` wrote.

    :raises ValueError: it is of another format
    """
    values = json.loads(text)
    if values.pop("format", None) != FORMAT:
        raise ValueError(f"not a schedule of format {FORMAT}")
    steps = tuple(Step(**step) for step in values.pop("steps"))
    return Schedule(steps=steps, **values)


def load(path: Path) -> Schedule:
    """Read a schedule from a file."""
    return parsed(path.read_text())
