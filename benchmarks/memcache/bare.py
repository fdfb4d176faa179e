"""pymemcache by hand, on the same keys and values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pymemcache.client.base import Client

from benchmarks import rivals
from benchmarks.places import member, member_id
from servicegroup.drivers.memcache.codec import ROW_HEAD, Codec, Place
from servicegroup.drivers.memcache.index import SHARDS
from servicegroup.model import Member

#: Where an instance is named in the list that is a member's value.
_INSTANCE = ROW_HEAD + Member._fields.index("instance_id")
#: What the bare client keeps its own list of names in, out of everybody's sight.
_NAMES = "bare:names"
_TTL = 86400


class BareMemcache(rivals.Bare):
    """One connection; every reply is read."""

    def __init__(self, address: str) -> None:
        self._client = Client(address, default_noreply=False, no_delay=True)
        self._codec = Codec(b"servicegroup", None)
        self._value = self._codec.encode(b"", Place(member(0, "0" * 36)))

    def close(self) -> None:
        self._client.close()

    def objects(self, group: str) -> Any:
        """Get the index, all members it names, and the signs of life that these name."""
        codec, name = self._codec, self._codec.group_name(group)
        shards = [codec.key(b"i", b"%b:%x" % (name, number)) for number in range(SHARDS)]
        names = b"".join(self._client.get_many(shards).values()).split(b"\n")[1:]
        values = self._client.get_many([codec.key(b"m", one) for one in names])
        rows = json.loads(b"[" + b",".join(values.values()) + b"]")
        signs = self._client.get_many([f"servicegroup:b:{row[_INSTANCE]}" for row in rows])
        return rows, signs

    load = objects
    again = objects

    def one(self, group: str, member: str) -> Any:
        return self._client.get(self._codec.key(b"m", self._codec.member_name(group, member)))

    def beat(self, instance: str) -> bool:
        touched: bool = self._client.touch(f"servicegroup:b:{instance}", 30 * _TTL)
        return touched

    def join(self, name: str) -> None:
        """Name it in a list, and store it."""
        entry = b"\n%-20b" % name.encode()
        if not self._client.append(_NAMES, entry):
            self._client.add(_NAMES, entry)
        self._client.set(f"bare:{name}", self._value, expire=_TTL)

    def join_many(self, count: int) -> Callable[[str], None]:  # noqa: ARG002
        return self.join

    def join_all(self, group: str, size: int) -> None:  # noqa: ARG002
        """Store all in one request, and name them in another one."""
        names = [member_id(number) for number in range(size)]
        self._client.set_many({f"bare:{name}": self._value for name in names}, expire=_TTL)
        self._client.set(_NAMES, b"\n".join(b"%-20b" % name.encode() for name in names))

    def leave_all(self) -> None:
        self._client.delete(_NAMES)
