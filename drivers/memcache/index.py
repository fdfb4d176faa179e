"""The index: which members a group has, and which groups there are.

A group's index is sixteen keys, each a list of member names that grows by the server's own
``append``: joining costs the same at any size. The client flags of such a shard are its *epoch*, a
random number given when it is made and kept by every append. Each beat reads the epochs of its own
shards; a new one, or none, means that the shard was lost and begun anew by others, so that the
names have to be appended again.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from pymemcache.exceptions import MemcacheServerError

from servicegroup.model import Member

from . import commands
from .codec import GROUP_LETTERS, MEMBER_LETTERS, Codec
from .servers import Answer, Batch, Servers

#: Keys of one group's index; a shard holds 40,000 members in memcached's default 1 MB.
SHARDS = 16
_ATTEMPTS = 10
_NAME = re.compile(rb"[A-Za-z0-9_-]+")

Wanted = Mapping[bytes, Collection[bytes]]


class Shard(NamedTuple):
    """One copy of a shard as read: names in the order they came, doubles and all."""

    key: bytes
    server: int
    names: list[bytes]
    epoch: int
    cas: int


class Appended(NamedTuple):
    """Names on their way into a shard."""

    server: int
    shard: bytes
    names: list[bytes]
    epoch: Answer
    done: Answer


class Index:
    """Adds names and reads them. Usable from any thread."""

    def __init__(self, servers: Servers, codec: Codec) -> None:
        self._servers = servers
        self._codec = codec
        self._groups = codec.key(b"i", b"groups")
        self._lock = threading.Lock()
        # (server, shard): its epoch, and the names that we know to be in it.
        self._asserted: dict[tuple[int, bytes], tuple[int, set[bytes]]] = {}
        self._random = random.SystemRandom()

    def wanted(self, members: Iterable[Member]) -> dict[bytes, set[bytes]]:
        """Return what has to be in the index for these members: {shard: names}."""
        wanted: dict[bytes, set[bytes]] = {}
        for group_id, member_id, *_ in members:
            name = self._codec.member_name(group_id, member_id)
            wanted.setdefault(self.shard(group_id, name), set()).add(name)
            wanted.setdefault(self._groups, set()).add(self._codec.group_name(group_id))
        return wanted

    def shard(self, group_id: str, name: bytes) -> bytes:
        """Return the key of the shard that a member's name belongs to."""
        return self._shard(self._codec.group_name(group_id), int.from_bytes(name[:2], "big"))

    @property
    def count(self) -> int:
        """How many shards a group has."""
        return SHARDS

    # -- writing ------------------------------------------------------------------------------

    def forget(self, wanted: Wanted) -> None:
        """Append these names anew when they are next asserted: their place was lost."""
        with self._lock:
            for shard, names in wanted.items():
                for server in self._servers.of(shard):
                    if (server, shard) in self._asserted:
                        self._asserted[server, shard][1].difference_update(names)

    def begin(self, batch: Batch, wanted: Wanted) -> list[tuple[bytes, Answer]]:
        """Add to a beat what tells whether these names are still in their shards."""
        return [
            (shard, answer)
            for shard in wanted
            for answer in batch.add_everywhere(shard, commands.flags(shard))
        ]

    def finish(self, looks: list[tuple[bytes, Answer]], wanted: Wanted) -> bool:
        """Append again what a beat found to be lost; whether there was nothing."""
        lost: dict[bytes, Collection[bytes]] = {}
        for shard, answer in looks:
            reply = answer.reply
            if reply is None:
                continue
            with self._lock:
                epoch, names = self._asserted.get((answer.server, shard), (0, set()))
                if not reply.found or reply.flags != epoch:
                    self._asserted.pop((answer.server, shard), None)
                    names = set()
            if not names.issuperset(wanted[shard]):
                lost[shard] = wanted[shard]
        if lost:
            self.add(lost)
        return not lost

    def add(self, wanted: Wanted, sent: Iterable[Appended] = ()) -> None:
        """See to it that these names are in their shards, on every server that answers.

        :param sent: what was appended with another batch, which was run by now
        :raises ServersSilent: there is a shard that no server took a name for
        """
        todo = [(server, shard) for shard in wanted for server in self._servers.of(shard)]
        absent = self._appended(sent)
        for _ in range(_ATTEMPTS):
            if not absent:
                batch = self._servers.batch()
                some = self._append(batch, todo, wanted)
                batch.run()
                absent = self._appended(some)
            if not absent:
                break
            self._make(absent, wanted)
            absent = []
        for shard, names in wanted.items():
            copies = self._servers.of(shard)
            if not any(self._holds(server, shard, names) for server in copies):
                raise self._servers.silent(copies)

    def append(self, batch: Batch, wanted: Wanted) -> list[Appended]:
        """Put into *batch* what appends these names, as far as they are not known to be there."""
        todo = [(server, shard) for shard in wanted for server in self._servers.of(shard)]
        return self._append(batch, todo, wanted)

    def _holds(self, server: int, shard: bytes, names: Collection[bytes]) -> bool:
        with self._lock:
            return self._asserted.get((server, shard), (0, set()))[1].issuperset(names)

    def _append(
        self, batch: Batch, todo: Iterable[tuple[int, bytes]], wanted: Wanted
    ) -> list[Appended]:
        sent = []
        for server, shard in todo:
            with self._lock:
                held = self._asserted.get((server, shard), (0, set()))[1]
                names = [name for name in wanted[shard] if name not in held]
            if names:
                epoch = batch.add(server, commands.flags(shard))
                done = batch.add(server, commands.append(shard, _entries(names)))
                sent.append(Appended(server, shard, names, epoch, done))
        return sent

    def _appended(self, sent: Iterable[Appended]) -> list[tuple[int, bytes]]:
        """Take note of what was appended; returns the shards that do not exist."""
        absent = []
        for server, shard, names, epoch, done in sent:
            if done.reply is None or epoch.reply is None:
                continue
            if done.reply.code == b"NS" or not epoch.reply.found:
                absent.append((server, shard))
            elif done.reply.done:
                self._note(server, shard, epoch.reply.flags, names)
            else:
                raise MemcacheServerError(f"no room in the index: {done.reply.code.decode()}")
        return absent

    def _make(self, todo: list[tuple[int, bytes]], wanted: Wanted) -> None:
        """Begin shards that do not exist; to those that somebody else just began is appended."""
        batch = self._servers.batch()
        sent = []
        for server, shard in todo:
            epoch, names = self._random.randrange(1, 2**32), wanted[shard]
            add = commands.add(shard, _entries(names), flags=epoch)
            sent.append((server, shard, epoch, batch.add(server, add)))
        batch.run()
        for server, shard, epoch, answer in sent:
            if answer.reply is not None and answer.reply.done:
                self._note(server, shard, epoch, wanted[shard])

    def _note(self, server: int, shard: bytes, epoch: int, names: Iterable[bytes]) -> None:
        with self._lock:
            before, held = self._asserted.get((server, shard), (0, set()))
            held = held if before == epoch else set()
            self._asserted[server, shard] = (epoch, held | set(names))

    # -- reading ------------------------------------------------------------------------------

    def read(self, group_id: str) -> tuple[list[Shard], set[bytes]]:
        """Read a group's index: all copies of all shards, and the shards nobody answered for."""
        return self.read_named(self._codec.group_name(group_id))

    def read_named(self, group: bytes) -> tuple[list[Shard], set[bytes]]:
        """Read the index of a group of which only the hashed name is known."""
        return self._read([self._shard(group, number) for number in range(SHARDS)], MEMBER_LETTERS)

    def groups(self) -> list[bytes]:
        """Read the names of all groups that ever had members.

        :raises ServersSilent: no server that holds them answered
        """
        shards, unread = self._read([self._groups], GROUP_LETTERS)
        if unread:
            raise self._servers.silent(self._servers.of(self._groups))
        return list(dict.fromkeys(name for shard in shards for name in shard.names))

    def replace(self, shard: Shard, names: Iterable[bytes]) -> bool:
        """Store a shard with these names alone if it did not change; whether that was done."""
        batch = self._servers.batch()
        write = commands.write(shard.key, _entries(names), flags=shard.epoch, cas=shard.cas)
        answer = batch.add(shard.server, write)
        batch.run()
        return answer.reply is not None and answer.reply.done

    def _read(self, keys: list[bytes], letters: int) -> tuple[list[Shard], set[bytes]]:
        batch = self._servers.batch()
        asked = [(key, batch.add_everywhere(key, commands.read(key))) for key in keys]
        batch.run()
        shards, unread = [], set()
        for key, answers in asked:
            found = [answer for answer in answers if answer.reply is not None]
            if not found:
                unread.add(key)
            for answer in found:
                reply = answer.reply
                if reply is not None and reply.value is not None:
                    names = self._names(key, reply.value, letters)
                    shards.append(Shard(key, answer.server, names, reply.flags, reply.cas))
        return shards, unread

    def _names(self, key: bytes, value: bytes, letters: int) -> list[bytes]:
        names = value.split(b"\n")[1:]
        if len(value) != len(names) * (letters + 1) or not _NAME.fullmatch(b"".join(names)):
            whole = [name for name in names if len(name) == letters and _NAME.fullmatch(name)]
            if value and len(whole) * (letters + 1) != len(value):
                self._codec.refuse(key, "parts of it are no names of members")
            return whole
        return names

    def _shard(self, group: bytes, number: int) -> bytes:
        return self._codec.key(b"i", b"%b:%x" % (group, number % SHARDS))


def _entries(names: Iterable[bytes]) -> bytes:
    return b"".join(b"\n" + name for name in names)
