"""What consumers are given: a verdict with its reason, a member with its verdict, an event."""

from __future__ import annotations

import enum
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from servicegroup.flaps import Flaps, flapping
from servicegroup.model import EventType, Member, Record, State


class Cause(enum.Enum):
    """Why a verdict is what it is; the value is the sentence, filled in when it is read."""

    BEATS = "last beat {age} ago"
    PRESENT = "present in the store"
    FORCED = "forced down by the operator{detail}"
    ENDED = "{detail}"
    WITHDRAWN = "unhealthy: {detail}"
    LEFT = "left{detail}"
    SILENT = "no beat for {age}, more than {limit}"
    RECORD_SILENT = "beats in {detail}, but its record is {age} old, more than {limit}"
    NOT_JOINED = "has a service record but has not joined"
    NO_MEMBER = "no such member"
    UNWITNESSED = (
        "no beat for {age}, but nobody else was heard throughout it either: the store was silent"
    )
    VANISHED = "no longer in the store, without a trace of leaving"
    UNREACHABLE = "the store did not answer: {detail}"
    STALE = "the view is {age} old: the store could not be read since"


class Liveness(NamedTuple):
    """A verdict on one member. ``reason`` is made when it is read: listings rarely need it.

    ``age``: seconds since the last sign of life that counted. ``since``: seconds that the member
    has been in this state, ``None`` where no store keeps it. ``limit``: the seconds it was judged
    by. ``workers``: how many of the workers that are this member together are up, and how many
    there are.
    """

    state: State
    cause: Cause
    age: float | None = None
    since: float | None = None
    limit: float = 0.0
    detail: str = ""
    workers: tuple[int, int] | None = None

    @property
    def is_up(self) -> bool:
        """Whether the verdict is ``up``; ``unknown`` is not."""
        return self.state is State.UP

    @property
    def heard(self) -> datetime | None:
        """When it was last heard, only to be shown: now where presence is the sign of life.

        By our own wall clock; ``None`` where no store knows.
        """
        ago = 0.0 if self.age is None and self.is_up else self.age
        return None if ago is None else datetime.fromtimestamp(time.time() - ago, UTC)

    @property
    def reason(self) -> str:
        """Why, in one line of words for an operator."""
        words: str = self.cause.value
        limit = in_words(self.limit) if "{limit}" in words else ""
        words = words.format(age=in_words(self.age), limit=limit, detail=self.detail)
        if self.state is State.UP and self.detail:
            words = f"{words} ({self.detail})"
        if self.workers is not None:
            words = f"{words} ({self.workers[0]} of {self.workers[1]} workers up)"
        return words


class MemberStatus(NamedTuple):
    """A member as a listing shows it: who it is, the verdict, and its service record if any."""

    member: Member
    liveness: Liveness
    record: Record | None = None

    @property
    def member_id(self) -> str:
        """The member's id within its group."""
        return self.member.member_id

    @property
    def group_id(self) -> str:
        """The group it belongs to."""
        return self.member.group_id

    @property
    def name(self) -> str:
        """What kind of service it is, such as ``nova-compute``."""
        return self.member.name

    @property
    def hostname(self) -> str:
        """The host it runs on, as the member gave it."""
        return self.member.hostname

    @property
    def process_id(self) -> int:
        """Its process id on that host."""
        return self.member.process_id

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What the member published of itself."""
        return self.member.attributes

    @property
    def created_at(self) -> datetime | None:
        """When it joined, aware, UTC."""
        return self.member.created_at

    @property
    def state(self) -> State:
        """``up``, ``down`` or ``unknown``."""
        return self.liveness.state

    @property
    def is_up(self) -> bool:
        """Whether the verdict is ``up``."""
        return self.liveness.state is State.UP

    @property
    def reason(self) -> str:
        """Why, in words; and that it flaps, if so."""
        flaps = self.flapping
        if flaps is None:
            return self.liveness.reason
        since = wall_time(flaps.since)
        return f"{self.liveness.reason}; flapping: it came back {flaps.times} times since {since}"

    @property
    def flapping(self) -> Flaps | None:
        """How often it came back and since when, if it does so again and again."""
        flaps = self.member.flaps
        return flaps if flapping(flaps, self.liveness.since) else None

    @property
    def uptime(self) -> float | None:
        """Seconds since the last change to up; ``None`` when not up or not known."""
        return self.liveness.since if self.is_up else None

    @property
    def enabled(self) -> bool:
        """Whether the operator lets it take work; a member without a record is enabled."""
        return self.record is None or not self.record.disabled


class Event(NamedTuple):
    """A change in one group as one consumer has seen it.

    ``previous`` is what this consumer was last told of the member, ``None`` for JOINED. READY,
    STALE and FRESH concern the whole watch: ``status`` and ``previous`` are ``None``, and
    ``reason`` says why.
    """

    type: EventType
    group_id: str
    member_id: str | None = None
    status: MemberStatus | None = None
    previous: MemberStatus | None = None
    reason: str = ""


def in_words(seconds: float | None) -> str:
    """Return a duration for people: two units at most, such as ``3 min 5 s``."""
    if seconds is None:
        return "an unknown time"
    if seconds < 10:
        return f"{seconds:.1f} s"
    rest = round(seconds)
    if rest < 60:  # as nearly all ages are
        return f"{rest} s"
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def wall_time(seconds: float) -> str:
    """Return a store's wall time, in seconds since 1970, in ISO 8601 with offset."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
