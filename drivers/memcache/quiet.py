"""Quiet beats: the very request of the last beat, and a look whether its reply is the same again.

Nearly all beats are like the one before. Such a one need not be made up nor taken apart: whatever
changed, a missing key, a new generation, another life of a member, changes the reply.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from servicegroup.model import Member

from . import commands
from .client import CLOSE, CLOSED
from .exchange import Request
from .members import Members
from .replies import Reply, replies
from .servers import Servers, Spoken

#: Members whose keys every beat looks at: so many, or this share of them if that is more, and never
#: more than so many: a beat is one request.
GLANCES, SHARE, MOST = 32, 32, 1500


class Quiet:
    """Beats of instances that were taken note of. Usable from any thread."""

    def __init__(self, servers: Servers, members: Members) -> None:
        self._servers = servers
        self._members = members
        self._lock = threading.Lock()
        self._learnt: dict[str, _Learnt] = {}

    def beat(self, instance_id: str, members: Sequence[Member]) -> dict[int, Reply] | None:
        """Beat as the last time, and look at those of *members* whose turn it is.

        :returns: ``None`` if all is the same. Else a beat has to be made up, and these servers said
            in this way what the sign of life was like before this one
        """
        learnt = self._learnt.get(instance_id)
        if learnt is None or learnt.members != members or not learnt.parts:
            return {}
        requests = learnt.requests.get(learnt.turn)
        if requests is None:
            requests = learnt.requests[learnt.turn] = self._made(learnt)
        found = self._servers.exchange(requests)
        if len(found) == len(requests) and not any(found.values()):
            learnt.turn = (learnt.turn + 1) % learnt.turns
            return None
        learnt.parts = {}
        return {server: replies[0] for server, replies in found.items() if replies}

    def turn(self, instance_id: str, members: Sequence[Member]) -> Sequence[Member]:
        """Return the members that the next beat looks at: all, or each in its turn."""
        with self._lock:
            learnt = self._learnt.get(instance_id)
            if learnt is None or learnt.members != members:
                learnt = self._learnt[instance_id] = _Learnt(members[:])
            learnt.turn = (learnt.turn + 1) % learnt.turns
        return learnt.glanced

    def learn(
        self,
        instance_id: str,
        members: Sequence[Member],
        spoken: Mapping[int, Spoken],
        least: Mapping[int, Sequence[int]],
    ) -> None:
        """Take note of a beat in which all was well.

        :param spoken: without what looked at members
        :param least: what the remaining times in the reply have to exceed, by server and in order
        """
        learnt = self._learnt.get(instance_id)
        if learnt is not None and learnt.members == members:
            learnt.requests = {}
            learnt.parts = {
                server: _Part(*one, least.get(server, ())) for server, one in spoken.items()
            }

    def _made(self, learnt: _Learnt) -> dict[int, Request[list[Reply]]]:
        """Return the requests of a beat that looks at the members whose turn it is."""
        asked: dict[int, list[bytes]] = {}
        expected: dict[int, list[bytes]] = {}
        for member in learnt.glanced:
            key, line = self._members.key(member), b"HD f%d" % self._members.flags(member)
            for server in self._servers.of(key):
                asked.setdefault(server, []).append(commands.flags(key))
                expected.setdefault(server, []).append(line)
        requests = {}
        for server in asked.keys() | learnt.parts.keys():
            some, lines = asked.get(server, []), expected.get(server, [])
            part = learnt.parts.get(server, _NO_PART)
            request = b"".join([part.request, *some, CLOSE])
            whole = replies(part.commands + len(some))
            requests[server] = Request(request, _same([*part.lines, *lines], part.least, whole))
        return requests


class _Part(NamedTuple):
    """What a beat asks a server beside looking at members, and the lines of its reply."""

    request: bytes
    commands: int
    lines: Sequence[bytes]
    least: Sequence[int]


_NO_PART = _Part(b"", 0, (), ())


class _Learnt:
    """What was learnt of one instance with these members."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        self.count = min(max(GLANCES, math.ceil(len(members) / SHARE)), MOST)
        self.turns = max(1, math.ceil(len(members) / self.count))
        self.turn = 0
        self.parts: dict[int, _Part] = {}
        self.requests: dict[int, dict[int, Request[list[Reply]]]] = {}

    @property
    def glanced(self) -> Sequence[Member]:
        """The members whose turn it is."""
        return self.members[self.turn * self.count : (self.turn + 1) * self.count]


def _same(
    expected: Sequence[bytes],
    least: Sequence[int],
    whole: Callable[[bytes], list[Reply] | None],
) -> Callable[[bytes], list[Reply] | None]:
    """Return what says whether data is this reply: no replies if it is, else those there are.

    ``None`` while the end is missing. Remaining times may differ, but have to exceed *least*.
    """
    wanted = [*expected, *CLOSED.split(b"\r\n")]
    timed = [at for at, line in enumerate(wanted) if b" t" in line]
    times = [
        (at, wanted[at].partition(b" t")[0] + b" t", bound)
        for at, bound in zip(timed, least, strict=False)
    ]

    def read(data: bytes) -> list[Reply] | None:
        found = data.split(b"\r\n")
        if len(found) == len(wanted):
            for at, begin, bound in times:
                remaining = found[at][len(begin) :]
                if found[at].startswith(begin) and remaining.isdigit() and int(remaining) > bound:
                    found[at] = wanted[at]
            if found == wanted:
                return []
        return whole(data)

    return read
