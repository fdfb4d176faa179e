"""Beats: tooz's heartbeat, and the evidence that concerns us. The rest is seldom looked at."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

from servicegroup.clock import boottime
from servicegroup.driver import Loss, Lost
from servicegroup.model import Member

from .members import Members, evidence


class Pulse:
    """The beats of one instance. Usable from any thread.

    Readers of tooz's groups sweep out whoever did not beat for long, and its heartbeat does not
    tell: each beat reads our own entry, too. The whole group is looked at when evidence of us
    appeared, when our entry is not as it should be, and else once per ``service_down_time``.
    """

    def __init__(self, instance_id: str, members: Members, service_down_time: float) -> None:
        self._instance_id = instance_id
        self._members = members
        self._limit = service_down_time
        self._lock = threading.Lock()
        self._heard: dict[str, frozenset[str]] = {}
        self._looked_at: dict[str, float] = {}

    def heartbeat(self, members: Sequence[Member]) -> list[Lost]:
        """See :meth:`servicegroup.driver.Driver.heartbeat`."""
        with self._lock:
            now, fresh = boottime(), self._members.beat()
            lost: dict[tuple[str, str], Lost] = {}
            for group_id in dict.fromkeys(one.group_id for one in members):
                held = [one for one in members if one.group_id == group_id]
                for one in self._beat_in(group_id, held, now, fresh=fresh):
                    lost[one.member.group_id, one.member.member_id] = one
            self._members.revive(but={one.group_id for one in members})
            keys = [(one.group_id, one.member_id) for one in members]
            return [lost[key] for key in keys if key in lost]

    def _beat_in(
        self, group_id: str, held: Sequence[Member], now: float, *, fresh: bool
    ) -> list[Lost]:
        mine = self._members.notes(group_id)
        unseen = {(one.member_id, one.incarnation) for one in held} - self._members.stored(group_id)
        due = now >= self._looked_at.get(group_id, now) + self._limit * random.uniform(0.5, 1.0)  # noqa: S311
        quiet = mine is not None and mine <= self._heard.get(group_id, frozenset())
        if quiet and not (fresh or unseen or due):
            return []
        view = self._members.view(group_id)
        lost = []
        for one in held:
            life = view.latest(one.member_id)
            if life is None or life.incarnation < one.incarnation:
                lost.append(Lost(one, Loss.MISSING))
            elif (found := evidence(view, one)) is not None:
                lost.append(found)
        over = {one.member.member_id for one in lost if one.loss is not Loss.MISSING}
        over &= view.held(self._instance_id).keys()
        if fresh or over or view.ended(self._instance_id) is not None:
            # Who is over must not rise again when the store forgets what came later.
            self._members.renew(group_id, over)
        if lost:
            self._heard.pop(group_id, None)
            return lost
        self._heard[group_id] = mine or frozenset()
        self._looked_at[group_id] = now
        return []
