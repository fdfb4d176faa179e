"""Entries as sightings: what said the same at the last look is not decoded, nor made, again."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from servicegroup.model import Ending, EndKind, Member, Sighting

from . import layout
from .coordinator import text_of

LOG = logging.getLogger(__name__)

#: Of so many groups the last look is remembered.
REMEMBERED = 16


class Entry(NamedTuple):
    """What an instance says: how often it was ended and beat all the same, and its members.

    ``mark`` stands for the text: with 64 bits, and a seed that no other process knows.
    """

    mark: int
    instance_id: str
    life: int
    seen: Sequence[Sighting]


#: What the class itself would do, in half the time: there are tens of thousands.
_sighting: Callable[[Iterable[Any]], Sighting] = functools.partial(tuple.__new__, Sighting)


class Reader:
    """Reads entries, and remembers them. Usable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[str, dict[bytes | str, Entry]] = {}

    def read(self, group_id: str, said: Mapping[bytes | str, Any]) -> Iterable[Entry]:
        """Return the entries in a group that are ours.

        :param said: what each says, by its name as tooz gives it
        """
        before = self._groups.get(group_id, {})
        found: dict[bytes | str, Entry] = {}
        new: dict[bytes | str, str] = {}
        for name, one in said.items():
            try:
                text = one[layout.KEY]
                mark = hash(text)
            except (TypeError, KeyError):
                continue  # nobody of ours
            held = before.get(name)
            if held is not None and held[0] == mark:
                found[name] = held
            elif type(text) is str and layout.is_instance(text_of(name)):
                new[name] = text
        if new:
            found.update(_entries(group_id, new))
        with self._lock:
            self._groups.pop(group_id, None)
            if found:
                self._groups[group_id] = found
            while len(self._groups) > REMEMBERED:
                del self._groups[next(iter(self._groups))]
        return found.values()


def _entries(group_id: str, texts: Mapping[bytes | str, str]) -> dict[bytes | str, Entry]:
    """Decode entries, all at once. One that we cannot have written has no members."""
    said = [(life, rows) for life, rows in map(layout.opened, layout.contents(texts.values()))]
    if not layout.are_rows([row for _, rows in said for row in rows]):
        said = [(life, rows if layout.are_rows(rows) else []) for life, rows in said]
    ids = [layout.instance_of(text_of(name)) for name in texts]
    owners = [one for one, (_, rows) in zip(ids, said, strict=True) for _ in rows]
    members = iter(layout.members(group_id, owners, [row for _, rows in said for row in rows]))
    entries = {}
    for (name, text), instance_id, (life, rows) in zip(texts.items(), ids, said, strict=True):
        if not rows:
            LOG.warning("what %r says in group %r is none of ours", name, group_id)
        seen = tuple(_seen(one) for one in islice(members, len(rows)))
        entries[name] = Entry(hash(text), instance_id, life, seen)
    return entries


def _seen(member: Member) -> Sighting:
    withdrawn = member.withdrawn
    ended = None if withdrawn is None else Ending(EndKind.WITHDRAWN, withdrawn)
    return _sighting((member, None, ended, None, None))
