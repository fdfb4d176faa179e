"""The ``memory`` driver: the contract in its plainest form.

A model to read before writing a driver, and a store whose faults a test can switch. Its stores
live in this process alone and are found by name, ``[servicegroup_memory] store``::

    store = MemoryStore.named("default")
    store.unavailable = True   # every call raises MemoryStoreDown
    store.hang.set()           # every call waits, beyond all time-outs, until hang.clear()
    store.lose()               # everything in it is gone, as after a flush
    store.clock = FakeClock()  # from now on time passes by hand
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import ClassVar

from oslo_config import cfg

from servicegroup.driver import Capability, Context, Driver, Loss, Lost, Sightings
from servicegroup.model import Ending, EndKind, Member, Sighting
from servicegroup.testing.memory_store import (
    Changed,
    Key,
    MemoryStore,
    MemoryStoreDown,
    Place,
    Pulse,
    life,
)

__all__ = ["MemoryDriver", "MemoryStore", "MemoryStoreDown"]


class MemoryDriver(Driver):
    """Keeps members in a dictionary of this process."""

    capabilities = Capability.WATCH | Capability.REMEMBERS
    client_errors: ClassVar[tuple[type[Exception], ...]] = (MemoryStoreDown,)
    options_group = "servicegroup_memory"
    options: ClassVar[Sequence[cfg.Opt]] = (
        cfg.StrOpt(
            "store",
            default="default",
            help="Name of the store within this process. Nobody outside the process can see its "
            "members: this driver is for tests and trials.",
        ),
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._store = MemoryStore.named(context.conf[self.options_group].store)
        self._limit = context.settings.service_down_time
        self._gap = context.settings.steady_gap
        self._watches: list[object] = []

    def start(self) -> None:
        self._store.answer()

    def stop(self) -> None:
        for token in self._watches:
            self._store.watches.pop(token, None)
        self._watches.clear()

    def join(self, members: Sequence[Member]) -> list[Member]:
        with self._changing() as touched:
            joined = []
            for member in members:
                place = self._store.places.get(_key(member))
                last = place.member.incarnation if place else 0
                before = place.member if place and place.left_at is None else None
                joined.append(member.joined(last + 1, time.time(), before))
                self._keep(joined[-1], touched)
            return joined

    def update(self, members: Sequence[Member]) -> list[Lost]:
        lost = []
        with self._changing() as touched:
            for member in members:
                place = self._store.places.get(_key(member))
                loss = _evidence(place, member)
                if loss is not None:
                    lost.append(loss)
                elif not _newer(place, member):
                    self._keep(member, touched)
        return lost

    def heartbeat(self, instance_id: str, members: Sequence[Member]) -> list[Lost]:
        with self._changing() as touched:
            self._beat(instance_id, touched)
            lost = []
            for member in members:
                place = self._store.places.get(_key(member))
                if place is None or not place.holds(member):
                    lost.append(_evidence(place, member) or Lost(member, Loss.MISSING))
            return lost

    def leave(self, members: Sequence[Member]) -> None:
        with self._changing() as touched:
            for member in members:
                place = self._store.places.get(_key(member))
                if place is not None and place.holds(member):
                    place.left_at = self._store.clock()
                    touched.append(_key(member))

    def end(self, instance_id: str, reason: str) -> None:
        with self._changing() as touched:
            pulse = self._store.pulses.get(instance_id)
            if pulse is not None and pulse.ended_at is None:
                pulse.ended_at, pulse.ended_reason = self._store.clock(), reason
                touched.extend(self._held_by(instance_id))

    def sightings(
        self,
        group_id: str,
        member_ids: Collection[str] | None = None,
        *,
        known: Mapping[str, Member] | None = None,
        attributes: bool = True,  # noqa: ARG002 - leaving them out would save nothing here
    ) -> Sightings:
        self._store.answer()
        asked = set(known or ()) if member_ids is None else set(member_ids)
        with self._store.lock:
            now = self._store.clock()
            seen = [
                self._sighting(place, (known or {}).get(member_id), now)
                for (group, member_id), place in self._store.places.items()
                if group == group_id
                and (member_id in asked or (member_ids is None and place.left_at is None))
            ]
            return Sightings(seen, self._witnessed(now), now)

    def groups(self) -> list[str]:
        self._store.answer()
        with self._store.lock:
            places = self._store.places.items()
            return sorted({group for (group, _), place in places if place.left_at is None})

    def watch(self, group_id: str, changed: Changed) -> Callable[[], None]:
        self._store.answer()
        token = object()
        self._watches.append(token)
        self._store.watches[token] = (group_id, changed)

        def stop() -> None:
            self._store.watches.pop(token, None)

        return stop

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[Key]]:
        """Collect the keys of members that may have changed, and call back for them at the end.

        Without the lock, because whoever is called may read at once.
        """
        self._store.answer()
        touched: list[Key] = []
        with self._store.lock:
            yield touched
            watches = list(self._store.watches.values())
        for group_id, changed in watches:
            ids = {member_id for group, member_id in touched if group == group_id}
            if ids:
                changed(ids)

    def _keep(self, member: Member, touched: list[Key]) -> None:
        store, now = self._store, self._store.clock()
        before = store.places.get(_key(member))
        was_up = before is not None and before.holds(member) and before.member.withdrawn is None
        up_since = before.up_since if before is not None and was_up else now
        withdrawn_at = None if member.withdrawn is None else now
        store.places[_key(member)] = Place(member, up_since, withdrawn_at)
        self._beat(member.instance_id, touched)
        touched.append(_key(member))

    def _beat(self, instance_id: str, touched: list[Key]) -> None:
        now = self._store.clock()
        pulse = self._store.pulses.get(instance_id)
        if pulse is None:
            self._store.pulses[instance_id] = Pulse(now, now)
            return
        silent = now - pulse.beat_at
        if pulse.ended_at is not None or silent > self._limit:
            touched += self._held_by(instance_id)  # they rise again
        if pulse.ended_at is not None or not 0 <= silent <= self._gap:
            pulse.steady_since = now
        pulse.beat_at, pulse.ended_at = now, None

    def _held_by(self, instance_id: str) -> list[Key]:
        return [
            key
            for key, place in self._store.places.items()
            if place.left_at is None and place.member.instance_id == instance_id
        ]

    def _witnessed(self, now: float) -> bool:
        return any(
            pulse.ended_at is None
            and now - pulse.beat_at <= self._gap
            and now - pulse.steady_since >= self._limit
            for pulse in self._store.pulses.values()
        )

    def _sighting(self, place: Place, held: Member | None, now: float) -> Sighting:
        member = place.member
        if held is not None and life(held) == life(member) and held.revision == member.revision:
            member = held
        if place.left_at is not None:
            return Sighting(member, ended=Ending(EndKind.LEFT, "left", now - place.left_at))
        pulse = self._store.pulses[member.instance_id]
        ended = None
        if pulse.ended_at is not None:
            ended = Ending(EndKind.ENDED, pulse.ended_reason, now - pulse.ended_at)
        elif place.member.withdrawn is not None:
            at = now if place.withdrawn_at is None else place.withdrawn_at
            ended = Ending(EndKind.WITHDRAWN, place.member.withdrawn, now - at)
        since = now - max(place.up_since, pulse.steady_since)
        return Sighting(member, max(0.0, now - pulse.beat_at), ended, since)


def _key(member: Member) -> Key:
    return (member.group_id, member.member_id)


def _newer(place: Place | None, member: Member) -> bool:
    return place is not None and place.holds(member) and place.member.revision > member.revision


def _evidence(place: Place | None, member: Member) -> Lost | None:
    """Return how the store knows that *member*'s life is over; ``None`` where it does not."""
    if place is None or place.holds(member) or place.member.incarnation < member.incarnation:
        return None
    if life(place.member) == life(member):
        return Lost(member, Loss.REMOVED)
    return Lost(member, Loss.SUPERSEDED, place.member)
