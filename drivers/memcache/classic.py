"""Servers without meta commands: each command is carried out by pymemcache's classic ones.

memcached before 1.6 and most servers that merely speak its protocol are such. There nobody can ask
for the time that a key has left. So every value begins with the moment at which it ends, by the
server's own clock, and whatever is renewed is written again, on condition that nobody else did.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheUnknownError

#: What shows whether there are meta commands, and what is said where they are. Longer than ``mn``,
#: for which a server that waits for TLS would wait.
PROBE, KNOWN = b"mg servicegroup", (b"EN", b"HD")
#: Seconds that the server keeps a key beyond the end that its value names: it may count behind.
_BEYOND = 2
_LONGEST = 30 * 86400
#: Lost races for one key before giving up.
_ATTEMPTS = 20


class Flagged:
    """Lets pymemcache return values with their client flags."""

    def serialize(self, _: object, value: bytes) -> tuple[bytes, int]:
        """Return a value as it is; its flags are given beside it."""
        return value, 0

    def deserialize(self, _: object, value: bytes, flags: int) -> tuple[bytes, int]:
        """Return a value with its flags."""
        return value, flags


class Item(NamedTuple):
    """What is under a key; *left* is -1 where it has no end."""

    value: bytes
    flags: int
    cas: bytes
    left: int


def packed(value: bytes, ttl: int, now: int) -> bytes:
    """Return a value with the moment at which it ends before it; 0 is never."""
    return b"%d %b" % (now + ttl if ttl else 0, value)


def kept_for(ttl: int) -> int:
    """Return the time for which the server is to keep what ends after *ttl* seconds."""
    return min(ttl + _BEYOND, _LONGEST) if ttl else 0


class Classic:
    """Carries out requests of meta commands on a connection without them.

    :param client: whose ``serde`` is :class:`Flagged`
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def reply(self, request: bytes, deadline: float) -> bytes:
        """Carry out all commands of *request* and return what a newer server would reply."""
        commands = list(_commands(request))
        now = self.now()
        replies: list[bytes] = []
        keys = [tokens[1] for tokens, _ in commands if tokens[0] == b"mg"]
        read = self._read(keys, now) if len(keys) > 1 else {}
        for tokens, value in commands:
            sock = self._client.sock
            left = deadline - time.monotonic()
            if left <= 0 or sock is None:
                raise TimeoutError("timed out")
            sock.settimeout(left)
            if tokens[0] == b"mg":
                # What was written in this request is newer than what was read before.
                fresh = len(keys) == 1 or tokens[1] not in read
                item = self._read(tokens[1:2], now).get(tokens[1]) if fresh else read[tokens[1]]
                replies.append(self._get(tokens, item, now))
            elif tokens[0] == b"ms":
                read.pop(tokens[1], None)
                replies.append(self._set(tokens, value, now))
            elif tokens[0] == b"md":
                read.pop(tokens[1], None)
                replies.append(b"HD" if self._client.delete(tokens[1], noreply=False) else b"NF")
            else:
                replies.append(b"MN")
        if self._client.sock is not None:
            self._client.sock.settimeout(self._client.timeout)
        return b"\r\n".join([*replies, b""])

    def now(self) -> int:
        """Return the server's clock, in whole seconds."""
        told = self._client.stats().get(b"time")
        if not isinstance(told, int):
            raise MemcacheUnknownError("it does not tell its time")
        return told

    def _read(self, keys: Sequence[bytes], now: int) -> dict[bytes, Item | None]:
        items: dict[bytes, Item | None] = dict.fromkeys(keys)
        for key, ((value, flags), cas) in self._client.gets_many(list(items)).items():
            end, blank, rest = value.partition(b" ")
            if not blank or not end.isdigit():
                items[key] = Item(value, flags, cas, -1)  # it is none of ours
            elif end == b"0" or int(end) > now:
                items[key] = Item(rest, flags, cas, int(end) - now if end != b"0" else -1)
        return items

    def _get(self, tokens: Sequence[bytes], item: Item | None, now: int) -> bytes:
        ttl = next((int(one[1:]) for one in tokens[2:] if one.startswith(b"T")), None)
        before = item
        for _ in range(_ATTEMPTS):
            if item is None or ttl is None:
                break
            value = packed(item.value, ttl, now)
            if self._store("cas", tokens[1], value, ttl, item.flags, cas=item.cas):
                break
            before = item = self._read(tokens[1:2], now)[tokens[1]]
        if before is None:
            return b"EN"
        told = {b"f": before.flags, b"t": before.left, b"c": int(before.cas)}
        line = b"".join(b" %b%d" % (one, told[one]) for one in tokens[2:] if one in told)
        if b"v" in tokens[2:]:
            return b"VA %d%b\r\n%b" % (len(before.value), line, before.value)
        return b"HD" + line

    def _set(self, tokens: Sequence[bytes], value: bytes, now: int) -> bytes:
        key, options = tokens[1], {one[:1]: one[1:] for one in tokens[3:]}
        if options.get(b"M") == b"A":
            return b"HD" if self._client.append(key, value, noreply=False) else b"NS"
        flags, ttl = int(options.get(b"F", 0)), int(options.get(b"T", 0))
        value = packed(value, ttl, now)
        if b"C" in options:
            done = self._store("cas", key, value, ttl, flags, cas=options[b"C"])
            return b"HD" if done else b"NF" if done is None else b"EX"
        if options.get(b"M") != b"E":
            return b"HD" if self._store("set", key, value, ttl, flags) else b"NS"
        if self._store("add", key, value, ttl, flags):
            return b"HD"
        [(_, cas)] = self._client.gets_many([key]).values() or [(None, None)]
        if cas is not None and self._read([key], now)[key] is None:  # it has ended, but is there
            return b"HD" if self._store("cas", key, value, ttl, flags, cas=cas) else b"NS"
        return b"NS"

    def _store(
        self, how: str, key: bytes, value: bytes, ttl: int, flags: int, **more: bytes
    ) -> bool | None:
        done: bool | None = getattr(self._client, how)(
            key, value, expire=kept_for(ttl), noreply=False, flags=flags, **more
        )
        return done


def _commands(request: bytes) -> Iterator[tuple[list[bytes], bytes]]:
    """Yield the tokens of each command and the value that comes with it."""
    at = 0
    while at < len(request):
        end = request.index(b"\r\n", at)
        tokens, at = request[at:end].split(b" "), end + 2
        value = b""
        if tokens[0] == b"ms":
            size = int(tokens[2])
            value = request[at : at + size]
            at += size + 2
        yield tokens, value
