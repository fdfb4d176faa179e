"""Processor time of one beat on one connection: ours and the bare client's in a loop, in turns.

And the bare client's where it rests between two beats, as a process does that holds many members.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from benchmarks.load import program
from benchmarks.places import ATTRIBUTES
from servicegroup.model import Member

#: Of each way to beat.
TURNS = 4
#: Seconds between two beats: long enough for the caches to be somebody else's.
REST = 0.05


def main() -> None:
    """Beat for as long as told, and tell what a beat took of this process."""
    task = program.task()
    with contextlib.ExitStack() as stack:
        door, life = task.place.process(task.configuration())
        stack.callback(door.stop)
        client, *others = task.place.rivals()
        for one in (client, *others):
            stack.enter_context(contextlib.closing(one))
        member = Member(task.group, "alone", attributes=ATTRIBUTES, instance_id=life)
        joined = door.join([member])
        works: dict[str, Callable[[], object]] = {
            "bare": lambda: getattr(client, "beat")(life),  # noqa: B009
            "ours": lambda: door.heartbeat(life, joined),
        }
        turn = task.told["seconds"] / (2 * TURNS)
        spent = dict.fromkeys(works, 0.0)
        beats = dict.fromkeys(works, 0)
        for _ in range(TURNS):
            for name, work in works.items():
                taken, count = _loop(work, turn)
                spent[name] += taken
                beats[name] += count
        rested = _rested(works["bare"], turn)
        program.say(**{name: spent[name] / beats[name] for name in works}, rested=rested)
        for _ in program.orders():
            pass


def _loop(work: Callable[[], object], seconds: float) -> tuple[float, int]:
    work()  # prepares statements and connections
    until = time.monotonic() + seconds
    begin, count = time.process_time(), 0
    while time.monotonic() < until or not count:
        work()
        count += 1
    return time.process_time() - begin, count


def _rested(work: Callable[[], object], seconds: float) -> float:
    until = time.monotonic() + max(seconds, 4 * REST)
    begin, count = time.process_time(), 0
    while time.monotonic() < until:
        time.sleep(REST)
        work()
        count += 1
    return (time.process_time() - begin) / count


if __name__ == "__main__":
    main()
