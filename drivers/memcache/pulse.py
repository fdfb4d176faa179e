"""Signs of life: one key an instance, renewed by each beat, whose remaining time tells its age.

A beat is one request to each of the two servers that hold it. It carries three more keys of the
instance: the *steady count*, milliseconds of unbroken beats, in a key that dies by itself when the
next beat is late; the *generation*, which others replace to say "something of yours changed"; and
a *slot*, by which readers find somebody whose beats are unbroken.
"""

from __future__ import annotations

import json
import math
import threading
import zlib
from typing import NamedTuple

from servicegroup.config import Settings

from . import commands
from .codec import Codec, as_mapping, random_name
from .commands import LONGEST
from .servers import Answer, Batch, Servers
from .wire import boottime

#: The client flags of a sign of life.
ALIVE, ENDED, MARKED = 0, 1, 2
#: Places on each server in which those with unbroken beats show themselves.
SLOTS = 64

_ALIVE = b"alive"
_MARKED = b"lost"


def steady_ttl(settings: Settings) -> int:
    """Return the seconds after which a steady count dies, in the server's whole seconds.

    ``steady_gap``, less one second because the server counts ticks: two beats that it calls n
    seconds apart may be up to n + 1 apart. Never so short that beats in good order break it.
    """
    shortest = math.ceil(1.2 * settings.report_interval) + 1
    return min(max(math.floor(settings.steady_gap) - 1, shortest), LONGEST)


class Beat(NamedTuple):
    """A beat that was put into a batch, to be finished when the batch was run."""

    instance_id: str
    sent: float
    renewed: list[Answer]
    counted: list[Answer]
    generation: list[Answer]

    @property
    def complete(self) -> bool:
        """Whether every server that holds it answered."""
        return all(answer.reply is not None for answer in self.renewed)


class Pulse:
    """Beats for instances, and ends them. Usable from any thread."""

    def __init__(self, servers: Servers, codec: Codec, settings: Settings) -> None:
        self._servers = servers
        self._codec = codec
        self._steady_ttl = steady_ttl(settings)
        self._steady_enough = settings.service_down_time * 1000
        self._lock = threading.Lock()
        # (instance, server): the token of its steady count and when that was sent; the count.
        self._tokens: dict[tuple[str, int], tuple[int, float]] = {}
        self._steady: dict[tuple[str, int], int] = {}
        self._generations: dict[tuple[str, int], bytes | None] = {}
        self._suspect: set[str] = set()

    # -- the beat -----------------------------------------------------------------------------

    def begin(self, batch: Batch, instance_id: str) -> Beat:
        """Put a beat into *batch*."""
        key = self.key(instance_id)
        count, generation = self.steady_key(instance_id), self._generation_key(instance_id)
        beat = Beat(instance_id, boottime(), [], [], [])
        renew = commands.renew(key, LONGEST, value=self._codec.sealed)
        for server in self._servers.of(key):
            beat.renewed.append(batch.add(server, renew))
            batch.add(server, commands.renew(count, self._steady_ttl))
            beat.counted.append(batch.add(server, self._count(count, beat, server)))
            beat.generation.append(batch.add(server, commands.read(generation)))
            if self._steady.get((instance_id, server), 0) >= self._steady_enough:
                self._show(batch, instance_id, server)
        return beat

    def finish(self, beat: Beat) -> None:
        """Take in the replies to a beat, and make anew what was not there.

        :raises ServersSilent: no server took it
        """
        key, instance_id = self.key(beat.instance_id), beat.instance_id
        if all(answer.reply is None for answer in beat.renewed):
            raise self._servers.silent(self._servers.of(key))
        batch = self._servers.batch()
        recounted = []
        for renewed, counted, generation in zip(
            beat.renewed, beat.counted, beat.generation, strict=True
        ):
            server = renewed.server
            if renewed.reply is None or counted.reply is None or generation.reply is None:
                self._suspect.add(instance_id)  # what it holds of ours may have been left behind
                continue
            if not renewed.reply.found or renewed.reply.flags == MARKED:
                self._suspect.add(instance_id)
            if not self._is_alive(key, renewed):
                batch.add(server, commands.write(key, self._alive(key), ttl=LONGEST))
            steady = self._steady.get((instance_id, server), 0)
            if not self._counted(beat, counted):
                count = commands.count(self.steady_key(instance_id), 0, self._steady_ttl)
                recounted.append(batch.add(server, count))
            elif steady < self._steady_enough <= self._steady.get((instance_id, server), 0):
                self._show(batch, instance_id, server)
            seen = self._generations.get((instance_id, server), b"unseen")
            if generation.reply.value != seen:
                self._suspect.add(instance_id)
                self._generations[instance_id, server] = generation.reply.value
        batch.run()
        batch = self._servers.batch()
        for answer in recounted:
            self._counted(beat, answer)
            if self._steady.get((instance_id, answer.server), 0) >= self._steady_enough:
                self._show(batch, instance_id, answer.server)
        batch.run()

    def _show(self, batch: Batch, instance_id: str, server: int) -> None:
        """Let readers find this instance as one whose beats are unbroken."""
        slot = commands.add(self.slot(instance_id), instance_id.encode(), ttl=self._steady_ttl)
        batch.add(server, slot)

    def suspect(self, instance_id: str) -> bool:
        """Whether something of this instance may have changed since it was last looked at."""
        return instance_id in self._suspect

    def looked(self, instance_id: str, *, well: bool) -> None:
        """Take note that all its members were looked at; *well*: none was lost."""
        if well:
            self._suspect.discard(instance_id)
        else:
            self._suspect.add(instance_id)

    def _count(self, key: bytes, beat: Beat, server: int) -> bytes:
        """Return the command that adds the time since the last beat, if that one was answered.

        Only if nobody touched the count since: a beat that was delayed in a server that hung must
        not make the next count longer than it was.
        """
        with self._lock:
            cas, sent = self._tokens.pop((beat.instance_id, server), (0, 0.0))
        if not cas:
            return commands.count(key, 0, self._steady_ttl)
        return commands.count(key, int((beat.sent - sent) * 1000), self._steady_ttl, cas=cas)

    def _counted(self, beat: Beat, answer: Answer) -> bool:
        """Take in a steady count; False if somebody else changed it meanwhile."""
        reply, place = answer.reply, (beat.instance_id, answer.server)
        if reply is None:
            return True
        with self._lock:
            self._steady[place] = 0
            if reply.value is None or not reply.value.isdigit():
                return reply.code != b"EX"
            self._tokens[place] = (reply.cas, beat.sent)
            self._steady[place] = int(reply.value)
            return True

    def _is_alive(self, key: bytes, answer: Answer) -> bool:
        reply = answer.reply
        if reply is None or not reply.found or reply.flags != ALIVE:
            return False
        return not self._codec.sealed or reply.value == self._alive(key)

    # -- others' beats ------------------------------------------------------------------------

    def moved(self, batch: Batch, instance_ids: set[str]) -> None:
        """Tell these instances, with *batch*, that something of theirs changed."""
        for instance_id in instance_ids:
            key = self._generation_key(instance_id)
            write = commands.write(key, random_name(), ttl=LONGEST)
            for server in self._servers.of(self.key(instance_id)):
                batch.add(server, write)

    def end(self, instance_id: str, reason: str) -> None:
        """Note that an instance is over.

        :raises ServersSilent: no server took it
        """
        key = self.key(instance_id)
        batch = self._servers.batch()
        found = batch.add_everywhere(key, commands.read(key))
        batch.run()
        if all(answer.reply is None for answer in found):
            raise self._servers.silent(self._servers.of(key))
        batch = self._servers.batch()
        for answer in found:
            reply = answer.reply
            if reply is None or (reply.found and reply.flags == ENDED):
                continue
            age = LONGEST - reply.ttl if reply.found and reply.flags == ALIVE else None
            payload = json.dumps({"reason": reason, "age": age}).encode()
            value = self._codec.seal(key, payload)
            write = commands.write(key, value, flags=ENDED, ttl=LONGEST, cas=reply.cas)
            batch.add(answer.server, write)
            batch.add(answer.server, commands.delete(self.steady_key(instance_id)))
        batch.run()

    def forget(self, instance_id: str) -> None:
        """Remove what is kept of an instance that holds no members any more."""
        batch = self._servers.batch()
        for server in self._servers.of(self.key(instance_id)):
            batch.add(server, commands.delete(self.key(instance_id)))
            batch.add(server, commands.delete(self.steady_key(instance_id)))
            with self._lock:
                self._tokens.pop((instance_id, server), None)
                self._steady.pop((instance_id, server), None)
        batch.run()

    # -- keys and values ----------------------------------------------------------------------

    def key(self, instance_id: str) -> bytes:
        """Return the key of an instance's sign of life, which its other keys live beside."""
        return self._codec.instance(b"b", instance_id)

    def steady_key(self, instance_id: str) -> bytes:
        """Return the key of an instance's steady count."""
        return self._codec.instance(b"s", instance_id)

    def slot(self, instance_id: str) -> bytes:
        """Return the key in which an instance shows itself while its beats are unbroken."""
        return self.slots()[zlib.crc32(instance_id.encode()) % SLOTS]

    def slots(self) -> list[bytes]:
        """Return all keys in which such instances show themselves, the same on every server."""
        return [self._codec.key(b"w", b"%d" % number) for number in range(SLOTS)]

    def mark(self, key: bytes) -> bytes:
        """Return the command that notes, where a sign of life is missing, that it was missed."""
        return commands.add(key, self._codec.seal(key, _MARKED), flags=MARKED, ttl=LONGEST)

    def genuine(self, key: bytes, flags: int, value: bytes) -> bool:
        """Whether a sign of life with these flags was written by one of us."""
        if not self._codec.sealed:
            return True
        payload = self._codec.open(key, value)
        if payload is None:
            return False
        return flags == ENDED or payload == (_ALIVE if flags == ALIVE else _MARKED)

    def ended(self, key: bytes, value: bytes) -> tuple[str, float | None]:
        """Return why an instance ended, and how old its last beat was by then."""
        payload = self._codec.open(key, value)
        try:
            said = as_mapping(json.loads(payload)) if payload is not None else {}
        except ValueError:
            said = {}
        reason, age = said.get("reason"), said.get("age")
        return (
            reason if isinstance(reason, str) else "",
            float(age) if isinstance(age, (int, float)) else None,
        )

    def _alive(self, key: bytes) -> bytes:
        return self._codec.seal(key, _ALIVE)

    def _generation_key(self, instance_id: str) -> bytes:
        return self._codec.instance(b"g", instance_id)
