"""The judgement: the only place that decides whether a member is up. Pure functions.

Its rules come from three sources: the control plane specification (the verdict is the service
record's liveness *and* the driver's), Nova's database driver (the boundary), and the witness rule
of doc/decisions/0002, which keeps a store's own outage from looking like the death of its members.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from servicegroup.model import EndKind, Record, Sighting, State
from servicegroup.status import Cause, Liveness, wall_time

#: Without a witness, seconds beyond the limit for which silence is not believed: longer than any
#: failover, restore or clock correction that we want to survive (doc/decisions/0002).
UNWITNESSED_PATIENCE = 900.0


#: What the class itself would do, in half the time.
_made = tuple.__new__


class Limits(NamedTuple):
    """What is judged by, in seconds; *driver* is the name for the reason's words."""

    service_down_time: float
    record_down_time: float
    driver: str = "the store"


class Witness(NamedTuple):
    """Whether somebody was heard throughout the last limit, in the driver's store and the records.

    One such witness shows that the store took beats all the while, so that a silent member is
    itself silent.
    """

    driver: bool = True
    records: bool = True


def within(age: float, limit: float) -> bool:
    """Whether a sign of life *age* seconds old still counts.

    The boundary is closed: exactly *limit* old is up (Nova's database driver compares with ``<=``
    and operators rely on it).
    """
    return age <= limit


def silence(age: float, limit: float, *, witnessed: bool) -> State:
    """Judge an age alone: up within *limit*, down beyond it if the silence can be believed.

    Without a witness it is believed only after twice the limit, and never sooner than
    ``UNWITNESSED_PATIENCE`` seconds beyond it.
    """
    if within(age, limit):
        return State.UP
    if witnessed or age > limit + max(limit, UNWITNESSED_PATIENCE):
        return State.DOWN
    return State.UNKNOWN


def judge(
    record: Record | None, sighting: Sighting | None, witness: Witness, limits: Limits
) -> Liveness:
    """Return the verdict on one member.

    In this order: the operator's word; evidence of an end; then the age of the driver's sign of
    life and the age of the record's, of which either alone makes the member down.

    :param record: its service record, or ``None`` where there is none or records are not in use
    :param sighting: what the driver knows, or ``None`` if the driver knows no such member
    """
    if record is not None and record.forced_down:
        return Liveness(State.DOWN, Cause.FORCED, detail=_forced(record))
    if sighting is None:
        return _absent(record)
    if sighting.ended is not None:
        return _ended(sighting, record)
    age, limit = sighting.age, limits.service_down_time
    state = State.UP if age is None else silence(age, limit, witnessed=witness.driver)
    if state is State.DOWN and age is not None:
        return Liveness(State.DOWN, Cause.SILENT, age, age - limit, limit)
    if record is not None and record.age is not None:
        record_limit = limits.record_down_time
        recorded = silence(record.age, record_limit, witnessed=witness.records)
        if recorded is State.DOWN:
            since = record.age - record_limit
            return Liveness(
                State.DOWN, Cause.RECORD_SILENT, record.age, since, record_limit, limits.driver
            )
        if recorded is State.UNKNOWN:
            return Liveness(recorded, Cause.UNWITNESSED, record.age, None, record_limit)
    if state is State.UNKNOWN:
        return Liveness(state, Cause.UNWITNESSED, age, None, limit)
    cause = Cause.PRESENT if age is None else Cause.BEATS
    return Liveness(State.UP, cause, age, sighting.since, limit)


def verdicts(sightings: Iterable[Sighting], witness: Witness, limits: Limits) -> Iterator[Liveness]:
    """Yield the verdict of :func:`judge` on each of many members, with its own record.

    Nearly all of them are up and there is nothing else to say: these take half the time here.
    """
    limit = limits.service_down_time
    up, present, beats = State.UP, Cause.PRESENT, Cause.BEATS
    for sighting in sightings:
        _, age, ended, since, record = sighting
        plain = record is None or (record.age is None and not record.forced_down)
        if ended is None and plain and (age is None or within(age, limit)):
            cause = present if age is None else beats
            yield _made(Liveness, (up, cause, age, since, limit, "", None))
        else:
            yield judge(record, sighting, witness, limits)


def states(
    ages: Mapping[str, float | None],
    others: Iterable[Sighting],
    witness: Witness,
    limits: Limits,
) -> dict[str, State]:
    """Return the verdict of :func:`judge` on each member of a whole group, and nothing else.

    :param ages: {member id: age} of those that only their age speaks for or against
    :param others: all others
    """
    limit = limits.service_down_time
    verdicts = dict.fromkeys(ages, State.UP)
    oldest = max(filter(None, ages.values()), default=0.0)
    if not within(oldest, limit):
        for member_id, age in ages.items():
            if age is not None:
                verdicts[member_id] = silence(age, limit, witnessed=witness.driver)
    for sighting in others:
        verdict = judge(sighting.record, sighting, witness, limits)
        verdicts[sighting.member.member_id] = verdict.state
    return verdicts


def _absent(record: Record | None) -> Liveness:
    if record is None:
        return Liveness(State.DOWN, Cause.NO_MEMBER)
    if record.left_at is not None:
        return Liveness(State.DOWN, Cause.LEFT, detail=f" at {wall_time(record.left_at)}")
    return Liveness(State.DOWN, Cause.NOT_JOINED)


def _ended(sighting: Sighting, record: Record | None) -> Liveness:
    ended = sighting.ended
    assert ended is not None
    if ended.kind is EndKind.VANISHED:
        return Liveness(State.UNKNOWN, Cause.VANISHED, detail=ended.reason)
    detail = ended.reason
    if ended.kind is EndKind.LEFT:
        left_at = record.left_at if record is not None else None
        detail = "" if left_at is None else f" at {wall_time(left_at)}"
        cause = Cause.LEFT
    else:
        cause = Cause.WITHDRAWN if ended.kind is EndKind.WITHDRAWN else Cause.ENDED
    return Liveness(State.DOWN, cause, sighting.age, ended.age, detail=detail)


def _forced(record: Record) -> str:
    when = "" if record.forced_down_at is None else f" at {wall_time(record.forced_down_at)}"
    return when + (f": {record.forced_down_reason}" if record.forced_down_reason else "")
