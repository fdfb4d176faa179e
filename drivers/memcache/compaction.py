"""Compaction: names of members that left are taken out of a group's index, now and then.

Joining appends to the index and nobody takes out; what is listed is decided by the members' own
keys. A shard is replaced only if nothing was appended since it was read, and only then the members
are looked at: whoever joins writes its member first and its name second, so that a name which was
there before the member cannot be lost.
"""

from __future__ import annotations

import threading
import time

from .codec import LEFT_FLAG, Codec
from .commands import LONGEST, LOOK
from .index import Index
from .reading import ABSENT, Reader
from .servers import Servers

#: Names too many, beside as many again as there are members, before it is worth the work.
SLACK = 256
#: Seconds for which a name is kept at least after its member left or was missed.
SHORTEST = 60.0


class Compactor:
    """Shrinks indexes. Usable from any thread; each group is shrunk by one at a time."""

    def __init__(self, servers: Servers, codec: Codec, index: Index, limit: float) -> None:
        self._servers = servers
        self._codec = codec
        self._index = index
        self._reader = Reader(servers, codec)
        self._window = max(limit, SHORTEST)
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._tried: dict[str, float] = {}
        # Names whose member's key was absent, and since when (monotonic).
        self._missed: dict[bytes, float] = {}

    def consider(self, group_id: str, names: int, members: int) -> None:
        """Shrink the index of a group if it has far more names than members."""
        if names <= 2 * members + SLACK:
            return
        now = time.monotonic()
        with self._lock:
            if group_id in self._busy or now - self._tried.get(group_id, -1e9) < self._window / 4:
                return
            self._busy.add(group_id)
            self._tried[group_id] = now
        try:
            self.shrink(group_id)
        finally:
            self._busy.discard(group_id)

    def shrink(self, group_id: str) -> int:
        """Take out of a group's index what is no member any more; returns the names taken out."""
        shards, _ = self._index.read(group_id)
        names = list(dict.fromkeys(name for shard in shards for name in shard.names))
        gone = self._gone(names)
        taken = 0
        for shard in shards:
            kept = [name for name in dict.fromkeys(shard.names) if name not in gone]
            if len(kept) < len(shard.names) and self._index.replace(shard, kept):
                taken += len(shard.names) - len(kept)
        return taken

    def _gone(self, names: list[bytes]) -> set[bytes]:
        keys = [self._codec.key(b"m", name) for name in names]
        gone: set[bytes] = set()
        first = self._reader.lines(keys, LOOK, 0)
        second = self._reader.lines(keys, LOOK, 1)
        now = time.monotonic()
        for name, key, here, there in zip(names, keys, first, second, strict=True):
            copies = [copy for copy in (here, there) if copy is not None]
            if len(copies) < len(self._servers.of(key)):
                continue  # whoever did not answer may hold it
            if all(line == ABSENT for line in copies):
                missed = self._missed.setdefault(name, now)
                if now - missed > self._window:
                    gone.add(name)
                continue
            self._missed.pop(name, None)
            if all(line == ABSENT or self._left_long_ago(line) for line in copies):
                gone.add(name)
        for name in gone:
            self._missed.pop(name, None)
        return gone

    def _left_long_ago(self, line: bytes) -> bool:
        tokens = line.split(b" ")
        if len(tokens) != 3:
            return False
        flags, ttl = int(tokens[1][1:]), int(tokens[2][1:])
        return bool(flags & LEFT_FLAG) and ttl >= 0 and LONGEST - ttl > self._window
