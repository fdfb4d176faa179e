"""A look at one member that was seen before: one request, that tells whether it is the same and up.

This is the most frequent question there is. Whatever is not as it was, or not well, is left to a
whole look.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .client import CLOSE, CLOSED
from .commands import FLAGS, LONGEST, LOOK
from .exchange import Request
from .replies import lines
from .servers import Servers

#: What is read of a server that holds the member and not its sign of life; of one with which all
#: is not well.
_SAME, _OTHER = -1.0, math.inf
_END = b"\r\n" + CLOSED


class Glance:
    """The question about one member, made up once. Usable from any thread.

    :param key: the member's key, whose flags are *line* while it is the same
    :param beat: the key of its instance's sign of life, whose flags are *alive* while it beats
    """

    def __init__(
        self, servers: Servers, key: bytes, line: bytes, beat: bytes, alive: bytes
    ) -> None:
        self.line = line
        self._servers = servers
        self._holders = servers.of(key)
        self._requests: dict[int, Request[float]] = {}
        for server in {*self._holders, *servers.of(beat)}:
            asked, begin, count = b"", b"", 0
            if server in self._holders:
                asked, begin, count = FLAGS.of([key]), line + b"\r\n", 1
            if server in servers.of(beat):
                asked, begin, count = asked + LOOK.of([beat]), begin + alive + b" t", count + 1
                self._requests[server] = Request(asked + CLOSE, _age(begin, count))
            else:
                self._requests[server] = Request(asked + CLOSE, _same(begin + CLOSED, count))

    def age(self) -> float | None:
        """Return the age of the youngest copy of the last beat; ``None`` if all is not well."""
        found = self._servers.exchange(self._requests)
        ages = found.values()
        if not ages or max(ages) == _OTHER or not any(one in found for one in self._holders):
            return None
        return min((age for age in ages if age >= 0), default=None)


def _age(begin: bytes, count: int) -> Callable[[bytes], float | None]:
    start, end, whole = len(begin), -len(_END), lines(count)

    def read(data: bytes) -> float | None:
        if data.startswith(begin) and data.endswith(_END):
            remaining = data[start:end]
            if remaining.isdigit() and int(remaining) <= LONGEST:
                return float(LONGEST - int(remaining))
        return None if whole(data) is None else _OTHER

    return read


def _same(expected: bytes, count: int) -> Callable[[bytes], float | None]:
    whole = lines(count)

    def read(data: bytes) -> float | None:
        if data == expected:
            return _SAME
        return None if whole(data) is None else _OTHER

    return read
