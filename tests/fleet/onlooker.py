"""Asking about a group without pause, by every way there is, and keeping all that was answered."""

import threading
import time
from typing import NamedTuple

from servicegroup import (
    DriverUnavailable,
    EventType,
    LivenessUnknown,
    ServiceGroup,
    State,
)

#: Seconds between two questions of one kind.
PACE = 0.05


class Answer(NamedTuple):
    """One verdict: when (monotonic), by which way, on whom, and why."""

    at: float
    way: str
    member_id: str
    state: State
    reason: str = ""


class Onlooker:
    """Asks by query and by watch from several threads until closed."""

    def __init__(self, group: ServiceGroup, group_id: str, member_ids: list[str]) -> None:
        self._group = group
        self._group_id = group_id
        self._member_ids = member_ids
        self._watch = group.watch(group_id)
        self.events: list[tuple[EventType, str | None]] = []
        self._answers: list[Answer] = []
        self._failures: list[BaseException] = []
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(work,), daemon=True)
            for work in (self._list, self._single, self._view, self._follow)
        ]
        for thread in self._threads:
            thread.start()

    def verdicts(self, member_id: str, since: float = 0.0) -> list[Answer]:
        """All that was answered on one member after a moment (monotonic)."""
        return [one for one in self._answers if one.member_id == member_id and one.at >= since]

    def states(self, member_id: str, since: float = 0.0) -> set[State]:
        """Which verdicts were given on one member after a moment."""
        return {one.state for one in self.verdicts(member_id, since)}

    def latest(self, member_id: str) -> set[State]:
        """The last verdict of each way on one member."""
        return set({one.way: one.state for one in self.verdicts(member_id)}.values())

    def told(self, member_id: str | None) -> list[EventType]:
        """Which events the watch told of one member (``None``: of the whole group)."""
        return [kind for kind, who in self.events if who == member_id]

    def close(self) -> None:
        """Stop asking; raises what no onlooker should ever meet."""
        self._closed.set()
        self._watch.close()
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def _run(self, work) -> None:  # type: ignore[no-untyped-def]
        try:
            while not self._closed.is_set():
                work()
                self._closed.wait(PACE)
        except BaseException as error:  # noqa: BLE001 - raised when closed
            self._failures.append(error)

    def _note(self, way: str, member_id: str, state: State, reason: str = "") -> None:
        self._answers.append(Answer(time.monotonic(), way, member_id, state, reason))

    def _list(self) -> None:
        try:
            statuses = self._group.get_members(self._group_id)
        except DriverUnavailable as error:
            for member_id in self._member_ids:
                self._note("get_members", member_id, State.UNKNOWN, str(error))
            return
        for status in statuses:
            self._note("get_members", status.member_id, status.state, status.reason)

    def _single(self) -> None:
        for member_id in self._member_ids:
            verdict = self._group.liveness(self._group_id, member_id)
            self._note("liveness", member_id, verdict.state, verdict.reason)
            try:
                up = self._group.is_up(self._group_id, member_id)
            except (DriverUnavailable, LivenessUnknown) as error:
                self._note("is_up", member_id, State.UNKNOWN, str(error))
            else:
                self._note("is_up", member_id, State.UP if up else State.DOWN)

    def _view(self) -> None:
        for status in self._watch.members:
            self._note("watch.members", status.member_id, status.state, status.reason)
        for member_id in self._member_ids:
            verdict = self._watch.liveness(member_id)
            self._note("watch.liveness", member_id, verdict.state, verdict.reason)
            try:
                up = self._watch.is_up(member_id)
            except LivenessUnknown as error:
                self._note("watch.is_up", member_id, State.UNKNOWN, str(error))
            else:
                self._note("watch.is_up", member_id, State.UP if up else State.DOWN)

    def _follow(self) -> None:
        event = self._watch.next_event(0.2)
        if event is not None:
            self.events.append((event.type, event.member_id))
