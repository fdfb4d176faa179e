"""Reading members and judging nothing: places, the ages of their instances' beats, witnesses.

A look costs three steps whatever the number of members: the index, the members, the beats; each is
as many requests to a server as fit its socket. Of a member that a caller holds already only the
client flags are read. Readers change nothing but one thing: where an instance's sign of life is
missing, they note that they missed it, so that its absence gets an age.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from servicegroup.driver import Ages, Sightings
from servicegroup.model import Ending, EndKind, Member, Sighting

from .beats import Beats, Sign
from .codec import Codec, Place
from .compaction import Compactor
from .glance import Glance
from .index import Index
from .places import REMEMBERED, Places
from .servers import Servers, ServersSilent
from .signs import ENDED, MARKED

_UNREAD = "the servers that hold it did not answer"
_LOST = "memcached was started or flushed within the limit"
_MISSED = "its sign of life is no longer in the store"


class _Asked(NamedTuple):
    """What a look is about: names of members, and the parts of the index that nobody could read."""

    names: list[bytes]
    unread: set[bytes]
    length: int = 0


class Sight:
    """Looks at groups. Usable from any thread."""

    def __init__(
        self, servers: Servers, codec: Codec, index: Index, beats: Beats, limit: float
    ) -> None:
        self._servers = servers
        self._codec = codec
        self._index = index
        self._beats = beats
        self._places = Places(servers, codec)
        self._limit = limit
        self._compactor = Compactor(servers, codec, index, limit)
        # By member name: the question whether it is still as it was found.
        self._glances: dict[bytes, Glance] = {}

    def sightings(
        self,
        group_id: str,
        member_ids: Collection[str] | None,
        known: Mapping[str, Member],
        *,
        attributes: bool = True,
    ) -> Sightings:
        """See :meth:`servicegroup.driver.Driver.sightings`.

        :raises ServersSilent: no server answered that knows whom the group has
        """
        whole = member_ids is None
        if member_ids is not None and len(member_ids) == 1:
            [one] = member_ids
            quick = self._at_once(group_id, one)
            if quick is not None:
                return quick
        asked = self._listed(group_id) if member_ids is None else self._named(group_id, member_ids)
        found, unread = self._places.find(group_id, asked.names, known if attributes else None)
        if not whole:
            found = self._places.own(group_id, found)
        places = {one.place.member.member_id: one.place for one in found.values()}
        absent = [one for one in (known if whole else member_ids or ()) if one not in places]
        lost = []
        if absent and known:
            names = {self._codec.member_name(group_id, one): one for one in absent if one in known}
            if whole:  # those that left may no longer be in the index
                more, silent = self._places.read(
                    group_id, [one for one in names if one not in unread]
                )
                places.update({one.place.member.member_id: one.place for one in more.values()})
                unread |= silent
            for name, one in names.items():
                shard = self._index.shard(group_id, name)
                if one not in places and (name in unread or shard in asked.unread):
                    lost.append(Sighting(known[one], ended=Ending(EndKind.VANISHED, _UNREAD)))
        if absent and not whole:
            lost += self._missed(group_id, [one for one in absent if one not in places], lost)
        there = [place for place in places.values() if not place.left]
        signs = self._beats.read([place.member.instance_id for place in there])
        now = self._now()
        sightings = [_sighting(one, sign, now) for one, sign in zip(there, signs, strict=True)]
        witnessed = self._witness(sightings, signs)
        if len(there) < len(places):
            sightings += [
                Sighting(place.member, ended=Ending(EndKind.LEFT, "left", _since(place.at, now)))
                for member_id, place in places.items()
                if place.left and (not whole or member_id in known)
            ]
        if whole:
            self._compactor.consider(group_id, asked.length, len(there))
        return Sightings(sightings + lost, witnessed, now)

    def ages(self, group_id: str) -> Ages:
        """See :meth:`servicegroup.driver.Driver.ages`.

        :raises ServersSilent: no server answered that knows whom the group has
        """
        asked = self._listed(group_id)
        found, _ = self._places.find(group_id, asked.names, None)
        there = [one.place for one in found.values() if not one.place.left]
        signs = self._beats.read([place.member.instance_id for place in there])
        seen = [_sighting(one, sign, None) for one, sign in zip(there, signs, strict=True)]
        witnessed = self._witness(seen, signs)
        self._compactor.consider(group_id, asked.length, len(there))
        ages = {one.member.member_id: one.age for one in seen if one.ended is None}
        return Ages(ages, [one for one in seen if one.ended is not None], witnessed)

    def _at_once(self, group_id: str, member_id: str) -> Sightings | None:
        """Look at one member in a request, or two if it is new; only if all is well with it."""
        name = self._codec.member_name(group_id, member_id)
        one = self._places.one(name)
        if one is None or one.place.member[:2] != (group_id, member_id):
            return None
        if one.place.left or one.place.member.withdrawn is not None:
            return None
        glance = self._glances.get(name)
        if glance is None or glance.line != one.line:
            glance = self._beats.glance(
                self._places.key(name), one.line, one.place.member.instance_id
            )
            if glance is None:
                return None
            if len(self._glances) >= REMEMBERED:
                self._glances.clear()
            self._glances[name] = glance
        said = [self._beats.sign(line) for line in glance.look() or ()]
        signs = [sign for sign in said if sign is not None]
        if not signs:
            return None
        sign = min(signs, key=lambda sign: sign.age)
        now = self._now()
        return Sightings([_sighting(one.place, sign, now)], clock=now)

    def groups(self) -> list[str]:
        """Return the names of groups that have a member that did not leave, sorted."""
        groups = []
        for name in self._index.groups():
            shards, _ = self._index.read_named(name)
            names = list(dict.fromkeys(one for shard in shards for one in shard.names))
            for at in range(0, len(names), 500):
                found, _ = self._places.copies(names[at : at + 500])
                there = next((one.place for one in found.values() if not one.place.left), None)
                if there is not None:
                    groups.append(there.member.group_id)
                    break
        return sorted(groups)

    def _missed(self, group_id: str, absent: list[str], lost: list[Sighting]) -> Iterator[Sighting]:
        """Yield those asked for by id that may be absent because their servers lost their data."""
        unread = {one.member.member_id for one in lost}
        keys = {
            one: self._places.key(self._codec.member_name(group_id, one))
            for one in dict.fromkeys(absent)
            if one not in unread
        }
        servers = {server for key in keys.values() for server in self._servers.of(key)}
        young = self._beats.young(servers) if servers else set()
        for one, key in keys.items():
            if young.issuperset(self._servers.of(key)):
                yield Sighting(Member(group_id, one), ended=Ending(EndKind.VANISHED, _LOST))

    def _now(self) -> float | None:
        """Return the servers' wall clock, if one tells it."""
        try:
            return self._servers.now()
        except ServersSilent:
            return None

    # -- whom ---------------------------------------------------------------------------------

    def _listed(self, group_id: str) -> _Asked:
        shards, unread = self._index.read(group_id)
        if len(unread) == self._index.count:
            raise self._servers.silent(self._servers.everywhere)
        names: dict[bytes, None] = {}
        for shard in shards:
            names.update(dict.fromkeys(shard.names))
        copies = {shard.server: 0 for shard in shards}
        for shard in shards:
            copies[shard.server] += len(shard.names)
        return _Asked(list(names), unread, max(copies.values(), default=0))

    def _named(self, group_id: str, member_ids: Collection[str]) -> _Asked:
        names = [self._codec.member_name(group_id, one) for one in dict.fromkeys(member_ids)]
        return _Asked(names, set())

    # -- witnesses ----------------------------------------------------------------------------

    def _witness(self, sightings: list[Sighting], signs: Sequence[Sign | None]) -> bool:
        """Return whether silence can be believed; where only some of it can, the rest vanished.

        Somebody whose beats are unbroken vouches for the servers that took them, and for no other.
        """
        silent = [
            at
            for at, one in enumerate(sightings)
            if one.age is not None and one.age > self._limit and one.ended is None
        ]
        if not silent:
            return True
        servers = {server for at in silent for server in _servers(signs[at])}
        vouched = self._beats.witnessed(servers)
        believed = [at for at in silent if vouched & set(_servers(signs[at]))]
        if not believed:
            return False
        reason = "nobody was heard throughout on the servers that hold its sign of life"
        for at in set(silent) - set(believed):
            ending = Ending(EndKind.VANISHED, reason)
            sightings[at] = sightings[at]._replace(ended=ending)
        return True


def _servers(sign: Sign | None) -> tuple[int, ...]:
    return () if sign is None else sign.servers


def _sighting(place: Place, sign: Sign | None, now: float | None) -> Sighting:
    """Return what is to be said of a member.

    :param now: the servers' wall clock, if it is wanted how long a state has lasted
    """
    member = place.member
    if sign is None:
        return Sighting(member, ended=Ending(EndKind.VANISHED, _UNREAD))
    if sign.state == ENDED:
        return Sighting(member, None, Ending(EndKind.ENDED, sign.reason, sign.age))
    if member.withdrawn is not None:
        ending = Ending(EndKind.WITHDRAWN, member.withdrawn, _since(place.at, now))
        return Sighting(member, sign.age, ending)
    if sign.state == MARKED and not sign.overdue:
        return Sighting(member, None, Ending(EndKind.VANISHED, _MISSED))
    if now is None or place.at is None or not sign.came_up:
        return Sighting(member, sign.age)
    up_since = place.at if place.at > sign.came_up else sign.came_up
    return Sighting(member, sign.age, None, now - up_since if now > up_since else 0.0)


def _since(at: float | None, now: float | None) -> float | None:
    return None if at is None or now is None else max(0.0, now - at)
