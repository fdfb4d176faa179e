"""A process of the fleet that holds many members: joins them, and beats until its input ends."""

from __future__ import annotations

import time
from typing import Any

import servicegroup
from benchmarks.load import program
from benchmarks.places import ATTRIBUTES
from servicegroup import loading
from servicegroup.driver import Driver


class Count:
    """Counts beats that were stored, in passing."""

    def __init__(self, kind: type[Driver]) -> None:
        self.beats = 0
        beat = kind.heartbeat

        def counted(driver: Driver, instance_id: str, members: Any) -> Any:
            lost = beat(driver, instance_id, members)
            self.beats += 1
            return lost

        setattr(kind, "heartbeat", counted)  # noqa: B010


def main() -> None:
    """Join, and tell when asked how many beats there were."""
    task = program.task()
    count = Count(loading.load(task.place.driver))
    with servicegroup.ServiceGroup(task.configuration()) as group:
        joined = [
            group.join(task.group, member_id, attributes=ATTRIBUTES, wait=False)
            for member_id in names(task.told["prefix"], task.told["count"])
        ]
        program.say(joined=len(joined))
        for _ in program.orders():
            program.say(beats=count.beats, failed=0, late=0.0, processor=time.process_time())


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number:05d}" for number in range(count)]


if __name__ == "__main__":
    main()
