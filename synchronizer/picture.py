"""A consumer that holds what it was told: the picture, rebuilt from events alone."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .model import Entity, Event, Op, Token


class Picture:
    """A callback for ``register`` that keeps all entities. Read it from any thread.

    It is what a consumer has to do with each event, in its plainest form; tests use it as well:
    ``events`` are all that came, ``gaps`` those before which something was missed, ``statuses``
    the (state, reason) of sources, ``snapshots`` counts the complete ones. ``trouble``: raised in
    place of taking an event in, while it is set.
    """

    def __init__(self) -> None:
        self.entities: dict[tuple[str, str], Entity] = {}
        self.events: list[Event] = []
        self.statuses: list[tuple[str | None, str]] = []
        self.gaps: list[Event] = []
        self.snapshots = 0
        self.token: Token | None = None
        self.trouble: Exception | None = None
        self._new: dict[tuple[str, str], Entity] = {}
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        """Take in one event."""
        with self._changed:
            if self.trouble is not None:
                raise self.trouble
            if not event.follows(self.token):
                self.gaps.append(event)
            self._take(event)
            self.events.append(event)
            self.token = event.token or self.token
            self._changed.notify_all()

    def _take(self, event: Event) -> None:
        if event.op is Op.STATUS:
            self.statuses.append((event.state, event.reason))
        elif event.op is Op.SNAPSHOT_BEGIN:
            self._new = {}
        elif event.op is Op.SNAPSHOT_END:
            kept = {key: one for key, one in self.entities.items() if key[0] != event.type}
            self.entities = kept | self._new
            self.snapshots += 1
        elif event.op is Op.DELETE:
            self.entities.pop((event.type, str(event.key)), None)
        elif event.entity is not None:
            held = self._new if event.op is Op.SNAPSHOT else self.entities
            held[event.type, event.entity.key] = event.entity

    @property
    def states(self) -> dict[str, str | None]:
        """The state of each key."""
        return {key: entity.state for (_, key), entity in self.entities.items()}

    @property
    def changes(self) -> list[tuple[str, str | None]]:
        """The operation and key of each event that was no snapshot and no status."""
        ops = (Op.CREATE, Op.UPDATE, Op.DELETE)
        return [(event.op.value, event.key) for event in self.events if event.op in ops]

    def wait(self, what: Callable[[], bool], timeout: float) -> bool:
        """Wait until *what* is true, looking after each event; returns whether it became so."""
        with self._changed:
            return self._changed.wait_for(what, timeout)
