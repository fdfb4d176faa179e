"""Keys and values of signs of life, and of what is kept beside them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

from . import commands
from .codec import Codec, as_mapping
from .commands import LONGEST

#: What is in the lowest bits of the client flags of a sign of life.
ALIVE, ENDED, MARKED = 0, 1, 2
#: In the bits above: when an instance came up, in seconds from here, the first of January 2020.
STATE_BITS = 2
STATE_MASK = (1 << STATE_BITS) - 1
EPOCH = 1577836800
#: Places on each server in which those with unbroken beats show themselves.
SLOTS = 128

_ALIVE = b"alive"
_MARKED = b"lost"


class Signs:
    """Names them, and tells what they say. Usable from any thread."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def key(self, instance_id: str) -> bytes:
        """Return the key of an instance's sign of life, which its other keys live beside."""
        return self._codec.instance(b"b", instance_id)

    def keys(self, instance_ids: Sequence[str]) -> list[bytes]:
        """Return the keys of instances' signs of life."""
        return self._codec.instances(b"b", instance_ids)

    def run_key(self, instance_id: str) -> bytes:
        """Return the key that is there while an instance's beats are unbroken."""
        return self._codec.instance(b"s", instance_id)

    def mark_key(self, instance_id: str) -> bytes:
        """Return the key that was set when the run with the same client flags began."""
        return self._codec.instance(b"r", instance_id)

    def slot(self, instance_id: str) -> bytes:
        """Return the key in which an instance shows itself while its beats are unbroken."""
        return self._slot(zlib.crc32(instance_id.encode()) % SLOTS)

    def slots(self) -> list[bytes]:
        """Return all keys in which such instances show themselves, the same on every server."""
        return [self._slot(number) for number in range(SLOTS)]

    def _slot(self, number: int) -> bytes:
        return self._codec.key(b"w", b"%d" % number)

    def mark(self, key: bytes) -> bytes:
        """Return the command that notes, where a sign of life is missing, that it was missed."""
        return commands.add(key, self._codec.seal(key, _MARKED), flags=MARKED, ttl=LONGEST)

    def genuine(self, key: bytes, state: int, value: bytes) -> bool:
        """Whether a sign of life in this state was written by one of us."""
        if not self._codec.sealed:
            return True
        payload = self._codec.open(key, value)
        if payload is None:
            return False
        return state == ENDED or payload == (_ALIVE if state == ALIVE else _MARKED)

    def reason(self, key: bytes, value: bytes) -> str:
        """Return why an instance ended."""
        payload = self._codec.open(key, value)
        try:
            said = as_mapping(json.loads(payload)) if payload is not None else {}
        except ValueError:
            said = {}
        reason = said.get("reason")
        return reason if isinstance(reason, str) else ""

    def ended(self, key: bytes, reason: str) -> bytes:
        """Return the value of one that ended."""
        return self._codec.seal(key, json.dumps({"reason": reason}).encode())

    def alive(self, key: bytes) -> bytes:
        """Return the value of one that beats."""
        return self._codec.seal(key, _ALIVE)

    def generation_key(self, instance_id: str) -> bytes:
        """Return the key that others replace when something of an instance changed."""
        return self._codec.instance(b"g", instance_id)
