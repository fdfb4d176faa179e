"""An observer: it asks by every way there is, and writes down each answer with its time."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from faults.laboratory.journal import Journal

from servicegroup import (
    DriverUnavailable,
    LivenessUnknown,
    MemberStatus,
    ServiceGroup,
    State,
    Watch,
)
from servicegroup.status import Cause, Event, Liveness

#: Seconds between two questions of one kind.
PACE = 0.08
GONE = "gone"
_GONE = (Cause.LEFT, Cause.NO_MEMBER, Cause.NOT_JOINED)


class Asking:
    """Asks about one group until closed, on a thread for each kind of question."""

    def __init__(
        self, group: ServiceGroup, group_id: str, member_ids: Sequence[str], journal: Journal
    ) -> None:
        self._group = group
        self._group_id = group_id
        self._member_ids = member_ids
        self._journal = journal
        self._closed = threading.Event()
        self._watch: Watch = group.watch(group_id)
        self._threads = [
            threading.Thread(target=self._run, args=(work,), daemon=True)
            for work in (self._query, self._view)
        ]
        self._ear = threading.Thread(target=self._follow, daemon=True)
        for thread in (*self._threads, self._ear):
            thread.start()

    def close(self) -> None:
        """Ask no more; the last view is written down after the last event was taken."""
        self._closed.set()
        for thread in (*self._threads, self._ear):
            thread.join()
        self._drain()
        view = {one.member_id: _described(one) for one in self._watch.members}
        self._journal.note("view", members=view, fresh=self._watch.fresh)
        self._watch.close()

    # -- the threads --------------------------------------------------------------------------

    def _run(self, work: Callable[[], None]) -> None:
        while not self._closed.is_set():
            try:
                work()
            except Exception as error:  # noqa: BLE001 - it is for the judges
                words = f"{type(error).__name__}: {error}"
                self._journal.note("failure", doing=work.__name__, error=words)
            self._closed.wait(PACE)

    def _query(self) -> None:
        begin = time.monotonic()
        try:
            self._listed("get_members", begin, self._group.get_members(self._group_id))
        except DriverUnavailable as error:
            self._unknown("get_members", begin, self._member_ids, str(error))
        begin = time.monotonic()
        try:
            states = self._group.states(self._group_id)
        except DriverUnavailable as error:
            self._unknown("states", begin, self._member_ids, str(error))
        else:
            found = {one: state.value for one, state in states.items()}
            self._answered("states", begin, self._complete(found), {})
        begin = time.monotonic()
        one = random.choice(self._member_ids)
        self._verdict("liveness", begin, one, self._group.liveness(self._group_id, one))

    def _view(self) -> None:
        begin, fresh = time.monotonic(), self._watch.fresh
        members = self._watch.members
        if fresh and self._watch.fresh:  # a stale view need not know who came meanwhile
            self._listed("watch.members", begin, members)
        begin = time.monotonic()
        answers = {}
        for one in self._member_ids:
            try:
                answers[one] = State.UP.value if self._watch.is_up(one) else "not up"
            except LivenessUnknown:
                answers[one] = State.UNKNOWN.value
        self._answered("watch.is_up", begin, answers, {})
        begin = time.monotonic()
        one = random.choice(self._member_ids)
        self._verdict("watch.liveness", begin, one, self._watch.liveness(one))

    def _follow(self) -> None:
        while not self._closed.is_set():
            event = self._watch.next_event(0.1)
            if event is not None:
                self._told(event)

    def _drain(self) -> None:
        while (event := self._watch.next_event(0)) is not None:
            self._told(event)

    # -- what is written down -----------------------------------------------------------------

    def _listed(self, way: str, begin: float, statuses: Iterable[MemberStatus]) -> None:
        found, reasons = {}, {}
        for one in statuses:
            found[one.member_id] = one.state.value
            if not one.is_up:
                reasons[one.member_id] = one.reason
        self._answered(way, begin, self._complete(found), reasons)

    def _complete(self, found: dict[str, str]) -> dict[str, str]:
        return {**dict.fromkeys(self._member_ids, GONE), **found}

    def _verdict(self, way: str, begin: float, member_id: str, verdict: Liveness) -> None:
        state = GONE if verdict.cause in _GONE else verdict.state.value
        self._answered(way, begin, {member_id: state}, {member_id: verdict.reason})

    def _unknown(self, way: str, begin: float, member_ids: Iterable[str], reason: str) -> None:
        states = dict.fromkeys(member_ids, State.UNKNOWN.value)
        self._answered(way, begin, states, dict.fromkeys(states, reason))

    def _answered(
        self, way: str, begin: float, states: dict[str, str], reasons: dict[str, str]
    ) -> None:
        self._journal.note("answer", way=way, begin=begin, states=states, reasons=reasons)

    def _told(self, event: Event) -> None:
        now, before = event.status, event.previous
        self._journal.note(
            "event",
            type=event.type.value,
            member=event.member_id,
            now=None if now is None else _described(now),
            before=None if before is None else _described(before),
        )


def _described(status: MemberStatus) -> dict[str, object]:
    """What of a member makes an event when it changes."""
    member, record = status.member, status.record
    word = None if record is None else [record.uuid, record.disabled, record.forced_down]
    life = [member.instance_id, member.incarnation, member.revision]
    return {"state": status.state.value, "life": life, "word": word}
