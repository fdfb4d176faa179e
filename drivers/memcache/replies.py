"""Reading the replies to meta commands: see memcached's ``doc/protocol.txt``.

Each function here makes a reader of the replies to so many commands, which says ``None`` while
their end is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pymemcache.exceptions import MemcacheUnknownError

from .client import CLOSED


class Reply(NamedTuple):
    """The answer to one command: its code and what came with it, as far as it was asked for."""

    code: bytes
    value: bytes | None = None
    flags: int = 0
    ttl: int = -1
    cas: int = 0

    @property
    def found(self) -> bool:
        """Whether a read found its key."""
        return self.code in (b"HD", b"VA")

    @property
    def done(self) -> bool:
        """Whether a write was carried out."""
        return self.code == b"HD"


def replies(count: int) -> Callable[[bytes], list[Reply] | None]:
    """Return a parser of *count* replies of any kind."""

    def parse(data: bytes) -> list[Reply] | None:
        parsed = []
        at = 0
        for _ in range(count):
            end = data.find(b"\r\n", at)
            if end < 0:
                return None
            code, *tokens = data[at:end].split(b" ")
            at = end + 2
            value = None
            if code == b"VA":
                size = int(tokens.pop(0))
                value = data[at : at + size]
                at += size + 2
            parsed.append(_reply(code, value, tokens))
        return parsed if _ends(data, at) else None

    return parse


def lines(count: int) -> Callable[[bytes], list[bytes] | None]:
    """Return a parser of *count* replies that carry no value, each as its line."""

    def parse(data: bytes) -> list[bytes] | None:
        found = data.split(b"\r\n")
        if len(found) < count + 2:
            return None
        if len(found) > count + 2:
            raise MemcacheUnknownError("more replies than commands")
        del found[count:]
        return found

    return parse


def values(count: int) -> Callable[[bytes], list[tuple[bytes, bytes] | bytes] | None]:
    """Read *count* replies to ``mg <key> v f``: the token of the flags and the value, or a line."""

    def parse(data: bytes) -> list[tuple[bytes, bytes] | bytes] | None:
        parsed: list[tuple[bytes, bytes] | bytes] = []
        add, find = parsed.append, data.find
        at = 0
        for _ in range(count):
            end = find(b"\r\n", at)
            if end < 0:
                return None
            if data.startswith(b"VA ", at):
                size, flags = data[at + 3 : end].split(b" ")
                at = end + 2 + int(size)
                add((flags, data[end + 2 : at]))
                at += 2
            else:
                add(data[at:end])
                at = end + 2
        return parsed if _ends(data, at) else None

    return parse


def _ends(data: bytes, at: int) -> bool:
    """Whether all replies are there; what looked like the end may have been within a value."""
    if len(data) > at + len(CLOSED):
        raise MemcacheUnknownError("more replies than commands")
    return data.startswith(CLOSED, at)


def _reply(code: bytes, value: bytes | None, tokens: list[bytes]) -> Reply:
    flags, ttl, cas = 0, -1, 0
    for token in tokens if code in (b"HD", b"VA") else ():
        kind = token[:1]
        if kind == b"f":
            flags = int(token[1:])
        elif kind == b"t":
            ttl = int(token[1:])
        elif kind == b"c":
            cas = int(token[1:])
    return Reply(code, value, flags, ttl, cas)
