"""A look at one member that was seen before: one request, that tells whether it is the same.

This is the most frequent question there is. Whatever is not as it was is left to a whole look.
"""

from __future__ import annotations

from collections.abc import Callable

from .client import CLOSE, CLOSED
from .commands import FLAGS, LOOK
from .exchange import Request
from .replies import lines
from .servers import Servers

#: What is read of a server that has nothing to say of the sign of life; of one where the member is
#: not the same.
_NOTHING, _OTHER = b"", b"other"
_END = b"\r\n" + CLOSED


class Glance:
    """The question about one member, made up once. Usable from any thread.

    :param key: the member's key, of which *line* is said while it is the same
    :param beat: the key of its instance's sign of life
    """

    def __init__(self, servers: Servers, key: bytes, line: bytes, beat: bytes) -> None:
        self.line = line
        self._servers = servers
        self._holders = servers.of(key)
        self._requests: dict[int, Request[bytes]] = {}
        beaten = servers.of(beat)
        for server in {*self._holders, *beaten}:
            asked, same = (FLAGS.of([key]), line) if server in self._holders else (b"", None)
            if server in beaten:
                self._requests[server] = Request(asked + LOOK.of([beat]) + CLOSE, _said(same))
            else:
                self._requests[server] = Request(asked + CLOSE, _same(line))

    def look(self) -> list[bytes] | None:
        """Return what servers say of the sign of life; ``None`` if the member may have changed."""
        found = self._servers.exchange(self._requests)
        said = found.values()
        if _OTHER in said or not any(one in found for one in self._holders):
            return None
        return [line for line in said if line]


def _said(same: bytes | None) -> Callable[[bytes], bytes | None]:
    begin, count = (b"", 1) if same is None else (same + b"\r\n", 2)
    start, end, whole = len(begin), -len(_END), lines(count)

    def read(data: bytes) -> bytes | None:
        if data.startswith(begin) and data.endswith(_END):
            said = data[start:end]
            if b"\r" not in said:
                return said
        return None if whole(data) is None else _OTHER

    return read


def _same(line: bytes) -> Callable[[bytes], bytes | None]:
    expected, whole = line + _END, lines(1)

    def read(data: bytes) -> bytes | None:
        if data == expected:
            return _NOTHING
        return None if whole(data) is None else _OTHER

    return read
