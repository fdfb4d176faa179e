"""The driver's face: what it promises, and how its parts are put together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

import tooz

from servicegroup import driver
from servicegroup.driver import Ages, Lost, Sightings
from servicegroup.model import Member

from . import layout, options
from .coordinator import Coordinator, Place
from .members import Members
from .pulse import Pulse
from .sight import sightings


class ToozDriver(driver.Driver):
    """Whatever store tooz has groups for, at ``[servicegroup_tooz] backend_url``."""

    capabilities = driver.Capability.NONE
    resolution: ClassVar[float] = 2.0
    client_errors: ClassVar[tuple[type[Exception], ...]] = (tooz.ToozError, OSError)
    options_group = options.GROUP
    options = options.OPTIONS

    def __init__(self, context: driver.Context) -> None:
        super().__init__(context)
        place = Place(options.read(context.conf), context.settings.call_timeout)
        limit, instance_id = context.settings.service_down_time, context.instance_id
        self._own = Coordinator(place, layout.instance_name(instance_id), limit)
        self._members = Members(self._own, instance_id, place, limit)
        self._pulse = Pulse(instance_id, self._members, limit)

    def start(self) -> None:
        self._own.start()

    def stop(self) -> None:
        self._members.close()

    def join(self, members: Sequence[Member]) -> list[Member]:
        return self._members.join(members)

    def update(self, members: Sequence[Member]) -> list[Lost]:
        return self._members.update(members)

    def heartbeat(self, instance_id: str, members: Sequence[Member]) -> list[Lost]:
        if instance_id != self.context.instance_id:
            return []  # a witness, which presence needs none of
        return self._pulse.heartbeat(members)

    def leave(self, members: Sequence[Member]) -> None:
        self._members.leave(members)

    def end(self, instance_id: str, reason: str) -> None:
        self._members.end(instance_id, reason)

    def sightings(
        self,
        group_id: str,
        member_ids: Collection[str] | None = None,
        *,
        known: Mapping[str, Member] | None = None,
        attributes: bool = True,  # noqa: ARG002 - they are decoded with all the rest
    ) -> Sightings:
        view = self._members.view(group_id)
        return sightings(view, member_ids, known or {})

    def ages(self, group_id: str) -> Ages:
        view = self._members.view(group_id)
        alive = view.plain()
        rest = view.members.keys() - alive.keys()
        return Ages(alive, sightings(view, rest, {}).members if rest else ())

    def groups(self) -> list[str]:
        return self._members.groups()
