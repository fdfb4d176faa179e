"""What a watch knows of a group, and what its consumer has been told of it.

There is no queue of events: the consumer's copy and the current picture are kept, and an event is
made when it is fetched. A slow consumer therefore gets an honest path of its own copy, in bounded
memory: what came and went meanwhile is not told, a change of life always is.
"""

from __future__ import annotations

import collections
import enum
from collections.abc import Collection, Iterable
from typing import NamedTuple

from servicegroup.diff import changed, diff
from servicegroup.model import EventType, Member, State
from servicegroup.status import Cause, Event, Liveness, MemberStatus

#: What ``_replace`` would do, in a quarter of the time: a view has tens of thousands of members.
_made = tuple.__new__


class _Mark(enum.Enum):
    READY = "ready"
    CONTACT = "contact"


class Seen(NamedTuple):
    """A judged member; when its sign of life was given, and its state began, by our own clock."""

    status: MemberStatus
    heard_at: float
    since_at: float | None


class Picture:
    """One group in memory. Not locked: the watch holds its lock around every call."""

    def __init__(self, group_id: str, limit: float) -> None:
        self.group_id = group_id
        #: Members without a verdict: worth another look soon.
        self.unsure: set[str] = set()
        #: {member id: True (up), False (down) or None (unknown)}; the watch's fast path reads it.
        self.up: dict[str, bool | None] = {}
        self._current: dict[str, Seen] = {}
        self._vanished: dict[str, float] = {}
        self._limit = limit
        self._earliest = float("inf")  # nobody who is up expires before that; maybe too early
        self._told: dict[str, MemberStatus] = {}
        self._told_stale = False
        self._stale: str | None = None
        self._pending: dict[str | _Mark, None] = {}
        self._out: collections.deque[Event] = collections.deque()

    def known(self, member_ids: Collection[str] | None) -> dict[str, Member]:
        """Members as held, for the driver to leave out what it need not read again."""
        current = self._current
        if member_ids is None:
            return {member_id: seen.status.member for member_id, seen in current.items()}
        return {key: current[key].status.member for key in member_ids if key in current}

    def replace(self, statuses: Iterable[MemberStatus], now: float) -> None:
        """Take in a look at the whole group, made at *now*."""
        self._earliest = float("inf")
        seen = self.merge(statuses, now)
        self._missing(self._current.keys() - seen, now)

    def merge(
        self, statuses: Iterable[MemberStatus], now: float, asked: Collection[str] = ()
    ) -> set[str]:
        """Take in a look at some members; those *asked* for and not found are missing."""
        seen = set()
        for status in statuses:
            seen.add(status.member_id)
            if status.liveness.cause is Cause.LEFT:
                self._remove(status.member_id)
            else:
                self._vanished.pop(status.member_id, None)
                self._put(status, now)
        if asked:
            self._missing((set(asked) - seen) & self._current.keys(), now)
        return seen

    def mark_ready(self) -> None:
        """Tell READY after what is told by now."""
        self._pending[_Mark.READY] = None

    def mark_contact(self, stale: str | None) -> None:
        """Tell STALE with the reason *stale*, or FRESH; what changes to and fro is not told."""
        if (stale is None) != (self._stale is None):
            self._pending[_Mark.CONTACT] = None
        self._stale = stale

    def next_event(self) -> Event | None:
        """Return the next thing to tell, and count it as told."""
        while not self._out and self._pending:
            token = next(iter(self._pending))
            del self._pending[token]
            self._tell(token)
        return self._out.popleft() if self._out else None

    def statuses(self, now: float) -> list[MemberStatus]:
        """All members as of *now*, with their ages grown since the last look."""
        return [self._aged(seen, now) for seen in self._current.values()]

    def status(self, member_id: str, now: float) -> MemberStatus | None:
        """One member as of *now*; ``None`` if there is no such member."""
        seen = self._current.get(member_id)
        return None if seen is None else self._aged(seen, now)

    def due(self, until: float) -> list[str]:
        """Members that will not be up any more at *until* unless they beat."""
        if self._earliest >= until:
            return []
        ages = {key: seen.heard_at for key, seen in self._current.items() if _expires(seen)}
        self._earliest = min(ages.values(), default=float("inf")) + self._limit
        return [key for key, heard_at in ages.items() if heard_at + self._limit < until]

    def next_expiry(self) -> float:
        """When the first member that is up would go down without another beat, or before that.

        Too early where that one was heard or is gone meanwhile; exact after :meth:`due`.
        """
        return self._earliest

    def _put(self, status: MemberStatus, now: float) -> None:
        member_id, age = status.member_id, status.liveness.age
        before = self._current.get(member_id)
        heard_at = now if age is None else now - age
        if before is not None and _same_silence(before, status, heard_at):
            # A witness made it believed, and it stays so when the witness is gone.
            verdict = before.status.liveness
            since = None if age is None else age - verdict.limit
            status = status._replace(liveness=verdict._replace(age=age, since=since))
        if age is not None and heard_at + self._limit < self._earliest and status.is_up:
            self._earliest = heard_at + self._limit
        since = status.liveness.since
        since_at = None if since is None else now - since
        if before is not None and not changed(before.status, status):
            if _same_words(before.status.liveness, status.liveness):
                status = before.status  # the one that was told: kept once
            self._current[member_id] = Seen(status, heard_at, since_at)
            return
        self._current[member_id] = Seen(status, heard_at, since_at)
        self._pending[member_id] = None
        unsure = status.state is State.UNKNOWN
        self.up[member_id] = None if unsure else status.is_up
        (self.unsure.add if unsure else self.unsure.discard)(member_id)

    def _remove(self, member_id: str) -> None:
        self._vanished.pop(member_id, None)
        if self._current.pop(member_id, None) is not None:
            del self.up[member_id]
            self.unsure.discard(member_id)
            self._pending[member_id] = None

    def _missing(self, member_ids: Collection[str], now: float) -> None:
        """Members no longer in the store, without evidence: unknown for a while, then LEFT."""
        for member_id in member_ids:
            since = self._vanished.setdefault(member_id, now)
            if now - since > self._limit:
                self._remove(member_id)
                continue
            seen = self._current[member_id]
            verdict = Liveness(State.UNKNOWN, Cause.VANISHED, since=now - since)
            self._put(seen.status._replace(liveness=verdict), now)

    def _tell(self, token: str | _Mark) -> None:
        if token is _Mark.READY:
            self._out.append(Event(EventType.READY, self.group_id))
        elif token is _Mark.CONTACT:
            stale = self._stale is not None
            if stale is not self._told_stale:
                self._told_stale = stale
                kind = EventType.STALE if stale else EventType.FRESH
                self._out.append(Event(kind, self.group_id, reason=self._stale or ""))
        else:
            assert isinstance(token, str)
            seen = self._current.get(token)
            after = None if seen is None else seen.status
            self._out.extend(diff(self._told.get(token), after))
            if after is None:
                self._told.pop(token, None)
            else:
                self._told[token] = after

    @staticmethod
    def _aged(seen: Seen, now: float) -> MemberStatus:
        (member, verdict, record), heard_at, since_at = seen
        state, cause, age, _, *rest = verdict
        age = None if age is None else now - heard_at
        since = None if since_at is None else now - since_at
        aged = _made(Liveness, (state, cause, age, since, *rest))
        return _made(MemberStatus, (member, aged, record))


def _expires(seen: Seen) -> bool:
    verdict = seen.status.liveness
    return verdict.age is not None and verdict.is_up


def _same_words(was: Liveness, verdict: Liveness) -> bool:
    """Whether only times tell two verdicts of one state apart."""
    return (
        was.cause is verdict.cause
        and was.detail == verdict.detail
        and (was.age is None) is (verdict.age is None)
    )


def _same_silence(before: Seen, status: MemberStatus, heard_at: float) -> bool:
    """Whether a member that was called down for its silence is still in that same silence."""
    was, verdict = before.status.liveness, status.liveness
    return (
        was.cause in (Cause.SILENT, Cause.RECORD_SILENT)
        and verdict.cause is Cause.UNWITNESSED
        and verdict.limit == was.limit
        and status.member.instance_id == before.status.member.instance_id
        and heard_at - before.heard_at < was.limit / 2  # a beat would have moved it by a limit
    )
