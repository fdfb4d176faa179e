"""Entries as members: what said the same at the last look is not decoded, nor made, again."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from servicegroup.model import Ending, EndKind, Member, Sighting

from . import layout

LOG = logging.getLogger(__name__)

#: Of so many groups the last look is remembered.
REMEMBERED = 16


class Life(NamedTuple):
    """The latest life of a member id; ``sighting`` is ``None`` where it is over.

    ``taken``: by a later life, which the store has forgotten since.
    """

    incarnation: int
    instance_id: str
    sighting: Sighting | None
    taken: bool = False

    @property
    def member(self) -> Member | None:
        """The member that lives it."""
        return None if self.sighting is None else self.sighting.member


class Entry(NamedTuple):
    """What an instance says: how often it was ended and beat all the same, and its members."""

    text: str
    instance_id: str
    life: int
    #: By member id.
    lives: Mapping[str, Life]


#: What the classes themselves would do, in half the time: there are tens of thousands.
_life: Callable[[Iterable[Any]], Life] = functools.partial(tuple.__new__, Life)
_sighting: Callable[[Iterable[Any]], Sighting] = functools.partial(tuple.__new__, Sighting)


class Reader:
    """Reads entries, and remembers them. Usable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[str, dict[str, Entry]] = {}

    def read(self, group_id: str, said: Mapping[str, Any]) -> Iterable[Entry]:
        """Return the entries in a group that are ours; their members are not to be changed.

        :param said: what each says, by its name
        """
        before = self._groups.get(group_id, {})
        texts = layout.texts(said.values())
        found: dict[str, Entry] = {}
        new: dict[str, str] = {}
        for name, text in zip(said, texts, strict=True):
            held = before.get(name)
            if held is not None and held[0] == text:
                found[name] = held
            elif text and layout.is_instance(name):
                new[name] = text
            else:
                LOG.debug("entry %r of group %r is nobody of ours", name, group_id)
        if new:
            found.update(_entries(group_id, new))
        with self._lock:
            self._groups.pop(group_id, None)
            if found:
                self._groups[group_id] = found
            while len(self._groups) > REMEMBERED:
                del self._groups[next(iter(self._groups))]
        return found.values()


def _entries(group_id: str, texts: Mapping[str, str]) -> dict[str, Entry]:
    """Decode entries, all at once. One that we cannot have written has no members."""
    said = [(life, rows) for life, rows in map(layout.opened, layout.contents(texts.values()))]
    if not layout.are_rows([row for _, rows in said for row in rows]):
        said = [(life, rows if layout.are_rows(rows) else []) for life, rows in said]
    ids = [layout.instance_of(name) for name in texts]
    owners = [one for one, (_, rows) in zip(ids, said, strict=True) for _ in rows]
    members = iter(layout.members(group_id, owners, [row for _, rows in said for row in rows]))
    entries = {}
    for (name, text), instance_id, (life, rows) in zip(texts.items(), ids, said, strict=True):
        if not rows:
            LOG.warning("what %r says in group %r is none of ours", name, group_id)
        lives = {one[1]: _lived(one) for one in islice(members, len(rows))}
        entries[name] = Entry(text, instance_id, life, lives)
    return entries


def _lived(member: Member) -> Life:
    withdrawn = member.withdrawn
    ended = None if withdrawn is None else Ending(EndKind.WITHDRAWN, withdrawn)
    sighting = _sighting((member, None, ended, None, None))
    return _life((member.incarnation, member.instance_id, sighting, False))
