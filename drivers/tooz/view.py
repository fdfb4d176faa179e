"""What the entries of a group mean together: of each member the latest life, and how it is over."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from servicegroup.model import Member

from . import layout
from .layout import Row

LOG = logging.getLogger(__name__)

Entries = Mapping[str, Any]
#: What a named tuple's class itself would do, in half the time.
_made = tuple.__new__


class Life(NamedTuple):
    """The latest life of a member id; ``row`` is ``None`` where it is over.

    ``taken``: by a later life, which the store has forgotten since.
    """

    incarnation: int
    instance_id: str
    row: Row | None
    taken: bool = False


class View:
    """One look at a group: its entries and its evidence, which another call brought."""

    def __init__(self, group_id: str, entries: Entries | None, evidence: Entries | None) -> None:
        self.group_id = group_id
        #: Whether the store has what belongs to a group at all.
        self.there = entries is not None and evidence is not None
        #: Members by the instance that says them, and how often it was ended.
        self.rows: dict[str, list[Row]] = {}
        self._lives: dict[str, int] = {}
        #: {instance id: (which of its lives, reason)} of those that were ended.
        self._ended: dict[str, tuple[int, str]] = {}
        #: The names of all evidence.
        self.notes = frozenset(evidence or ())
        self._latest: dict[str, Life] = {}
        for name, said in (entries or {}).items():
            self._read_entry(name, said)
        for name, said in (evidence or {}).items():
            self._read_note(name, said)

    def latest(self, member_id: str) -> Life | None:
        """Return the latest life under a member id, if there was one."""
        return self._latest.get(member_id)

    @property
    def members(self) -> dict[str, Life]:
        """Those that did not leave."""
        return {one: life for one, life in self._latest.items() if life.row is not None}

    @property
    def left(self) -> dict[str, Life]:
        """Those that did, as far as there is evidence."""
        latest = self._latest.items()
        return {one: life for one, life in latest if life.row is None and not life.taken}

    def member(self, member_id: str) -> Member | None:
        """Return the member of the latest life under an id; ``None`` if it left or never was."""
        life = self._latest.get(member_id)
        if life is None or life.row is None:
            return None
        return layout.member(self.group_id, life.instance_id, life.row)

    def plain(self) -> dict[str, None]:
        """Return the ids of those whose presence is all there is to say."""
        over = {one for one in self._ended if self.ended(one) is not None}
        return {
            one: None
            for one, (_, instance_id, row, _) in self._latest.items()
            if row is not None and row[layout.WITHDRAWN] is None and instance_id not in over
        }

    def living(self, instance_id: str) -> int:
        """Return the number of the life that an instance has, or begins now if it was ended."""
        return max(self._lives.get(instance_id, 0), self._ended.get(instance_id, (-1, ""))[0] + 1)

    def ended(self, instance_id: str) -> str | None:
        """Return why an instance is over; ``None`` if it is not."""
        life, reason = self._ended.get(instance_id, (-1, ""))
        return reason if life >= self._lives.get(instance_id, 0) else None

    def _read_entry(self, name: str, said: Any) -> None:
        kind, _, instance_id = name.partition(".")
        ours = layout.content(said)
        if kind != "i" or ours is None or not isinstance(ours[3], list | tuple):
            LOG.debug("entry %r of group %r is nobody of ours", name, self.group_id)
            return
        _, _, life, rows = ours
        self._lives[instance_id] = life
        self.rows[instance_id] = rows
        latest = self._latest
        for row in rows:
            held = latest.get(row[0])
            if held is None or (row[1], instance_id) > held[:2]:
                latest[row[0]] = _made(Life, (row[1], instance_id, row, False))

    def _read_note(self, name: str, said: Any) -> None:
        ours = layout.content(said)
        if ours is None:
            LOG.debug("evidence %r of group %r is nobody of ours", name, self.group_id)
            return
        _, _, kind, what = ours
        if kind == layout.ENDED:
            instance_id = name.split(".")[1]
            life, reason = what
            if life >= self._ended.get(instance_id, (-1, ""))[0]:
                self._ended[instance_id] = (life, reason)
            return
        for member_id, instance_id, incarnation in what:
            held = self._latest.get(member_id)
            if held is None or (incarnation, instance_id) >= held[:2]:
                taken = kind == layout.TAKEN
                self._latest[member_id] = Life(incarnation, instance_id, None, taken)
