"""Quiet beats: the very request of the last beat, and a look whether its reply is the same again.

Nearly all beats are like the one before. Such a one need not be made up nor taken apart: whatever
changed, a missing key, a new generation, another life of a member, changes the reply.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence

from servicegroup.model import Member

from .exchange import Request
from .replies import replies
from .servers import Servers, Spoken

#: Members whose keys every beat looks at. Of more than so many it looks at this share, and never at
#: more than so many: a beat is one request.
GLANCES, SHARE, MOST = 32, 4, 1500


class Quiet:
    """Beats of instances that were taken note of. Usable from any thread."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._lock = threading.Lock()
        self._learnt: dict[str, _Learnt] = {}

    def beat(self, instance_id: str, members: Sequence[Member]) -> bool:
        """Beat as the last time this part of *members* was looked at; whether all is the same.

        If it is not, or nothing was learnt, a beat has to be made up.
        """
        learnt = self._learnt.get(instance_id)
        if learnt is None or learnt.members != members:
            return False
        requests = learnt.requests[learnt.turn]
        if not requests:
            return False
        same = self._servers.exchange(requests)
        if len(same) == len(requests) and all(same.values()):
            learnt.turn = (learnt.turn + 1) % len(learnt.requests)
            return True
        learnt.requests[learnt.turn] = {}
        return False

    def turn(self, instance_id: str, members: Sequence[Member]) -> tuple[int, Sequence[Member]]:
        """Return the members that the next beat looks at: all, or each in its turn."""
        count = len(members)
        if count > GLANCES:
            count = min(max(GLANCES, math.ceil(count / SHARE)), MOST)
        turns = math.ceil(len(members) / count) if count else 1
        with self._lock:
            learnt = self._learnt.get(instance_id)
            if learnt is None or learnt.members != members:
                learnt = self._learnt[instance_id] = _Learnt(members[:], turns)
            turn = learnt.turn
            learnt.turn = (turn + 1) % turns
        return turn, members[turn * count : (turn + 1) * count]

    def learn(
        self,
        instance_id: str,
        members: Sequence[Member],
        turn: int,
        spoken: Mapping[int, Spoken],
        until: Mapping[int, int],
    ) -> None:
        """Take note of a beat in which all was well.

        :param until: the remaining time of the mark, by server, at which another request is due
        """
        learnt = self._learnt.get(instance_id)
        if learnt is not None and learnt.members == members:
            learnt.requests[turn] = {
                server: Request(one.request, _same(one, until.get(server, 0)))
                for server, one in spoken.items()
            }


class _Learnt:
    """What was learnt of one instance with these members, by turn."""

    def __init__(self, members: Sequence[Member], turns: int) -> None:
        self.members = members
        self.turn = 0
        self.requests: list[dict[int, Request[bool]]] = [{} for _ in range(turns)]


def _same(spoken: Spoken, until: int) -> Callable[[bytes], bool | None]:
    """Return what says whether data is this reply again; ``None`` while its end is missing.

    One number in it, the remaining time of the mark, may be less, but more than *until*.
    """
    expected, whole = spoken.reply, replies(spoken.commands)
    before, mark, rest = expected.partition(b" t")
    begin, after = before + mark, rest[rest.find(b"\r\n") :]
    start, end = len(begin), -len(after)

    def read(data: bytes) -> bool | None:
        if mark and data.startswith(begin) and data.endswith(after):
            remaining = data[start:end]
            if remaining.isdigit() and int(remaining) > until:
                return True
        if data == expected and not mark:
            return True
        return None if whole(data) is None else False

    return read
