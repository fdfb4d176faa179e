"""The driver's face: what it promises, and how its parts are put together."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from servicegroup import driver
from servicegroup.driver import Ages, Finding, Lost, Sightings
from servicegroup.model import Member
from servicegroup.will import LastWill

from . import limits, options
from .beats import RESOLUTION, Beats
from .codec import Codec
from .index import Index
from .members import Members
from .pulse import Pulse
from .report import Reporter
from .server import CLIENT_ERRORS
from .servers import Servers
from .sight import Sight
from .signs import Signs


class MemcacheDriver(driver.Driver):
    """One or more memcached servers through pymemcache, at ``[servicegroup_memcache] servers``."""

    capabilities = driver.Capability.REMEMBERS
    resolution: ClassVar[float] = RESOLUTION
    client_errors: ClassVar[tuple[type[Exception], ...]] = CLIENT_ERRORS
    options_group = options.GROUP
    options = options.OPTIONS

    def __init__(self, context: driver.Context) -> None:
        super().__init__(context)
        chosen, settings = options.read(context.conf), context.settings
        self._servers = Servers(chosen, settings.call_timeout)
        #: How values are made; its ``refusals`` counts those that were ignored.
        self.codec = Codec(chosen.namespace, chosen.secret)
        signs = Signs(self.codec)
        pulse = Pulse(self._servers, self.codec, signs, settings)
        index = Index(self._servers, self.codec)
        members = Members(self._servers, self.codec)
        beats = Beats(self._servers, self.codec, signs, settings)
        self._reporter = Reporter(context.instance_id, self._servers, pulse, index, members)
        self._will = functools.partial(pulse.last_will, context.instance_id, chosen)
        self._sight = Sight(self._servers, self.codec, index, beats, settings.service_down_time)

    def start(self) -> None:
        self._servers.start()

    def stop(self) -> None:
        self._servers.close()

    def join(self, members: Sequence[Member]) -> list[Member]:
        return self._reporter.join(members)

    def update(self, members: Sequence[Member]) -> list[Lost]:
        return self._reporter.update(members)

    def heartbeat(self, instance_id: str, members: Sequence[Member]) -> list[Lost]:
        return self._reporter.heartbeat(instance_id, members)

    def leave(self, members: Sequence[Member]) -> None:
        self._reporter.leave(members)

    def end(self, instance_id: str, reason: str) -> None:
        self._reporter.end(instance_id, reason)

    def findings(self) -> list[Finding]:
        return [one for server in self._servers for one in limits.findings(server)]

    def last_will(self, reason: str) -> LastWill:
        return self._will(reason)

    def sightings(
        self,
        group_id: str,
        member_ids: Collection[str] | None = None,
        *,
        known: Mapping[str, Member] | None = None,
        attributes: bool = True,
    ) -> Sightings:
        return self._sight.sightings(group_id, member_ids, known or {}, attributes=attributes)

    def ages(self, group_id: str) -> Ages:
        return self._sight.ages(group_id)

    def groups(self) -> list[str]:
        return self._sight.groups()
