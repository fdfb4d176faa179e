"""What a collector's process and its parent say to each other: frames of msgpack over one channel.

::

    parent  Begin, Known...                    Poll      Go             Poll ...
    child                     Ready | Failed        Read    Rows... End       Read(error) ...

A frame is its length in four bytes, and one message. Nobody but the two ends ever reads it, so it
has no version.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import msgspec

#: Bytes: a longer frame is not ours.
LARGEST = 64 * 1024 * 1024
_LENGTH = struct.Struct("!I")


class Message(msgspec.Struct, array_like=True, tag=True):
    """One message."""


class Begin(Message):
    """The first one: which plugin to be, and how. ``origin`` is ``module:class``."""

    origin: str
    name: str
    options: dict[str, Any]
    types: list[str]
    memory_limit: int
    max_entities: int
    environment: dict[bytes, bytes]
    directory: bytes


class Known(Message):
    """Part of the baseline: keys of one type, each with its mark."""

    entity_type: str
    marks: list[tuple[str, int]]


class Poll(Message):
    """Read the source: all of it, or what changed ``since``.

    ``doubted``: type and key of what somebody else told of meanwhile, and whether it is there by
    that; their marks mean nothing any more.
    ``within``: seconds after which it is hopeless.
    """

    since: float | None
    doubted: list[tuple[str, str, bool]]
    within: float


class Go(Message):
    """Send what was read, or forget it."""

    send: bool


class Ready(Message):
    """The plugin is there, and this is what it delivers."""

    types: list[str]


class Failed(Message):
    """There is no plugin; the process ends."""

    reason: str


class Log(Message):
    """Something that the plugin logged."""

    level: int
    name: str
    text: str


class Read(Message):
    """What a poll found; with ``error`` nothing of it counts.

    ``known``: size of the baseline before; ``gone``: how many of these were missing;
    ``newest``: the latest time of any entity; ``fatal``: the process ends with this.
    """

    error: str = ""
    read: int = 0
    changed: int = 0
    gone: int = 0
    known: int = 0
    duplicates: int = 0
    newest: float | None = None
    fatal: bool = False


class Row(msgspec.Struct, array_like=True):
    """One entity that changed; ``data`` is the whole of it, encoded; empty: it was deleted."""

    type: str
    key: str
    mark: int
    digest: int
    parent_key: str | None
    project: str | None
    timestamp: float | None
    data: bytes


class Rows(Message):
    """Some entities that changed."""

    rows: list[Row]


class Gone(Message):
    """Keys of one type that were not there any more."""

    entity_type: str
    keys: list[str]


class End(Message):
    """All rows were sent."""


ToChild = Begin | Known | Poll | Go
ToParent = Ready | Failed | Log | Read | Rows | Gone | End

_encode = msgspec.msgpack.Encoder().encode
_of_child = msgspec.msgpack.Decoder(ToParent)
_of_parent = msgspec.msgpack.Decoder(ToChild)


def frame(message: Message) -> bytes:
    """Return *message* as a frame.

    :raises ValueError: it is too long
    """
    body = _encode(message)
    if len(body) > LARGEST:
        raise ValueError(f"{len(body)} bytes at once, at most {LARGEST} are possible")
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Puts the bytes of a channel together to messages."""

    def __init__(self) -> None:
        self._heard = bytearray()

    def feed(self, data: bytes) -> Iterator[memoryview]:
        """Take in what came and yield the body of each frame that is complete.

        :raises ValueError: the other end speaks something else
        """
        self._heard += data
        start = 0
        while len(self._heard) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._heard, start)
            if length > LARGEST:
                raise ValueError(f"it says something of {length} bytes")
            end = start + _LENGTH.size + length
            if len(self._heard) < end:
                break
            yield memoryview(bytes(self._heard[start + _LENGTH.size : end]))
            start = end
        del self._heard[:start]


def from_child(body: memoryview) -> ToParent:
    """Return the message of a frame.

    :raises msgspec.MsgspecError: it is none that a child sends
    """
    message: ToParent = _of_child.decode(body)
    return message


def from_parent(body: memoryview) -> ToChild:
    """Return the message of a frame."""
    message: ToChild = _of_parent.decode(body)
    return message
