"""Requests that ZooKeeper has and kazoo lacks or takes long for, on kazoo's own serialisation.

``MultiRead`` (opcode 22) reads thousands of nodes in one round trip, ``AddWatch`` (opcode 106) sets
a watch that stays and covers a whole subtree; both came with ZooKeeper 3.6. ``RemoveWatch`` (opcode
18) ends one before its connection ends. A server that does not know a request answers
``UnimplementedError``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from kazoo.exceptions import EXCEPTIONS, NoNodeError
from kazoo.protocol.serialization import GetData, MultiHeader, write_string
from kazoo.protocol.states import ZnodeStat

_HEADER = struct.Struct("!iBi")
_INT = struct.Struct("!i")
_STAT = struct.Struct("!qqqqiiiqiiq")
_READ = MultiHeader(GetData.type, False, -1).serialize()
_END = MultiHeader(-1, True, -1).serialize()
_ERROR = -1
_RECURSIVE = 1
_ANY_KIND = 3


class Node(NamedTuple):
    """A node as read; ``packed`` is its stat, unpacked only where it is wanted."""

    data: bytes
    packed: bytes

    @property
    def stat(self) -> Any:
        """Its ``kazoo.protocol.states.ZnodeStat``."""
        return ZnodeStat._make(_STAT.unpack(self.packed))


def node(data: bytes | None, stat: Any) -> Node:
    """Return what an ordinary read gave as a :class:`Node`."""
    return Node(data or b"", _STAT.pack(*stat))


class MultiRead:
    """Reads the data of many nodes. *paths* are the server's: with the chroot, if there is one."""

    type = 22

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths

    def serialize(self) -> bytes:
        """Return the request's body."""
        parts: list[bytes] = []
        for path in self.paths:
            parts += (_READ, write_string(path), b"\0")
        return b"".join([*parts, _END])

    @classmethod
    def deserialize(cls, buffer: bytes, offset: int) -> tuple[bytes, int]:
        """Return the reply as it came: this runs on the thread that keeps the session alive."""
        return buffer, offset


def nodes(buffer: bytes, offset: int) -> list[Node | None]:
    """Take a reply to :class:`MultiRead` apart: ``None`` stands for a node that is not there.

    :raises kazoo.exceptions.ZookeeperError: one of them could not be read for another reason
    """
    found: list[Node | None] = []
    header, integer, stat_size = _HEADER.unpack_from, _INT.unpack_from, _STAT.size
    while True:
        kind, done, _ = header(buffer, offset)
        offset += _HEADER.size
        if done:
            return found
        if kind == _ERROR:
            (error,) = integer(buffer, offset)
            offset += _INT.size
            if error != NoNodeError.code:
                raise EXCEPTIONS[error]()
            found.append(None)
            continue
        begin = offset + _INT.size
        (length,) = integer(buffer, offset)
        offset = begin + max(0, length)
        found.append(Node(buffer[begin:offset], buffer[offset : offset + stat_size]))
        offset += stat_size


def contents(buffer: bytes, offset: int) -> list[bytes | None]:
    """Return the data only, in half the time: see :func:`nodes`."""
    found: list[bytes | None] = []
    header, header_size, integer = _HEADER.unpack_from, _HEADER.size, _INT.unpack_from
    step, stat_size, append = _HEADER.size + _INT.size, _STAT.size, found.append
    while True:
        kind, done, _ = header(buffer, offset)
        if done:
            return found
        (number,) = integer(buffer, offset + header_size)
        offset += step
        if kind != _ERROR:
            end = offset + number if number > 0 else offset
            append(buffer[offset:end])
            offset = end + stat_size
        elif number == NoNodeError.code:
            append(None)
        else:
            raise EXCEPTIONS[number]()


class Children:
    """Names the nodes below *path*: kazoo's own request, its reply read in half the time."""

    type = 8

    def __init__(self, path: str) -> None:
        self.path = path

    def serialize(self) -> bytes:
        """Return the request's body."""
        return bytes(write_string(self.path)) + b"\0"

    @classmethod
    def deserialize(cls, buffer: bytes, offset: int) -> tuple[bytes, int]:
        """Return the reply as it came: this runs on the thread that keeps the session alive."""
        return buffer, offset


def names(buffer: bytes, offset: int) -> list[str]:
    """Take a reply to :class:`Children` apart."""
    integer, size = _INT.unpack_from, _INT.size
    (count,) = integer(buffer, offset)
    offset += size
    found: list[str] = []
    append = found.append
    # Text of one byte a letter can be cut where the bytes would be.
    text = buffer.decode("ascii") if buffer.isascii() else None
    for _ in range(count):
        begin = offset + size
        offset = begin + integer(buffer, offset)[0]
        append(buffer[begin:offset].decode() if text is None else text[begin:offset])
    return found


class _Watching:
    """What is said of watches: a path and which of them."""

    type: ClassVar[int]
    which: ClassVar[int]

    def __init__(self, path: str) -> None:
        self.path = path

    def serialize(self) -> bytes:
        """Return the request's body."""
        return bytes(write_string(self.path)) + _INT.pack(self.which)

    @classmethod
    def deserialize(cls, buffer: bytes, offset: int) -> bool:  # noqa: ARG003
        """Return that it is done: a refusal is in the reply's header."""
        return True


class AddWatch(_Watching):
    """Sets a watch on *path* and all below; it stays until it is removed or the connection ends."""

    type, which = 106, _RECURSIVE


class RemoveWatch(_Watching):
    """Ends the watches that this connection has on *path*; ``NoWatcherError`` if there are none."""

    type, which = 18, _ANY_KIND
