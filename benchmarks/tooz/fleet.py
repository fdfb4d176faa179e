"""A fleet to look at: each member of a process of its own, all of which beat once."""

from __future__ import annotations

import time
import uuid
from typing import Any

import redis

from benchmarks.peer import coordination, packed
from benchmarks.places import ATTRIBUTES, GROUP, Place, member, member_id
from servicegroup.drivers.tooz import layout

#: How tooz's Redis driver names a group, and the sign of life of a member.
_GROUP, _BEAT = "_tooz_group:", "_tooz_beats:"
#: Seconds for which all of them live.
_TTL = 86400


class ToozFleet:
    """The same members as ours and as tooz has them, written as its Redis driver writes them."""

    def __init__(self, place: Place) -> None:
        self._lives: list[str] = []
        self._redis = redis.Redis.from_url(place.address)
        self._client: Any = coordination.get_coordinator(place.address, b"fleet")
        self._client.start()

    def set_size(self, size: int) -> None:
        """Leave nothing in the store but *size* members, each of a process of its own."""
        self._redis.flushall()
        self._lives = [str(uuid.uuid4()) for _ in range(size)]
        joined = [
            member(number, life).joined(1, time.time(), None)
            for number, life in enumerate(self._lives)
        ]
        ours = {
            layout.instance_name(one.instance_id): packed(layout.entry(GROUP, 0, [one]))
            for one in joined
        }
        self._store(layout.evidence_of(GROUP), {})
        self._store(layout.members_of(GROUP), ours)
        self._store(GROUP, {member_id(number): packed(ATTRIBUTES) for number in range(size)})

    def remove(self, group_id: str) -> None:
        """Remove the members of a group without a trace."""
        names = [layout.members_of(group_id), layout.evidence_of(group_id), group_id]
        if group_id != GROUP:
            self._redis.delete(*(_GROUP + name for name in names))

    def instance_of(self, member_id: str) -> str:
        """Return the life that holds a member."""
        return self._lives[int(member_id.rpartition("-")[2])]

    def close(self) -> None:
        self._client.stop()
        self._redis.close()

    def _store(self, group: str, entries: dict[Any, bytes]) -> None:
        self._client.create_group(group.encode()).get()
        pipe = self._redis.pipeline(transaction=False)
        if entries:
            pipe.hset(_GROUP + group, mapping=entries)
        for name in entries:
            pipe.set(_BEAT + name, b"Not dead!", ex=_TTL)
        pipe.execute()
