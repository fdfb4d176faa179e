"""The places of members as readers see them: read in bulk, and only what is not known already.

Of a member that a reader remembers and its caller holds only the client flags are read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from servicegroup.model import Member

from .codec import Codec
from .commands import FLAGS
from .reading import ABSENT, Found, Reader
from .servers import Servers

#: Members that are remembered in order to read less of them the next time.
REMEMBERED = 200_000


class Places:
    """Reads places, and remembers them. Usable from any thread."""

    def __init__(self, servers: Servers, codec: Codec) -> None:
        self._servers = servers
        self._codec = codec
        self._reader = Reader(servers, codec)
        self._lock = threading.Lock()
        # By member name: what was found last, so that the same line means the same member.
        self._remembered: dict[bytes, Found] = {}

    def one(self, name: bytes) -> Found | None:
        """Return a place as it is remembered, or as its copies say if they say the same."""
        one = self._remembered.get(name)
        if one is None:
            one = self._reader.place(self.key(name))
            if one is not None:
                self._remember({name: one})
        return one

    def find(
        self, group_id: str, names: list[bytes], known: Mapping[str, Member] | None
    ) -> tuple[dict[bytes, Found], set[bytes]]:
        """Return the places of these names, and those names that nobody answered for.

        :param known: whose attributes the caller holds; ``None`` if it does not need them

        :raises ServersSilent: nobody answered for any
        """
        with self._lock:
            held = {name: one for name in names if (one := self._remembered.get(name)) is not None}
        if known is not None:
            get = known.get
            held = {
                name: one
                for name, one in held.items()
                if get((member := one.place.member).member_id) is member
                or get(member.member_id) == member
            }
        same, changed = self._compare(held)
        rest = [name for name in names if name not in held] if len(held) < len(names) else []
        found, unread = self.read(group_id, rest + changed)
        if unread and len(unread) == len(names):
            raise self._servers.silent(self._servers.everywhere)
        if same and found:
            found.update(same)
            found = {name: found[name] for name in names if name in found}
        return found or same, unread

    def read(self, group_id: str, names: list[bytes]) -> tuple[dict[bytes, Found], set[bytes]]:
        """Return the places of these names as read now, and the names nobody answered for."""
        found, unread = self.copies(names)
        for name in list(found):
            if found[name].place.member.group_id != group_id:
                self._codec.refuse(self.key(name), "it is a member of another group")
                del found[name]
        self._remember(found)
        return found, unread

    def own(self, group_id: str, found: Mapping[bytes, Found]) -> dict[bytes, Found]:
        """Return those that are under their own key, and not a copy of another one."""
        own = {}
        for name, one in found.items():
            if self._codec.member_name(group_id, one.place.member.member_id) == name:
                own[name] = one
            else:
                self._codec.refuse(self.key(name), "it is the member of another key")
        return own

    def _compare(self, held: dict[bytes, Found]) -> tuple[dict[bytes, Found], list[bytes]]:
        """Return those that are still the same on all their servers, and the names of the rest."""
        if not held:
            return {}, []
        same, changed = {}, []
        keys = self._keys(held)
        first = self._reader.lines(keys, FLAGS, 0)
        second = self._reader.lines(keys, FLAGS, 1)
        for (name, one), here, there in zip(held.items(), first, second, strict=True):
            line = one.line
            if here == line and (there is None or there == line):
                same[name] = one
            else:
                changed.append(name)
        return same, changed

    def copies(self, names: list[bytes]) -> tuple[dict[bytes, Found], set[bytes]]:
        """Read places whole; of two copies that differ the later one."""
        if not names:
            return {}, set()
        found: dict[bytes, Found] = {}
        doubtful = []
        unread = set()
        keys = self._keys(names)
        first = self._reader.places(keys, 0)
        second = self._reader.lines(keys, FLAGS, 1)
        for name, here, there in zip(names, first, second, strict=True):
            if isinstance(here, Found):
                found[name] = here
            if there is None:
                if here is None:
                    unread.add(name)
            elif there != (here.line if isinstance(here, Found) else ABSENT):
                doubtful.append(name)
        others = self._reader.places(self._keys(doubtful), 1)
        for name, other in zip(doubtful, others, strict=True):
            if isinstance(other, Found):
                here = found.get(name)
                if here is None or here.place.rank < other.place.rank:
                    found[name] = other
        return found, unread

    def _remember(self, found: dict[bytes, Found]) -> None:
        with self._lock:
            if len(self._remembered) + len(found) > REMEMBERED:
                self._remembered.clear()
            self._remembered.update(found)

    def key(self, name: bytes) -> bytes:
        """Return the key of a member's name."""
        return self._codec.key(b"m", name)

    def _keys(self, names: Iterable[bytes]) -> list[bytes]:
        prefix = self.key(b"")
        return [prefix + name for name in names]
