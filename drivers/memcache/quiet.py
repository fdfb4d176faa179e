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
from .replies import Reply, replies
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

    def beat(self, instance_id: str, members: Sequence[Member]) -> dict[int, Reply] | None:
        """Beat as the last time this part of *members* was looked at.

        :returns: ``None`` if all is the same. Else a beat has to be made up, and these servers said
            in this way what the sign of life was like before this one
        """
        learnt = self._learnt.get(instance_id)
        if learnt is None or learnt.members != members or not learnt.requests[learnt.turn]:
            return {}
        requests = learnt.requests[learnt.turn]
        found = self._servers.exchange(requests)
        if len(found) == len(requests) and not any(found.values()):
            learnt.turn = (learnt.turn + 1) % len(learnt.requests)
            return None
        learnt.requests[learnt.turn] = {}
        return {server: replies[0] for server, replies in found.items() if replies}

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
        least: Mapping[int, Sequence[int]],
    ) -> None:
        """Take note of a beat in which all was well.

        :param least: what the remaining times in the reply have to exceed, by server and in order
        """
        learnt = self._learnt.get(instance_id)
        if learnt is not None and learnt.members == members:
            learnt.requests[turn] = {
                server: Request(one.request, _same(one, least.get(server, ())))
                for server, one in spoken.items()
            }


class _Learnt:
    """What was learnt of one instance with these members, by turn."""

    def __init__(self, members: Sequence[Member], turns: int) -> None:
        self.members = members
        self.turn = 0
        self.requests: list[dict[int, Request[list[Reply]]]] = [{} for _ in range(turns)]


def _same(spoken: Spoken, least: Sequence[int]) -> Callable[[bytes], list[Reply] | None]:
    """Return what says whether data is this reply again: no replies if it is, else those there are.

    ``None`` while the end is missing. Remaining times may differ, but have to exceed *least*.
    """
    expected, whole = spoken.reply.split(b"\r\n"), replies(spoken.commands)
    timed = [at for at, line in enumerate(expected) if b" t" in line]
    times = [
        (at, expected[at].partition(b" t")[0] + b" t", bound)
        for at, bound in zip(timed, least, strict=False)
    ]

    def read(data: bytes) -> list[Reply] | None:
        found = data.split(b"\r\n")
        if len(found) == len(expected):
            for at, begin, bound in times:
                remaining = found[at][len(begin) :]
                if found[at].startswith(begin) and remaining.isdigit() and int(remaining) > bound:
                    found[at] = expected[at]
            if found == expected:
                return []
        return whole(data)

    return read
