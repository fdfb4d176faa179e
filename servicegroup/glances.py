"""Questions about members one by one: each asked of the store, or many of one look at a group."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import NamedTuple

from servicegroup.clock import boottime
from servicegroup.exceptions import DriverUnavailable, ServiceGroupError
from servicegroup.observer import Observer
from servicegroup.status import Liveness


class Glance(NamedTuple):
    """What one look found, or that the store did not answer it; times by our own clock."""

    begun: float
    ended: float
    verdicts: Mapping[str, Liveness]
    error: DriverUnavailable | None = None

    def holds(self, now: float, max_age: float) -> bool:
        """Whether it still answers; a failure holds for as long as it took, too.

        So who asks for a thousand members does not wait a thousand times for a store that hangs.
        """
        if self.error is not None:
            return now - self.ended <= max(max_age, self.ended - self.begun)
        return now - self.begun <= max_age


class Glances:
    """Answers, and keeps the last look at each group.

    Usable from any thread; of several that ask for the same group at a time, one looks.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._last: dict[str, Glance] = {}
        self._looking: dict[str, threading.Lock] = {}

    def verdict(
        self, group_id: str, member_id: str, max_age: float, *, counted: bool = True
    ) -> Liveness | None:
        """Return the verdict on a member, at most *max_age* seconds old; ``None``: no such member.

        Whom a look at the group does not list is asked for alone: a single worker, who left, or
        nobody.

        :param counted: with False its workers may be left out of a look at it alone
        :raises DriverUnavailable: the store did not answer
        :raises ServiceGroupError: *max_age* is no time
        """
        if not max_age >= 0:
            raise ServiceGroupError(f"max_age={max_age!r} must be a number of seconds, 0 or more")
        if max_age > 0:
            found = self._glance(group_id, max_age).verdicts.get(member_id)
            if found is not None:
                return found
        status = self._observer.one(group_id, member_id, counted=counted, attributes=False)
        return None if status is None else status.liveness

    def _glance(self, group_id: str, max_age: float) -> Glance:
        last, asked = self._last.get(group_id), boottime()
        if last is None or not last.holds(asked, max_age):
            with self._looking.setdefault(group_id, threading.Lock()):
                last = self._last.get(group_id)
                # What another began to find meanwhile is new enough, however long it took.
                if last is None or not (last.begun >= asked or last.holds(boottime(), max_age)):
                    last = self._last[group_id] = self._look(group_id)
        if last.error is not None:
            raise DriverUnavailable(str(last.error)) from last.error.__cause__
        return last

    def _look(self, group_id: str) -> Glance:
        begun = boottime()
        try:
            statuses = self._observer.judged(self._observer.look(group_id, attributes=False))
            verdicts = {one.member_id: one.liveness for one in statuses}
        except DriverUnavailable as error:
            return Glance(begun, boottime(), {}, error)
        return Glance(begun, boottime(), verdicts)
