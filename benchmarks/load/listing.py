"""An observer that lists the group when it is told to: how long that takes, and who is down."""

from __future__ import annotations

import time

import servicegroup
from benchmarks.load import program
from servicegroup import State
from servicegroup.clock import boottime


def main() -> None:
    """List once an order."""
    task = program.task()
    with servicegroup.ServiceGroup(task.configuration()) as group:
        for _ in program.orders():
            begin = time.perf_counter()
            states = group.states(task.group)
            between = time.perf_counter()
            members = group.get_members(task.group)
            taken = time.perf_counter() - between
            down = {one.member_id for one in members if one.state is State.DOWN}
            down |= {one for one, state in states.items() if state is State.DOWN}
            program.say(
                members=len(members),
                up=sum(one.state is State.UP for one in members),
                verdicts_took=between - begin,
                listing_took=taken,
                down=sorted(down),
                at=boottime(),
            )


if __name__ == "__main__":
    main()
