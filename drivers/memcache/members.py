"""Writing members: every change is decided by a compare-and-set on one server, then copied.

The server that decides is the first of the key's two that answers. The other copy is replaced only
by a later one, so that whatever the order in which writers arrive, the latest life stays.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pymemcache.exceptions import MemcacheServerError

from servicegroup.model import Member

from . import commands
from .codec import Codec, Place
from .replies import Reply
from .servers import Answer, Batch, Servers

#: Lost races for one member before giving up; each is won by somebody.
_ATTEMPTS = 100

Decide = Callable[[Member, "Place | None"], "Place | None"]


class Outcome(NamedTuple):
    """What was there, and what is there now."""

    before: Place | None
    now: Place | None


class Beside(NamedTuple):
    """What else goes out with a change: *batch* with the first reading, of which *read* is told.

    *write* may add to what brings these outcomes about, if all is on one server: it comes after.
    """

    batch: Batch
    read: Callable[[], None]
    write: Callable[[Batch, list[Outcome]], None]


class _Copy(NamedTuple):
    server: int
    place: Place | None
    cas: int


class _Work(NamedTuple):
    """One call's members, by their place in it, and what became of them so far."""

    keys: Sequence[bytes]
    members: Sequence[Member]
    decide: Decide
    outcomes: list[Outcome | None]
    beside: Beside | None


class Members:
    """Reads and changes the places of members. Usable from any thread."""

    def __init__(self, servers: Servers, codec: Codec) -> None:
        self._servers = servers
        self._codec = codec

    def key(self, member: Member) -> bytes:
        """Return the key of a member."""
        name = self._codec.member_name(member.group_id, member.member_id)
        return self._codec.key(b"m", name)

    def flags(self, member: Member) -> int:
        """Return the client flags of a member's key while it is there, as it is."""
        return self._codec.flags(Place(member))

    def change(
        self, members: Sequence[Member], decide: Decide, beside: Beside | None = None
    ) -> list[Outcome]:
        """Let *decide* say for each member what comes in its place; ``None`` leaves what is there.

        Copies that lag behind are brought up to date. *decide* may be called more than once for a
        member.

        :raises ServersSilent: no server of some member answered; others may have been changed
        """
        outcomes: list[Outcome | None] = [None] * len(members)
        keys = [self.key(member) for member in members]
        batch = self._servers.batch() if beside is None else beside.batch
        work = _Work(keys, members, decide, outcomes, beside)
        pending = list(range(len(members)))
        for attempt in range(_ATTEMPTS):
            pending = self._round(batch, work, pending, first=attempt == 0)
            if not pending:
                break
            time.sleep(random.random() * min(0.001 * attempt, 0.02))  # noqa: S311
            batch = self._servers.batch()
        if pending:
            member_id = members[pending[0]].member_id
            raise MemcacheServerError(f"member {member_id!r} is changed by too many at once")
        return [outcome or Outcome(None, None) for outcome in outcomes]

    def _round(self, batch: Batch, work: _Work, pending: list[int], *, first: bool) -> list[int]:
        """Read, decide and write once; returns those for which somebody else was quicker."""
        keys, outcomes = work.keys, work.outcomes
        again: list[int] = []
        deciding: list[tuple[int, Place, list[_Copy], Answer]] = []
        repairs: list[tuple[bytes, Place, list[_Copy]]] = []
        held = set()
        reading = [(at, batch.add_everywhere(keys[at], commands.read(keys[at]))) for at in pending]
        batch.run()
        if first and work.beside is not None:
            work.beside.read()
        writing = self._servers.batch()
        for at, answers in reading:
            if keys[at] in held:  # the same member twice in one call: one after the other
                again.append(at)
                continue
            held.add(keys[at])
            copies = self._copies(keys[at], answers)
            before = latest(copies)
            now = work.decide(work.members[at], before)
            if now is None:
                outcomes[at] = Outcome(before, before)
                if before is not None:
                    repairs.append((keys[at], before, copies))
                continue
            outcomes[at] = Outcome(before, now)
            answer = writing.add(copies[0].server, self._write(keys[at], now, copies[0]))
            deciding.append((at, now, copies[1:], answer))
        if work.beside is not None and deciding and len(self._servers.everywhere) == 1:
            done = (outcomes[at] for at, *_ in deciding)
            work.beside.write(writing, [one for one in done if one is not None])
        writing.run()
        for at, now, others, answer in deciding:
            if answer.reply is None or not _carried_out(answer.reply):
                again.append(at)
            else:
                repairs.append((keys[at], now, others))
        self._spread(repairs)
        return again

    def _spread(self, repairs: list[tuple[bytes, Place, list[_Copy]]]) -> None:
        """Bring copies up to *place* where they are earlier; a server that fails is left behind."""
        for _ in range(_ATTEMPTS):
            batch = self._servers.batch()
            sent = [
                (key, place, batch.add(copy.server, self._write(key, place, copy)))
                for key, place, copies in repairs
                for copy in copies
                if copy.place is None or copy.place.rank < place.rank
            ]
            if not sent:
                return
            batch.run()
            batch = self._servers.batch()
            late = [
                (key, place, batch.add(answer.server, commands.read(key)))
                for key, place, answer in sent
                if answer.reply is not None and not _carried_out(answer.reply)
            ]
            batch.run()
            repairs = [
                (key, place, self._copies(key, [answer]))
                for key, place, answer in late
                if answer.reply is not None
            ]

    def _copies(self, key: bytes, answers: Sequence[Answer]) -> list[_Copy]:
        copies = [
            _Copy(answer.server, self.place(key, answer.reply), answer.reply.cas)
            for answer in answers
            if answer.reply is not None
        ]
        if not copies:
            raise self._servers.silent(answer.server for answer in answers)
        return copies

    def place(self, key: bytes, reply: Reply) -> Place | None:
        """Return what a reply to ``read`` holds; ``None`` if that is nothing of ours."""
        if reply.value is None:
            return None
        place = self._codec.decode(key, reply.value)
        if place is not None and self.key(place.member) != key:
            self._codec.refuse(key, "it is the member of another key")
            return None
        return place

    def _write(self, key: bytes, place: Place, copy: _Copy) -> bytes:
        value, flags = self._codec.encode(key, place), self._codec.flags(place)
        ttl = commands.LONGEST if place.left else 0
        if copy.cas:
            return commands.write(key, value, flags=flags, ttl=ttl, cas=copy.cas)
        return commands.add(key, value, flags=flags, ttl=ttl)


def latest(copies: Sequence[_Copy]) -> Place | None:
    """Return the latest of the copies; of equals the first."""
    places = [copy.place for copy in copies if copy.place is not None]
    return max(places, key=lambda place: place.rank, default=None)


def _carried_out(reply: Reply) -> bool:
    if reply.code in (b"HD", b"EX", b"NS", b"NF"):
        return reply.code == b"HD"
    raise MemcacheServerError(f"a member was not stored: {reply.code.decode('ascii', 'replace')}")
