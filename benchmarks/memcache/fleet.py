"""A fleet to look at: each member of a process of its own, all of which beat once."""

from __future__ import annotations

import uuid

from pymemcache.client.base import Client

from benchmarks.peer import packed
from benchmarks.places import ATTRIBUTES, GROUP, Place, member, member_id

#: Members that are joined by one call.
_AT_ONCE = 1000
#: The client flags by which tooz tells bytes from what it packed.
_BYTES, _PACKED = 1, 2


class MemcacheFleet:
    """The same members as ours and as tooz has them."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lives: list[str] = []
        self._client = Client(place.address, default_noreply=False)

    def set_size(self, size: int) -> None:
        """Leave nothing in the store but *size* members, each of a process of its own."""
        self._client.flush_all()
        self._lives = [str(uuid.uuid4()) for _ in range(size)]
        door, _ = self._place.process()
        members = [member(number, life) for number, life in enumerate(self._lives)]
        for start in range(0, size, _AT_ONCE):
            door.join(members[start : start + _AT_ONCE])
        door.stop()
        ids = [member_id(number).encode() for number in range(size)]
        for name in ids:
            self._client.set(b"_TOOZ_MEMBER_" + name, b"It's alive!", flags=_BYTES, noreply=True)
        group = packed({name: {b"capabilities": ATTRIBUTES} for name in ids})
        self._client.set(f"_TOOZ_GROUP_{GROUP}", group, flags=_PACKED)
        self._client.set("_TOOZ_GROUP_LIST", packed([GROUP.encode()]), flags=_PACKED)

    def remove(self, group_id: str) -> None:
        """Do nothing: no other group is in the way of the one that is looked at."""

    def instance_of(self, member_id: str) -> str:
        """Return the life that holds a member."""
        return self._lives[int(member_id.rpartition("-")[2])]

    def close(self) -> None:
        self._client.close()
