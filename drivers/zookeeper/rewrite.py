"""Writing a member over what this process itself wrote last, without looking first.

A change of attributes then costs one request in place of two. Versions tell whether anybody else
changed anything: then nothing is written, and it has to be looked at.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from servicegroup.model import Member

from . import layout
from .attempts import CONFLICTS
from .changes import Key, Place, key_of, life_of
from .layout import Life, Paths
from .session import Session


class Written(NamedTuple):
    """How a member was written last: in which session, and the version of its node since."""

    session_id: int
    life: Life
    revision: int
    withdrawn: bool
    since: float | None
    version: int


class Rewrites:
    """What this process wrote last of its members. Usable from any thread."""

    def __init__(self, session: Session, paths: Paths, instance_id: str) -> None:
        self._session = session
        self._paths = paths
        self._instance_id = instance_id
        self._lock = threading.Lock()
        self._written: dict[Key, Written] = {}

    def put(self, member: Member, since: float | None, place: Place) -> Written:
        """Return what there is to remember once *member* is written to this place."""
        version = 0 if place.node is None else place.node.stat.version + 1
        return self._as_written(member, since, version)

    def remember(self, written: Mapping[Key, Written]) -> None:
        """Note what was written."""
        with self._lock:
            self._written |= written

    def forget(self, keys: Collection[Key]) -> None:
        """Note that others may have written these, or that they are no members any more."""
        with self._lock:
            for key in keys:
                self._written.pop(key, None)

    def attempt(self, members: Sequence[Member]) -> bool:
        """Write *members* if all are as they were left here; whether they were."""
        changes = [self._session.check(self._paths.instance(self._instance_id))]
        written = {}
        for member in members:
            key = key_of(member)
            last = self._written.get(key)
            if last is None or not self._follows(last, member):
                return False
            data = layout.packed(member, last.since)
            changes.append(self._session.write(self._paths.member(*key), data, last.version))
            written[key] = self._as_written(member, last.since, last.version + 1)
        try:
            self._session.change(changes)
        except CONFLICTS:
            self.forget(written)
            return False
        self.remember(written)
        return True

    def _follows(self, last: Written, member: Member) -> bool:
        return (
            last.session_id == self._session.id
            and last.life == life_of(member)
            and last.revision <= member.revision
            and last.withdrawn == (member.withdrawn is not None)
        )

    def _as_written(self, member: Member, since: float | None, version: int) -> Written:
        withdrawn = member.withdrawn is not None
        return Written(
            self._session.id, life_of(member), member.revision, withdrawn, since, version
        )
