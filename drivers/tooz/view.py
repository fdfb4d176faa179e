"""What the entries of a group mean together: of each member the latest life, and how it is over."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from servicegroup.model import Member

from . import layout
from .entries import Entry, Life

LOG = logging.getLogger(__name__)


class View:
    """One look at a group: its entries and its evidence, which another call brought.

    :param entries: those of instances; ``None`` where there is no such group
    :param evidence: what each note says, by its name; ``None`` likewise
    """

    def __init__(
        self,
        group_id: str,
        entries: Iterable[Entry] | None,
        evidence: Mapping[str, Any] | None,
    ) -> None:
        self.group_id = group_id
        #: Whether the store has what belongs to a group at all.
        self.there = entries is not None and evidence is not None
        #: What each instance says.
        self.entries = {entry[1]: entry for entry in entries or ()}
        #: {instance id: (which of its lives, reason)} of those that were ended.
        self._ended: dict[str, tuple[int, str]] = {}
        self._latest = _latest([entry[3] for entry in self.entries.values()])
        notes = evidence or {}
        for name, ours in zip(notes, layout.contents(layout.texts(notes.values())), strict=True):
            self._read_note(name, ours)

    def latest(self, member_id: str) -> Life | None:
        """Return the latest life under a member id, if there was one."""
        return self._latest.get(member_id)

    @property
    def members(self) -> dict[str, Life]:
        """Those that did not leave."""
        return {one: life for one, life in self._latest.items() if life[2] is not None}

    @property
    def left(self) -> dict[str, Life]:
        """Those that did, as far as there is evidence."""
        latest = self._latest.items()
        return {one: life for one, life in latest if life.sighting is None and not life.taken}

    def member(self, member_id: str) -> Member | None:
        """Return the member of the latest life under an id; ``None`` if it left or never was."""
        life = self._latest.get(member_id)
        return None if life is None else life.member

    def plain(self) -> dict[str, None]:
        """Return the ids of those whose presence is all there is to say."""
        over = self.over
        return {
            one: None
            for one, (_, instance_id, seen, _) in self._latest.items()
            if seen is not None and seen[2] is None and instance_id not in over
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
        life, reason = self._ended.get(instance_id, (-1, ""))
        return reason if life >= self._life(instance_id) else None

    def _life(self, instance_id: str) -> int:
        entry = self.entries.get(instance_id)
        return 0 if entry is None else entry.life

    def _read_note(self, name: str, ours: list[Any] | None) -> None:
        try:
            if ours is None:
                raise ValueError(name)
            _, _, kind, *what = ours
            if kind == layout.ENDED:
                self._note_end(layout.concerned(name), *what)
            else:
                for member_id, instance_id, incarnation in what:
                    life = Life(incarnation, instance_id, None, kind == layout.TAKEN)
                    held = self._latest.get(member_id)
                    if held is None or life[:2] >= held[:2]:
                        self._latest[member_id] = life
        except (ValueError, TypeError, IndexError):
            LOG.debug("evidence %r of group %r is nobody of ours", name, self.group_id)

    def _note_end(self, instance_id: str, life: int, reason: str) -> None:
        if life >= self._ended.get(instance_id, (-1, ""))[0]:
            self._ended[instance_id] = (life, reason)


def _latest(said: Sequence[Mapping[str, Life]]) -> dict[str, Life]:
    """Return of each member id the latest of the lives that instances say."""
    latest = dict(chain.from_iterable([lives.items() for lives in said]))
    if len(latest) == sum(map(len, said)):
        return latest
    for lives in said:
        for member_id, life in lives.items():
            if life[:2] > latest[member_id][:2]:
                latest[member_id] = life
    return latest
