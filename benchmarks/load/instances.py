"""A process that beats for many instances of one member each, over a few connections.

It does so with our driver, or to compare with the bare client in its place.

Each thread has a driver, and so a connection, of its own; it beats for its instances in a row, once
an interval, and no two threads begin at the same moment.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable

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
        self._place, self._bare = task.place, task.told["bare"]
        self._beat: Callable[[Member], object] = self._ours
        self._closing = contextlib.ExitStack()
        self._interval = task.told["core"]["report_interval"]
        self._door, own = task.place.process(task.configuration())
        self._closing.callback(self._door.stop)
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
        self.begin_at = 0.0
        self.opened, self.go = threading.Event(), threading.Event()

    def join_members(self) -> None:
        """Store all members."""
        self._members = self._door.join(self._members)

    def _open(self) -> None:
        """Open the connection for beats; some may be used by the thread alone that opened them."""
        if self._bare:
            self._door.stop()
            client, *_ = self._place.rivals()
            self._closing.callback(client.close)
            beat = getattr(client, "beat")  # noqa: B009
            self._beat = lambda member: beat(member.instance_id)
        self._try(self._members[0])

    def run(self) -> None:
        with self._closing:
            try:
                self._open()
            finally:
                self.opened.set()
            self.go.wait()
            self._beat_on()

    def _beat_on(self) -> None:
        due = self.begin_at
        while not self._over.wait(max(0.0, due - boottime())):
            for member in self._members:
                self._try(member)
            due += self._interval
            self.late = max(self.late, boottime() - due)

    def _try(self, member: Member) -> None:
        try:
            self._beat(member)
        except DriverUnavailable:  # whoever is not heard for long is called down, and rightly so
            self.failed += 1
        else:
            self.beats += 1

    def close(self) -> None:
        """End the thread and its connection."""
        self.go.set()
        if self.is_alive():
            self.join()
        else:
            self._closing.close()

    def _ours(self, member: Member) -> object:
        return self._door.heartbeat(member.instance_id, [member])


def main() -> None:
    """Join, beat, and tell when asked how many beats there were."""
    task = program.task()
    over = threading.Event()
    counts = task.told["counts"]
    beaters = [Beater(task, number, count, over) for number, count in enumerate(counts)]
    try:
        for beater in beaters:
            beater.join_members()
            beater.start()
        for beater in beaters:
            beater.opened.wait()
        interval, share = task.told["core"]["report_interval"], task.told["share"]
        for number, beater in enumerate(beaters):
            beater.begin_at = boottime() + interval * ((number + share) / len(beaters) % 1)
            beater.go.set()
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
