"""Removing evidence that nobody needs any more: graves of members and notes of instances.

Neither is in anybody's way, so nothing is looked through while there are few of them. The first
join of a process does it, where there are many.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Sequence

from kazoo.exceptions import ZookeeperError

from servicegroup.exceptions import ConfigurationError

from . import layout
from .client import CLIENT_ERRORS
from .clock import ServerClock
from .layout import Paths
from .session import Session

LOG = logging.getLogger(__name__)

#: Graves of one group, or notes, from which on it is worth a look; and how many are looked at.
MANY = 1000
SOME = 5000
#: Seconds. A process that was paused for longer may come back over its successor's grave.
KEPT = 30 * 86400.0
#: Seconds. Nobody else ever lived under this id, and who lived there left by its own will.
PEACEFUL_KEPT = 86400.0
#: Seconds for which a note is kept even though no member is seen that needs it.
NOTE_KEPT = 3600.0


class Sweep:
    """Done once for each driver object, and never in the way of what it is done beside."""

    def __init__(self, session: Session, paths: Paths, clock: ServerClock) -> None:
        self._session = session
        self._paths = paths
        self._clock = clock
        self._done = False

    def once(self, group_ids: Iterable[str]) -> None:
        """Remove what is old, in these groups and among the notes. Raises nothing."""
        if self._done:
            return
        self._done = True
        try:
            for group_id in group_ids:
                self._graves(self._paths.graves(group_id))
            self._notes()
        except (ZookeeperError, ConfigurationError, *CLIENT_ERRORS) as error:
            LOG.debug("old evidence is not removed now: %s", error)

    def _graves(self, folder: str) -> None:
        now = self._clock.now()
        for path, data, age in self._old(folder, now):
            if age > (PEACEFUL_KEPT if layout.peaceful(data) else KEPT):
                self._session.attempt([self._session.delete(path)])

    def _notes(self) -> None:
        now = self._clock.now()
        old = [path for path, _, age in self._old(self._paths.ended, now) if age > NOTE_KEPT]
        if not old:
            return
        needed = {self._paths.note(one) for one in self._carriers()}
        for path in old:
            if path not in needed:
                self._session.attempt([self._session.delete(path)])

    def _old(self, folder: str, now: float) -> list[tuple[str, bytes, float]]:
        """Return some of the nodes in a folder of many: path, data and age in seconds."""
        (top,) = self._session.read([folder])
        if top is None or top.stat.numChildren < MANY:
            return []
        names = self._session.children(folder)
        paths = [f"{folder}/{name}" for name in random.sample(names, min(SOME, len(names)))]
        return [
            (path, node.data, now - node.stat.mtime / 1000.0)
            for path, node in zip(paths, self._session.read(paths), strict=True)
            if node is not None
        ]

    def _carriers(self) -> set[str]:
        """Return the instances that any member names."""
        carriers: set[str] = set()
        for group in self._session.children(self._paths.groups):
            folder = f"{self._paths.groups}/{group}"
            names: Sequence[str] = self._session.children(folder)
            contents = self._session.contents([f"{folder}/{name}" for name in names])
            found = [(n, data) for n, data in zip(names, contents, strict=True) if data is not None]
            stored = layout.unpacked(group, [n for n, _ in found], [data for _, data in found])
            carriers.update(one.member.instance_id for one in stored if one is not None)
        return carriers
