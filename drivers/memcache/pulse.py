"""Signs of life: one key an instance, renewed by each beat, whose remaining time tells its age.

A beat is one request to each of the two servers that hold it. It renews two keys and looks at two
more. The sign of life, and the *run*, which ends by itself when the next beat is late: the server
decides, and nobody else, whether beats were unbroken. Since when they are is the age of the *mark*,
which is set when a run begins. The *generation* is replaced by others to say "something of yours
changed". Whose run is long shows itself in a *slot*, so that readers find a witness.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from servicegroup.config import Settings
from servicegroup.will import LastWill

from . import commands
from .codec import Codec, random_name
from .commands import LONGEST
from .options import Options
from .replies import Reply
from .servers import Answer, Batch, Servers
from .signs import ALIVE, ENDED, EPOCH, MARKED, STATE_BITS, STATE_MASK, Signs

_NOTHING: Mapping[int, Reply] = MappingProxyType({})


def run_ttl(settings: Settings) -> int:
    """Return the seconds after which a run ends, in the server's whole seconds.

    ``steady_gap``, less one second because the server counts ticks: two beats that it calls n
    seconds apart may be up to n + 1 apart. Never so short that beats in good order break it.
    """
    shortest = math.ceil(1.2 * settings.report_interval) + 1
    return min(max(math.floor(settings.steady_gap) - 1, shortest), LONGEST)


class Copy(NamedTuple):
    """What a beat asks one server."""

    server: int
    renewed: Answer
    run: Answer
    mark: Answer
    generation: Answer


class Beat(NamedTuple):
    """A beat that was put into a batch, to be finished when the batch was run."""

    instance_id: str
    copies: list[Copy]

    @property
    def complete(self) -> bool:
        """Whether every server that holds it answered."""
        return all(copy.renewed.reply is not None for copy in self.copies)


class Pulse:
    """Beats for instances, and ends them. Usable from any thread."""

    def __init__(self, servers: Servers, codec: Codec, signs: Signs, settings: Settings) -> None:
        self._servers = servers
        self._codec = codec
        self._signs = signs
        self._ttl = run_ttl(settings)
        self._timeout = settings.call_timeout
        limit = self._limit = math.ceil(settings.service_down_time)
        # Seconds after which a run may be long enough before its next beat, and is for sure.
        self._stages = (max(limit - self._ttl, 1), limit + 1)
        # By instance and server: the run that we began there and its age; the generation seen.
        self._runs: dict[tuple[str, int], tuple[int, int]] = {}
        self._generations: dict[tuple[str, int], bytes | None] = {}
        self._came_up: dict[str, int] = {}
        self._suspect: set[str] = set()
        self._random = random.SystemRandom()

    # -- the beat -----------------------------------------------------------------------------

    def begin(self, batch: Batch, instance_id: str) -> Beat:
        """Put a beat into *batch*."""
        key, run = self._signs.key(instance_id), self._signs.run_key(instance_id)
        renew = commands.renew(key, LONGEST, value=self._codec.sealed)
        beat = Beat(instance_id, [])
        for server in self._servers.of(key):
            beat.copies.append(
                Copy(
                    server,
                    batch.add(server, renew),
                    batch.add(server, commands.touch(run, self._ttl)),
                    batch.add(server, commands.look(self._signs.mark_key(instance_id))),
                    batch.add(server, commands.value(self._signs.generation_key(instance_id))),
                )
            )
            self._show(batch, instance_id, server)
        return beat

    def finish(self, beat: Beat, before: Mapping[int, Reply] = _NOTHING) -> bool:
        """Take in the replies to a beat, and make anew what was not there.

        :param before: by server, the sign of life as it was if this beat came after another try
        :returns: whether all was there and as the last time, so that nothing had to be made
        :raises ServersSilent: no server took it
        """
        key, instance_id = self._signs.key(beat.instance_id), beat.instance_id
        if all(copy.renewed.reply is None for copy in beat.copies):
            raise self._servers.silent(self._servers.of(key))
        batch = self._servers.batch()
        flags = self._alive_flags(beat, before)
        for server, renewed, run, mark, generation in beat.copies:
            if renewed.reply is None or generation.reply is None:
                self._suspect.add(instance_id)  # what it holds of ours may have been left behind
                continue
            if not renewed.reply.found or renewed.reply.flags & STATE_MASK == MARKED:
                self._suspect.add(instance_id)
            if not self._is_alive(key, renewed) or renewed.reply.flags != flags:
                alive = commands.write(key, self._signs.alive(key), flags=flags, ttl=LONGEST)
                batch.add(server, alive)
            shown = self._stage(instance_id, server)
            if not self._goes_on(instance_id, server, run, mark):
                self._begin_run(batch, instance_id, server)
            elif self._stage(instance_id, server) != shown:
                self._show(batch, instance_id, server)
            elif mark.reply is not None and mark.reply.ttl <= LONGEST // 2:
                # Its end is far away, but would come: as old as it has to be will do.
                number, _ = self._runs[instance_id, server]
                self._mark(batch, instance_id, server, number, age=2 * self._limit)
            seen = self._generations.get((instance_id, server), b"unseen")
            if generation.reply.value != seen:
                self._suspect.add(instance_id)
                self._generations[instance_id, server] = generation.reply.value
        return not batch.run()

    def suspect(self, instance_id: str) -> bool:
        """Whether something of this instance may have changed since it was last looked at."""
        return instance_id in self._suspect

    def looked(self, instance_id: str, *, well: bool) -> None:
        """Take note that all its members were looked at; *well*: none was lost."""
        if well:
            self._suspect.discard(instance_id)
        else:
            self._suspect.add(instance_id)

    def least(self, beat: Beat, copy: Copy) -> tuple[int, int]:
        """Return what remaining times have to exceed for a beat to be as this one.

        That of the sign of life, or it was down meanwhile; that of the mark, or the run is so long
        that it shows itself differently.
        """
        stage = self._stage(beat.instance_id, copy.server)
        run = LONGEST - self._stages[stage] if stage < len(self._stages) else LONGEST // 2
        return (LONGEST - self._limit - 1, run)

    def _goes_on(self, instance_id: str, server: int, run: Answer, mark: Answer) -> bool:
        number, _ = self._runs.get((instance_id, server), (0, 0))
        if run.reply is None or mark.reply is None:
            return False
        if run.reply.found and mark.reply.found and run.reply.flags == mark.reply.flags == number:
            self._runs[instance_id, server] = (number, LONGEST - mark.reply.ttl)
            return True
        return False

    def _begin_run(self, batch: Batch, instance_id: str, server: int) -> None:
        number = self._random.randrange(1, 2**32)
        self._mark(batch, instance_id, server, number, age=0)
        run = self._signs.run_key(instance_id)
        batch.add(server, commands.write(run, b"", flags=number, ttl=self._ttl))
        self._runs[instance_id, server] = (number, 0)

    def _mark(self, batch: Batch, instance_id: str, server: int, number: int, *, age: int) -> None:
        mark = self._signs.mark_key(instance_id)
        batch.add(server, commands.write(mark, b"", flags=number, ttl=LONGEST - age))

    def _stage(self, instance_id: str, server: int) -> int:
        """Return how long a run is: it shows itself from stage 1 on, and makes room in stage 2."""
        _, age = self._runs.get((instance_id, server), (0, 0))
        first, second = self._stages
        return (age >= first) + (age >= second)

    def _show(self, batch: Batch, instance_id: str, server: int) -> None:
        stage = self._stage(instance_id, server)
        if not stage:
            return
        slot = self._signs.slot(instance_id)
        store = commands.write if stage > 1 else commands.add
        if stage == 1:  # who shows itself there may be us, and lasts as long as a run
            batch.add(server, commands.touch(slot, self._ttl))
        batch.add(server, store(slot, instance_id.encode(), ttl=self._ttl))

    def _alive_flags(self, beat: Beat, before: Mapping[int, Reply]) -> int:
        """Return the client flags of a beat: since when the instance is up.

        It came up now if all that know of it say that it was down.
        """
        key = self._signs.key(beat.instance_id)
        came_up = self._came_up.get(beat.instance_id, 0)
        was_down = []
        for copy in beat.copies:
            reply = before.get(copy.server, copy.renewed.reply)
            if reply is None or not reply.found:
                continue
            state = reply.flags & STATE_MASK
            was_down.append(state == ENDED or LONGEST - reply.ttl > self._limit)
            if not came_up and self._is_alive(key, copy.renewed):
                came_up = reply.flags >> STATE_BITS
        if not came_up or (was_down and all(was_down)):
            came_up = max(0, int(self._servers.now()) - EPOCH)
        self._came_up[beat.instance_id] = came_up
        return came_up << STATE_BITS | ALIVE

    def _is_alive(self, key: bytes, answer: Answer) -> bool:
        reply = answer.reply
        if reply is None or not reply.found or reply.flags & STATE_MASK != ALIVE:
            return False
        return not self._codec.sealed or reply.value == self._signs.alive(key)

    # -- others' beats ------------------------------------------------------------------------

    def moved(self, batch: Batch, instance_ids: set[str]) -> None:
        """Tell these instances, with *batch*, that something of theirs changed."""
        for instance_id in instance_ids:
            key = self._signs.generation_key(instance_id)
            write = commands.write(key, random_name(), ttl=LONGEST)
            for server in self._servers.of(self._signs.key(instance_id)):
                batch.add(server, write)

    def end(self, instance_id: str, reason: str) -> None:
        """Note that an instance is over.

        :raises ServersSilent: no server took it
        """
        key = self._signs.key(instance_id)
        batch = self._servers.batch()
        found = batch.add_everywhere(key, commands.read(key))
        batch.run()
        if all(answer.reply is None for answer in found):
            raise self._servers.silent(self._servers.of(key))
        batch = self._servers.batch()
        for answer in found:
            reply = answer.reply
            if reply is None or (reply.found and reply.flags & STATE_MASK == ENDED):
                continue
            write = commands.write(
                key, self._signs.ended(key, reason), flags=ENDED, ttl=LONGEST, cas=reply.cas
            )
            batch.add(answer.server, write)
            batch.add(answer.server, commands.delete(self._signs.run_key(instance_id)))
        batch.run()

    def last_will(self, instance_id: str, options: Options, reason: str) -> LastWill:
        """See :meth:`servicegroup.driver.Driver.last_will`."""
        key = self._signs.key(instance_id)
        addresses = {index: one.spec for index, one in enumerate(options.servers)}
        arguments = {
            "servers": [addresses[index] for index in self._servers.of(key)],
            "timeout": self._timeout,
            "tls": options.tls_files,
            "key": key.decode(),
            "value": self._signs.ended(key, reason).decode(),
            "flags": ENDED,
            "ttl": LONGEST,
            "run": self._signs.run_key(instance_id).decode(),
        }
        return LastWill(f"{__package__}.last_will:prepared", arguments)

    def forget(self, instance_id: str) -> None:
        """Remove what is kept of an instance that holds no members any more."""
        batch = self._servers.batch()
        for server in self._servers.of(self._signs.key(instance_id)):
            for key in (self._signs.key, self._signs.run_key, self._signs.mark_key):
                batch.add(server, commands.delete(key(instance_id)))
            self._runs.pop((instance_id, server), None)
        batch.run()
