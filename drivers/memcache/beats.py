"""Reading signs of life: their age by the server's own clock, and who can vouch for a server."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from servicegroup.config import Settings

from . import commands
from .codec import Codec
from .commands import LONGEST, LOOK
from .glance import Glance
from .reading import ABSENT, Reader
from .replies import Reply
from .servers import Servers
from .signs import ALIVE, ENDED, EPOCH, MARKED, STATE_BITS, STATE_MASK, Signs

#: Seconds by which an age may be more or less: the server counts whole ones.
RESOLUTION = 1.0


class Sign(NamedTuple):
    """An instance's sign of life as read: the youngest of its copies.

    *age*: seconds since the last beat, or since the end, or since it was first missed. *servers*:
    those that answered for it. *came_up*: when, by the servers' wall clock. *overdue*: beyond the
    limit.
    """

    state: int
    age: float
    servers: tuple[int, ...]
    came_up: float = 0.0
    reason: str = ""
    overdue: bool = False


class Beats:
    """Reads the signs of life of instances. Usable from any thread."""

    def __init__(self, servers: Servers, codec: Codec, signs: Signs, settings: Settings) -> None:
        self._servers = servers
        self._codec = codec
        self._signs = signs
        self._reader = Reader(servers, codec)
        self._limit = settings.service_down_time
        self._fresh = min(settings.steady_gap, self._limit)

    def read(self, instance_ids: Iterable[str]) -> list[Sign | None]:
        """Return the sign of life of each; ``None`` where no server answered.

        Where a sign is missing on all servers that answered, that is noted in its place.
        """
        asked = list(instance_ids)
        unique = list(dict.fromkeys(asked))
        keys = self._signs.keys(unique)
        signs = self._read_signs(keys, 0)
        if not self._all_fresh(signs):
            second = [at for at, sign in enumerate(signs) if not self._is_fresh(sign)]
            if len(self._servers.everywhere) > 1:
                others = self._read_signs([keys[at] for at in second], 1)
                for at, other in zip(second, others, strict=True):
                    signs[at] = _younger(signs[at], other)
            self._tell_ends(keys, signs)
            self._mark(keys, signs)
            signs = [self._known(sign) for sign in signs]
        if len(unique) == len(asked):
            return signs
        by_id = dict(zip(unique, signs, strict=True))
        return [by_id[one] for one in asked]

    def glance(self, key: bytes, line: bytes, instance_id: str) -> Glance | None:
        """Return what looks at a member and its sign of life at once; ``None`` if nothing may."""
        if self._codec.sealed:  # its value has to be seen
            return None
        return Glance(self._servers, key, line, self._signs.key(instance_id))

    def sign(self, line: bytes) -> Sign | None:
        """Read what a server says of a sign of life; ``None`` if somebody else has to be asked."""
        sign = _sign(0, line)
        return sign if self._is_fresh(sign) else None

    def witnessed(self, servers: Collection[int]) -> set[int]:
        """Return those of *servers* on which somebody beat without a break for the whole limit."""
        batch = self._servers.batch()
        slots = [
            batch.add(server, commands.value(slot))
            for server in servers
            for slot in self._signs.slots()
        ]
        batch.run()
        batch = self._servers.batch()
        runs = []
        for answer in slots:
            reply = answer.reply
            if reply is not None and reply.value is not None and len(reply.value) <= 255:
                name, server = reply.value.decode("utf-8", "replace"), answer.server
                run = batch.add(server, commands.flags(self._signs.run_key(name)))
                runs.append((run, batch.add(server, commands.look(self._signs.mark_key(name)))))
        batch.run()
        return {run.server for run, mark in runs if self._is_long(run.reply, mark.reply)}

    def _is_long(self, run: Reply | None, mark: Reply | None) -> bool:
        """Whether a run goes on that certainly began a limit ago."""
        if run is None or mark is None or not (run.found and mark.found):
            return False
        return run.flags == mark.flags and LONGEST - mark.ttl - RESOLUTION >= self._limit

    def young(self, servers: Collection[int]) -> set[int]:
        """Return those of *servers* that have not been up, with their data, for the whole limit.

        Each holds a key that says since when; who finds none there begins it. What is absent from
        such a server may merely be lost.
        """
        key = self._codec.key(b"z", b"")
        batch = self._servers.batch()
        asked = [batch.add(server, commands.read(key)) for server in servers]
        batch.run()
        batch = self._servers.batch()
        young = set()
        for answer in asked:
            reply = answer.reply
            if reply is None or not reply.found:
                young.add(answer.server)
                batch.add(answer.server, commands.add(key, b"", ttl=LONGEST))
            elif reply.ttl >= 0 and LONGEST - reply.ttl <= self._limit:
                young.add(answer.server)
            elif reply.ttl >= 0:  # old enough: from now on without an age that could end
                batch.add(answer.server, commands.write(key, b"", cas=reply.cas))
        batch.run()
        return young

    def _read_signs(self, keys: Sequence[bytes], copy: int) -> list[Sign | None]:
        if self._codec.sealed:
            return self._sealed_signs(keys, copy)
        # Nearly all replies are one of a few lines, and an equal sign is the very same object.
        memo: dict[tuple[int, bytes | None], Sign | None] = {}
        answers = self._reader.lines(keys, LOOK, copy)
        if len(self._servers.everywhere) == 1:
            few = {line: _sign(0, line) for line in set(answers)}
            return [few[line] for line in answers]
        signs = []
        for key, line in zip(keys, answers, strict=True):
            servers = self._servers.of(key)
            place = (servers[copy % len(servers)], line)
            if place not in memo:
                memo[place] = _sign(*place)
            signs.append(memo[place])
        return signs

    def _sealed_signs(self, keys: Sequence[bytes], copy: int) -> list[Sign | None]:
        batch = self._servers.batch()
        asked = []
        for key in keys:
            servers = self._servers.of(key)
            known = copy < len(servers)
            asked.append(batch.add(servers[copy], commands.read(key)) if known else None)
        batch.run()
        signs: list[Sign | None] = []
        for key, answer in zip(keys, asked, strict=True):
            reply = None if answer is None else answer.reply
            if answer is None or reply is None:
                signs.append(None)
            else:
                state = reply.flags & STATE_MASK
                there = reply.value is not None and self._signs.genuine(key, state, reply.value)
                line = b"HD f%d t%d" % (reply.flags, reply.ttl) if there else ABSENT
                signs.append(_sign(answer.server, line))
        return signs

    def _all_fresh(self, signs: Sequence[Sign | None]) -> bool:
        return all(map(self._is_fresh, {id(sign): sign for sign in signs}.values()))

    def _is_fresh(self, sign: Sign | None) -> bool:
        return sign is not None and sign.state == ALIVE and sign.age <= self._fresh

    def _tell_ends(self, keys: Sequence[bytes], signs: list[Sign | None]) -> None:
        """Read why those that ended did."""
        ended = [
            (at, sign) for at, sign in enumerate(signs) if sign is not None and sign.state == ENDED
        ]
        batch = self._servers.batch()
        asked = [
            (at, sign, batch.add(sign.servers[0], commands.read(keys[at]))) for at, sign in ended
        ]
        batch.run()
        for at, sign, answer in asked:
            if answer.reply is not None and answer.reply.value is not None:
                reason = self._signs.reason(keys[at], answer.reply.value)
                signs[at] = sign._replace(reason=reason)

    def _mark(self, keys: Sequence[bytes], signs: list[Sign | None]) -> None:
        """Note where a sign of life is missing, so that it can be told for how long."""
        batch = self._servers.batch()
        for at, sign in enumerate(signs):
            if sign is not None and sign.state not in (ALIVE, ENDED, MARKED):
                for server in sign.servers:
                    batch.add(server, self._signs.mark(keys[at]))
                signs[at] = sign._replace(state=MARKED, age=0.0)
        batch.run()

    def _known(self, sign: Sign | None) -> Sign | None:
        """Return an age that is beyond the limit only if it certainly is.

        The server counts whole seconds: what it calls n seconds is more than n - 1. With a whole
        number as the limit that is enough; with a fraction the second in which it lies is not.
        """
        if sign is None or sign.age <= self._limit:
            return sign
        if sign.age - RESOLUTION < self._limit:
            return sign._replace(age=self._limit)
        return sign._replace(overdue=True)


def _younger(one: Sign | None, other: Sign | None) -> Sign | None:
    """Return what two copies say together; a beat that one of them took counts."""
    if one is None or other is None:
        return one or other
    servers = one.servers + other.servers
    ranking = {ENDED: 0, ALIVE: 1, MARKED: 2}
    first = min(one, other, key=lambda sign: (ranking.get(sign.state, 3), sign.age))
    if {one.state, other.state} == {ALIVE, ENDED}:
        first = min(one, other, key=lambda sign: sign.age)
    # Missed on one server only: the other one's word is good.
    return first._replace(servers=servers)


def _sign(server: int, line: bytes | None) -> Sign | None:
    """Read ``HD f<flags> t<remaining>``; flags of nobody's are those of a missing sign."""
    if line is None:
        return None
    tokens = line.split(b" ")
    if line == ABSENT or len(tokens) != 3 or tokens[0] != b"HD":
        return Sign(-1, 0.0, (server,))
    flags, ttl = int(tokens[1][1:]), int(tokens[2][1:])
    state, came_up = flags & STATE_MASK, flags >> STATE_BITS
    if state not in (ALIVE, ENDED, MARKED) or not 0 <= ttl <= LONGEST:
        return Sign(-1, 0.0, (server,))
    return Sign(state, float(LONGEST - ttl), (server,), float(EPOCH + came_up if came_up else 0))
