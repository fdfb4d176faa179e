"""A process that beats for many instances of one member each, over a few connections.

Each thread has a driver, and so a connection, of its own; it beats for its instances in a row, once
an interval, and no two threads begin at the same moment.
"""

from __future__ import annotations

import threading
import time
import uuid

from benchmarks.load import program
from benchmarks.places import ATTRIBUTES
from servicegroup.clock import boottime
from servicegroup.exceptions import DriverUnavailable
from servicegroup.model import Member


class Beater(threading.Thread):
    """One thread with its driver and the instances that it beats for."""

    def __init__(self, task: program.Task, number: int, count: int, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self._over = over
        self._interval = task.told["core"]["report_interval"]
        self._door, own = task.place.process(task.configuration())
        lives = [own] if task.place.one_life else [str(uuid.uuid4()) for _ in range(count)]
        prefix = f"{task.told['prefix']}-{number:03d}"
        self._members = [
            Member(
                task.group,
                f"{prefix}-{index:05d}",
                "nova-compute",
                prefix,
                1,
                attributes=ATTRIBUTES,
                instance_id=life,
            )
            for index, life in enumerate(lives)
        ]
        self.count = len(lives)
        self.beats = self.failed = 0
        self.late = 0.0
        self.begin_at = float("inf")

    def join_members(self) -> None:
        """Store all members."""
        self._members = self._door.join(self._members)

    def run(self) -> None:
        due = self.begin_at
        while not self._over.wait(max(0.0, due - boottime())):
            for member in self._members:
                try:
                    self._door.heartbeat(member.instance_id, [member])
                except DriverUnavailable:
                    self.failed += 1
                else:
                    self.beats += 1
            due += self._interval
            self.late = max(self.late, boottime() - due)

    def close(self) -> None:
        """End the thread and its connection."""
        if self.is_alive():
            self.join()
        self._door.stop()


def main() -> None:
    """Join, beat, and tell when asked how many beats there were."""
    task = program.task()
    over = threading.Event()
    counts = task.told["counts"]
    beaters = [Beater(task, number, count, over) for number, count in enumerate(counts)]
    try:
        for beater in beaters:
            beater.join_members()
        interval, share = task.told["core"]["report_interval"], task.told["share"]
        for number, beater in enumerate(beaters):
            beater.begin_at = boottime() + interval * ((number + share) / len(beaters) % 1)
            beater.start()
        program.say(joined=sum(beater.count for beater in beaters))
        for _ in program.orders():
            program.say(
                beats=sum(beater.beats for beater in beaters),
                failed=sum(beater.failed for beater in beaters),
                late=max(beater.late for beater in beaters),
                processor=time.process_time(),
            )
    finally:
        over.set()
        for beater in beaters:
            beater.close()


if __name__ == "__main__":
    main()
