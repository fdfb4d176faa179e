"""What the entries of a group mean together: of each member the latest life, and how it is over."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from servicegroup.model import Member, Sighting

from . import layout
from .coordinator import text_of
from .entries import Entry

LOG = logging.getLogger(__name__)


class Life(NamedTuple):
    """The latest life of a member id; ``seen`` is ``None`` where it is over.

    ``taken``: by a later life, which the store has forgotten since.
    """

    incarnation: int
    instance_id: str
    seen: Sighting | None
    taken: bool = False


class View:
    """One look at a group: its entries and its evidence, which another call brought.

    :param entries: those of instances; ``None`` where there is no such group
    :param evidence: what each note says, by its name as tooz gives it; ``None`` likewise
    """

    def __init__(
        self,
        group_id: str,
        entries: Iterable[Entry] | None,
        evidence: Mapping[bytes | str, Any] | None,
    ) -> None:
        self.group_id = group_id
        #: Whether the store has what belongs to a group at all.
        self.there = entries is not None and evidence is not None
        self._entries = list(entries or ())
        #: {instance id: (which of its lives, reason)} of those that were ended.
        self._ended: dict[str, tuple[int, str]] = {}
        #: The members that did not leave, and the last lives of those that did, by their ids.
        self.members = _latest(self._entries)
        self._over: dict[str, Life] = {}
        self._gone: set[str] = set()
        notes = evidence or {}
        for name, ours in zip(notes, layout.contents(layout.texts(notes.values())), strict=True):
            self._read_note(text_of(name), ours)

    def latest(self, member_id: str) -> Life | None:
        """Return the latest life under a member id, if there was one."""
        seen = self.members.get(member_id)
        if seen is None:
            return self._over.get(member_id)
        return Life(seen.member.incarnation, seen.member.instance_id, seen)

    @property
    def torn(self) -> bool:
        """Whether the evidence tells of a later life of somebody that no entry says.

        It may have come between the two calls; else the store has forgotten it since.
        """
        return any(self._over[one].taken for one in self._gone)

    @property
    def left(self) -> dict[str, Life]:
        """Those that did leave, as far as there is evidence."""
        return {one: life for one, life in self._over.items() if not life.taken}

    def member(self, member_id: str) -> Member | None:
        """Return the member of the latest life under an id; ``None`` if it left or never was."""
        seen = self.members.get(member_id)
        return None if seen is None else seen.member

    def held(self, instance_id: str) -> dict[str, Member]:
        """Return the members that an instance says are its own, later lives or not."""
        entry = self.entry(instance_id)
        return {} if entry is None else {one.member.member_id: one.member for one in entry.seen}

    def entry(self, instance_id: str) -> Entry | None:
        """Return what an instance says, if it is there."""
        return self._by_instance.get(instance_id)

    @functools.cached_property
    def _by_instance(self) -> Mapping[str, Entry]:
        return {one.instance_id: one for one in self._entries}

    def plain(self) -> dict[str, None]:
        """Return the ids of those whose presence is all there is to say."""
        over = self.over
        return {
            one: None
            for one, (member, _, ended, _, _) in self.members.items()
            if ended is None and (not over or member.instance_id not in over)
        }

    @property
    def over(self) -> set[str]:
        """Instances that were ended."""
        return {one for one in self._ended if self.ended(one) is not None}

    def living(self, instance_id: str) -> int:
        """Return the number of the life that an instance has, or begins now if it was ended."""
        return max(self._life(instance_id), self._ended.get(instance_id, (-1, ""))[0] + 1)

    def ended(self, instance_id: str) -> str | None:
        """Return why an instance is over; ``None`` if it is not."""
        if instance_id not in self._ended:
            return None
        life, reason = self._ended[instance_id]
        return reason if life >= self._life(instance_id) else None

    def _life(self, instance_id: str) -> int:
        entry = self.entry(instance_id)
        return 0 if entry is None else entry.life

    def _read_note(self, name: str, ours: list[Any] | None) -> None:
        if ours is None or not layout.is_evidence(ours[layout.HEAD - 1], ours[layout.HEAD :]):
            LOG.debug("evidence %r of group %r is none of ours", name, self.group_id)
            return
        _, _, kind, *what = ours
        if kind == layout.ENDED:
            self._note_end(layout.concerned(name), *what)
            return
        for member_id, instance_id, incarnation in what:
            life = Life(incarnation, instance_id, None, kind == layout.TAKEN)
            held = self.latest(member_id)
            if held is None or life[:2] >= held[:2]:
                self._over[member_id] = life
                if self.members.pop(member_id, None) is not None:
                    self._gone.add(member_id)

    def _note_end(self, instance_id: str, life: int, reason: str) -> None:
        if life >= self._ended.get(instance_id, (-1, ""))[0]:
            self._ended[instance_id] = (life, reason)


def _latest(entries: Sequence[Entry]) -> dict[str, Sighting]:
    """Return of each member id the latest of the lives that instances say."""
    latest = {seen[0][1]: seen for entry in entries for seen in entry[3]}
    if len(latest) == sum(len(entry[3]) for entry in entries):
        return latest
    for entry in entries:
        for seen in entry.seen:
            held = latest[seen.member.member_id]
            if _age(seen) > _age(held):
                latest[seen.member.member_id] = seen
    return latest


def _age(seen: Sighting) -> tuple[int, str]:
    return seen.member.incarnation, seen.member.instance_id
