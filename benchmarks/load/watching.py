"""An observer with a watch on the group: says at which moment it was told of whom what."""

from __future__ import annotations

import threading

import servicegroup
from benchmarks.load import program
from servicegroup import EventType, State
from servicegroup.clock import boottime


def main() -> None:
    """Tell what the watch tells, until the input ends."""
    task = program.task()
    with (
        servicegroup.ServiceGroup(task.configuration()) as group,
        group.watch(task.group) as watch,
    ):
        threading.Thread(target=_until_the_end, args=(watch,), daemon=True).start()
        members = 0
        for event in watch:
            at = boottime()
            members += event.type is EventType.JOINED
            if event.type is EventType.READY:
                program.say(ready=members)
            if event.status is None:
                continue
            if event.status.state is State.DOWN and event.type is not EventType.LEFT:
                program.say(down=event.member_id, at=at, why=event.status.reason)
            elif event.type is EventType.UNKNOWN:
                program.say(unknown=event.member_id, at=at)


def _until_the_end(watch: servicegroup.Watch) -> None:
    for _ in program.orders():
        pass
    watch.close()


if __name__ == "__main__":
    main()
