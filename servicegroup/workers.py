"""Several worker processes that are one member together: their ids, and one verdict on them all.

In the store each worker is a member with a beat of its own, so none fences another. The worker with
number 0 has the member's own id, and with it the service record that holds the operator's word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from servicegroup.exceptions import InvalidMember
from servicegroup.model import MAX_TEXT, State, check_text
from servicegroup.status import Cause, MemberStatus

#: What stands between a member's id and a worker's number; no other member may have it in its id.
MARK = "#worker-"
#: How many workers one member may have: numbers are below this.
MOST = 128

_WORKER = re.compile(rf"(?s)(.+){MARK}([1-9][0-9]{{0,2}})")
_RANK = {State.UP: 0, State.UNKNOWN: 1, State.DOWN: 2}


def worker_id(member_id: str, number: int) -> str:
    """Return the id under which worker *number* of a member is stored.

    :raises InvalidMember: there can be no worker of that number
    """
    if not isinstance(number, int) or not 0 <= number < MOST:
        raise InvalidMember(f"worker={number!r} must be a number from 0 to {MOST - 1}, or True")
    return f"{member_id}{MARK}{number}" if number else member_id


def place(member_id: str) -> tuple[str, int]:
    """Split a stored id into the member's id and the worker's number; 0 for all others."""
    if MARK not in member_id:
        return member_id, 0
    parts = _WORKER.fullmatch(member_id)
    if parts is None or int(parts[2]) >= MOST:
        return member_id, 0
    return parts[1], int(parts[2])


def family(member_id: str) -> list[str]:
    """Return every id under which a worker of this member may be stored, its own first."""
    ids = (worker_id(member_id, number) for number in range(MOST))
    return [one for one in ids if len(one) <= MAX_TEXT]


def is_worker(member_id: str) -> bool:
    """Whether this is the stored id of a worker other than number 0."""
    return MARK in member_id and place(member_id)[1] > 0


def stored_id(member_id: str, worker: bool | int, seat: Callable[[], int]) -> str:
    """Return the id under which a process is stored that joins as a member, or a worker of it.

    :param worker: False for the member itself, or its number; True for what *seat* returns
    :raises InvalidMember: such an id is kept for workers, or there can be none of that number
    """
    if is_worker(member_id):
        plain, number = place(member_id)
        raise InvalidMember(
            f"member id {member_id!r} is kept for a worker: join({plain!r}, worker={number}), or "
            f"leave {MARK!r} out"
        )
    if worker is False:
        return member_id
    number = seat() if worker is True else worker
    return check_text("worker's id", worker_id(member_id, number))


def fold(statuses: Iterable[MemberStatus]) -> Iterator[MemberStatus]:
    """Yield one status for each member, made of those of its workers; the others as they are."""
    members: dict[tuple[str, str], dict[int, MemberStatus]] = {}
    for status in statuses:
        member_id, number = place(status.member_id)
        members.setdefault((status.group_id, member_id), {})[number] = status
    for (_, member_id), workers in members.items():
        yield workers[0] if workers.keys() == {0} else _together(member_id, workers)


def _together(member_id: str, workers: Mapping[int, MemberStatus]) -> MemberStatus:
    """Judge workers as one: up while any is. The first of the best speaks for them all."""
    first = workers.get(0)
    if first is not None and first.liveness.cause is Cause.FORCED:
        return first
    record = None if first is None else first.record
    in_order = [status for _, status in sorted(workers.items())]
    here = [status for status in in_order if status.liveness.cause is not Cause.LEFT]
    best = min(here or in_order, key=lambda status: _RANK[status.state])
    up = sum(status.is_up for status in here)
    verdict = best.liveness._replace(workers=(up, len(here)) if here else None)
    sinces = [one.liveness.since for one in here if one.state is best.state]
    known = [since for since in sinces if since is not None]
    if known:  # up since the first of them came up, down since the last of them went down
        verdict = verdict._replace(since=max(known) if best.is_up else min(known))
    return MemberStatus(best.member._replace(member_id=member_id), verdict, record)
