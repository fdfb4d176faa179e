"""Reading members: whole groups or a few, in a number of round trips that does not grow with them.

A member is up while the instance that it names has its ephemeral node. Members are read before
instances; a join in between makes one look as if its instance were gone, so whoever lacks an
instance is read once again before it counts as down.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from servicegroup.clock import boottime
from servicegroup.driver import Sightings
from servicegroup.model import Ending, EndKind, Member, Sighting

from . import layout
from .client import CLIENT_ERRORS
from .clock import ServerClock
from .layout import Life, Note, Paths, Stored
from .session import Session

LOG = logging.getLogger(__name__)

#: Up to so many instances are asked for by name; beyond, the list of all of them is shorter.
FEW_INSTANCES = 200
#: Members of which it is remembered which instance they had.
MOST_HINTS = 20_000
#: Seconds before one end is noted again, where the note does not appear: we may only read.
NOTE_AGAIN = 60.0
#: What the class itself would do, in half the time.
_made = tuple.__new__
EXPIRED = Note("its session with ZooKeeper expired", False)


class Sight:
    """Looks into the store. Usable from any thread."""

    def __init__(self, session: Session, paths: Paths, clock: ServerClock) -> None:
        self._session = session
        self._paths = paths
        self._clock = clock
        self._foreign: set[str] = set()
        self._hints: dict[tuple[str, str], str] = {}
        self._noted: dict[str, float] = {}
        #: Groups whose members had many instances when last read.
        self._carried_by_many: set[str] = set()

    def sightings(
        self,
        group_id: str,
        member_ids: Collection[str] | None,
        known: Mapping[str, Member],
    ) -> Sightings:
        """See :meth:`servicegroup.driver.Driver.sightings`."""
        folder = self._paths.group(group_id)
        asked = known.keys() if member_ids is None else set(member_ids)
        if member_ids is None:
            names = self._session.children(folder)
        else:
            names = [layout.name(one) for one in asked]
        if member_ids is not None and len(names) <= FEW_INSTANCES:
            stored, there = self._few(group_id, names, known)
            gone = self._gone({one.member.instance_id for one in stored.values()} - there)
        else:
            stored, gone = self._many(group_id, names, known)
        if gone:
            doubtful = [n for n, one in stored.items() if one.member.instance_id in gone]
            again = self._members(group_id, doubtful, known)
            for name in doubtful:
                del stored[name]
            stored.update(again)
            gone = self._gone({one.member.instance_id for one in again.values()})
        endings = self._endings(gone)
        now = self._clock.known()
        seen = _sightings(stored.values(), endings, now)
        if not asked:
            return Sightings(seen)
        left = set(asked).difference([one.member.member_id for one in seen])
        return Sightings([*seen, *self._left(group_id, list(left), known, now)])

    def groups(self) -> list[str]:
        """See :meth:`servicegroup.driver.Driver.groups`."""
        names = self._session.children(self._paths.groups)
        folders = self._session.read([f"{self._paths.groups}/{name}" for name in names])
        found = []
        for name, folder in zip(names, folders, strict=True):
            if folder is None or folder.stat.numChildren == 0:
                continue
            group_id = layout.text(name, folder.data)
            if group_id is None:
                self._skip(f"{self._paths.groups}/{name}")
            elif self._members(group_id, self._session.children(self._paths.group(group_id)), {}):
                found.append(group_id)
        return sorted(found)

    def _members(
        self, group_id: str, names: Sequence[str], known: Mapping[str, Member]
    ) -> dict[str, Stored]:
        """Read members by their nodes' names; those that are none of ours are left out."""
        folder = self._paths.group(group_id)
        contents = self._session.contents([f"{folder}/{name}" for name in names])
        return self._made(group_id, names, contents, known)

    def _few(
        self, group_id: str, names: Sequence[str], known: Mapping[str, Member]
    ) -> tuple[dict[str, Stored], set[str]]:
        """Read a few members, and in the same request the instances they had when last read.

        :returns: the members, and which of those instances are there
        """
        hints = [self._hints.get((group_id, name)) for name in names]
        carriers = list({one for one in hints if one is not None})
        folder = self._paths.group(group_id)
        paths = [f"{folder}/{name}" for name in names]
        contents = self._session.contents([*paths, *map(self._paths.instance, carriers)])
        stored = self._made(group_id, names, contents[: len(names)], known)
        if len(self._hints) > MOST_HINTS:
            self._hints.clear()
        for name, one in stored.items():
            self._hints[group_id, name] = one.member.instance_id
        there = contents[len(names) :]
        return stored, {one for one, data in zip(carriers, there, strict=True) if data is not None}

    def _many(
        self, group_id: str, names: Sequence[str], known: Mapping[str, Member]
    ) -> tuple[dict[str, Stored], set[str]]:
        """Read many members, and tell which of their instances are not there.

        Where they had many instances when last read, the list of all of these is asked for before
        the answers are there.
        """
        paths = self._paths
        if group_id in self._carried_by_many:
            folder = paths.group(group_id)
            contents, there = self._session.contents_then_children(
                [f"{folder}/{name}" for name in names], paths.instances
            )
            stored = self._made(group_id, names, contents, known)
        else:
            stored = self._members(group_id, names, known)
            there = None
        instance_ids = {one.member.instance_id for one in stored.values()}
        if len(instance_ids) <= FEW_INSTANCES:
            self._carried_by_many.discard(group_id)
            return stored, self._gone(instance_ids)
        self._carried_by_many.add(group_id)
        if there is None:
            there = self._session.children(paths.instances)
        return stored, _absent(instance_ids, there)

    def _made(
        self,
        group_id: str,
        names: Sequence[str],
        contents: Sequence[bytes | None],
        known: Mapping[str, Member],
    ) -> dict[str, Stored]:
        """Make members of what their nodes hold."""
        found: dict[str, Stored] = {}
        fresh: list[str] = []
        data: list[bytes] = []
        odd: dict[str, str] = {}
        if known and not layout.plain("".join(names)):
            odd = {layout.name(one): one for one in known}
        if not known:
            pairs = zip(names, contents, strict=True)
            there = {name: content for name, content in pairs if content is not None}
            return self._ours(group_id, list(there), list(there.values()))
        for name, content in zip(names, contents, strict=True):
            if content is None:
                continue
            member = known.get(odd.get(name, "") if odd else name)
            same = None if member is None else layout.same(content, member)
            if same is None:
                fresh.append(name)
                data.append(content)
            else:
                found[name] = same
        found.update(self._ours(group_id, fresh, data))
        return found

    def _ours(
        self, group_id: str, names: Sequence[str], data: Sequence[bytes]
    ) -> dict[str, Stored]:
        """Return the members in these nodes, without those that are none of ours."""
        members = layout.unpacked(group_id, names, data)
        found = {name: one for name, one in zip(names, members, strict=True) if one is not None}
        if len(found) < len(names):
            for name in names:
                if name not in found:
                    self._skip(f"{self._paths.group(group_id)}/{name}")
        return found

    def _gone(self, instance_ids: set[str]) -> set[str]:
        """Return those of the instances whose processes are not there."""
        if len(instance_ids) > FEW_INSTANCES:
            return _absent(instance_ids, self._session.children(self._paths.instances))
        ids = list(instance_ids)
        found = self._session.contents([self._paths.instance(one) for one in ids])
        return {one for one, data in zip(ids, found, strict=True) if data is None}

    def _endings(self, instance_ids: Iterable[str]) -> dict[str, Ending]:
        """Return how these instances ended; what nobody noted yet is noted now."""
        ids = list(instance_ids)
        if not ids:
            return {}
        now = self._clock.known()
        endings = {}
        notes = self._session.read([self._paths.note(one) for one in ids])
        for instance_id, node in zip(ids, notes, strict=True):
            note = None if node is None else layout.unpacked_note(node.data)
            age = None
            if node is None:
                self._note(instance_id)
            elif now is not None:
                age = max(0.0, now - node.stat.ctime / 1000.0)
            endings[instance_id] = Ending(EndKind.ENDED, (note or EXPIRED).reason, age)
        return endings

    def _note(self, instance_id: str) -> None:
        """Note that an instance is gone, so that others know since when; nobody waits for it."""
        now = boottime()
        if now - self._noted.get(instance_id, float("-inf")) < NOTE_AGAIN:
            return
        if len(self._noted) > MOST_HINTS:
            self._noted.clear()
        self._noted[instance_id] = now
        session, path = self._session, self._paths.instance(instance_id)
        try:
            session.attempt(
                [  # not if it came back meanwhile
                    session.create(path),
                    session.delete(path),
                    session.create(self._paths.note(instance_id), layout.packed_note(EXPIRED)),
                ]
            )
        except CLIENT_ERRORS as error:
            LOG.debug("the end of %s is not noted: %s", instance_id, error)

    def _left(
        self,
        group_id: str,
        member_ids: Sequence[str],
        known: Mapping[str, Member],
        now: float | None,
    ) -> list[Sighting]:
        """Return those of the members that left, as far as there is evidence."""
        paths = [self._paths.grave(group_id, one) for one in member_ids]
        left = []
        for member_id, node in zip(member_ids, self._session.read(paths), strict=True):
            life = None if node is None else layout.unpacked_life(node.data)
            held = known.get(member_id)
            if node is None or life is None:
                continue
            if held is None or life != Life(held.instance_id, held.incarnation):
                if held is not None and held.incarnation > life.incarnation:
                    continue
                held = Member(
                    group_id,
                    member_id,
                    instance_id=life.instance_id,
                    incarnation=life.incarnation,
                )
            age = None if now is None else max(0.0, now - node.stat.mtime / 1000.0)
            left.append(Sighting(held, ended=Ending(EndKind.LEFT, "left", age)))
        return left

    def _skip(self, path: str) -> None:
        """Leave out a node that is none of ours; tell it once, with how many there are."""
        if path not in self._foreign:
            self._foreign.add(path)
            LOG.warning(
                "%s is no node of ours or corrupt, and is left out (%d such by now); remove it",
                path,
                len(self._foreign),
            )


def _absent(instance_ids: set[str], there: Sequence[str]) -> set[str]:
    """Return those of the instances that have no node among these names."""
    nodes = set(there)
    # Nearly all are named as their nodes are, and are done with at once.
    odd = instance_ids - nodes if layout.plain("".join(there)) else instance_ids
    return {one for one in odd if layout.name(one) not in nodes}


def _sightings(
    stored: Iterable[Stored], endings: Mapping[str, Ending], now: float | None
) -> list[Sighting]:
    made: list[Sighting] = []
    for member, came in stored:
        since = None if now is None or came is None else max(0.0, now - came)
        ended = endings.get(member.instance_id) if endings else None
        if ended is None and member.withdrawn is not None:
            ended = Ending(EndKind.WITHDRAWN, member.withdrawn, since)
        made.append(_made(Sighting, (member, None, ended, since, None)))
    return made
