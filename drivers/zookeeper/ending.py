"""The end of an instance: its sign of life is taken away, and why is noted, in one transaction."""

from __future__ import annotations

from . import layout
from .attempts import again
from .layout import Note, Paths
from .session import Session


class Ends:
    """Ends instances, for whoever saw the process die: another process, or a guardian."""

    def __init__(self, session: Session, paths: Paths) -> None:
        self._session = session
        self._paths = paths

    def end(self, instance_id: str, note: Note) -> None:
        """See :meth:`servicegroup.driver.Driver.end`."""
        again(self._session, lambda: self._end(instance_id, note), self._paths.folders)

    def _end(self, instance_id: str, note: Note) -> None:
        path, place = self._paths.instance(instance_id), self._paths.note(instance_id)
        own, before = self._session.read([path, place], newest=True)
        data = layout.packed_note(note)
        changes = [] if own is None else [self._session.delete(path)]
        if before is None:
            if own is not None:  # else nobody there knew it: it left, or its session expired
                changes.append(self._session.create(place, data))
        else:
            known = layout.unpacked_note(before.data)
            if own is not None or known is None or not known.seen:
                changes.append(self._session.write(place, data, before.stat.version))
        if changes:
            self._session.change(changes)
