"""The difference between two sights of one member, as events. Pure, and the only place."""

from __future__ import annotations

from servicegroup.model import EventType, Record, State
from servicegroup.status import Event, MemberStatus

_BY_STATE = {
    State.UP: EventType.UP,
    State.DOWN: EventType.DOWN,
    State.UNKNOWN: EventType.UNKNOWN,
}


def diff(before: MemberStatus | None, after: MemberStatus | None) -> list[Event]:
    """Return what a consumer who saw *before* must be told to know *after*, in order.

    ``None`` means "not a member". A new life under the same id, other attributes, another number of
    workers or another word of the operator is CHANGED, ahead of the change of state that may come
    with it; ages and reasons that merely move are no event.
    """
    if before is None:
        return [] if after is None else [_event(EventType.JOINED, after, None)]
    if after is None:
        return [_event(EventType.LEFT, before, before)]
    events = []
    if _description(before) != _description(after):
        events.append(_event(EventType.CHANGED, after, before))
    if before.state is not after.state:
        events.append(_event(_BY_STATE[after.state], after, before))
    return events


def changed(before: MemberStatus, after: MemberStatus) -> bool:
    """Whether :func:`diff` of the two would hold any event."""
    return before.state is not after.state or _description(before) != _description(after)


def _event(kind: EventType, status: MemberStatus, previous: MemberStatus | None) -> Event:
    return Event(kind, status.group_id, status.member_id, status, previous)


def _description(status: MemberStatus) -> tuple[object, ...]:
    # Incarnation and revision stand for the attributes; comparing those would cost a deep walk.
    member = status.member
    life = (member.instance_id, member.incarnation, member.revision)
    return (*life, status.liveness.workers, *_word(status.record))


def _word(record: Record | None) -> tuple[object, ...]:
    """What the operator said; the record's uuid tells a record made anew from the old one."""
    if record is None:
        return ()
    return (
        record.uuid,
        record.disabled,
        record.disabled_reason,
        record.forced_down,
        record.forced_down_reason,
    )
