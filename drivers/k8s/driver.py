"""The driver's class: what each method of the contract is made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import ClassVar

from servicegroup import driver
from servicegroup.exceptions import NotSupported
from servicegroup.model import Member
from servicegroup.will import LastWill

from . import checks
from .beats import OwnBeat
from .client import CLIENT_ERRORS, Client, Conflict, Forbidden
from .clock import GRAIN, Clock
from .ending import Others
from .history import History
from .layout import Reader
from .members import Members
from .options import OPTIONS
from .pods import PodSight, PodWatches
from .settings import GROUP, checked
from .sight import Sight
from .watches import Watches


class KubernetesDriver(driver.Driver):
    """Kubernetes through lightkube, in one namespace."""

    capabilities = driver.Capability.WATCH | driver.Capability.REMEMBERS
    #: A ``Date`` leaves a second open, at both ends of an age.
    resolution: ClassVar[float] = 2 * GRAIN
    client_errors: ClassVar[tuple[type[Exception], ...]] = (*CLIENT_ERRORS, Conflict)
    options_group = GROUP
    options = OPTIONS

    def __init__(self, context: driver.Context) -> None:
        super().__init__(context)
        settings = context.settings
        options = checked(context.conf[GROUP])
        limit, timeout = settings.service_down_time, settings.call_timeout
        self._options = options
        self._client = Client(options, Clock(), timeout)
        self._pods: PodSight | None = None
        if options.mode == "pod":
            self.capabilities = driver.Capability.WATCH | driver.Capability.READ_ONLY
            self._pods = PodSight(self._client, options)
        reader, history = Reader(), History(self._client.clock, limit)
        self._reader = reader
        own = OwnBeat(self._client, context.instance_id, settings, options.owner)
        self._members = Members(self._client, reader, context.instance_id, settings, own)
        self._sight = Sight(self._client, reader, history, settings)
        self._others = Others(self._client)
        self._watches: Watches | PodWatches = Watches(self._client, history, timeout, limit)
        if self._pods is not None:
            self._watches = PodWatches(self._client, self._pods, timeout, limit)

    def start(self) -> None:
        self._client.start()
        try:
            self._client.hear("leases" if self._pods is None else "pods")
        except Forbidden as error:
            raise checks.all_forbidden(self._client, self._options, error) from error

    def stop(self) -> None:
        self._watches.stop()
        self._client.stop()

    def join(self, members: Sequence[Member]) -> list[Member]:
        return self._writable().join(members)

    def update(self, members: Sequence[Member]) -> list[driver.Lost]:
        return self._writable().update(members)

    def heartbeat(
        self,
        instance_id: str,  # noqa: ARG002 - our sign of life is no other's
        members: Sequence[Member],
    ) -> list[driver.Lost]:
        return self._writable().heartbeat(members)

    def leave(self, members: Sequence[Member]) -> None:
        self._writable().leave(members)

    def end(self, instance_id: str, reason: str) -> None:
        self._writable()
        self._others.end(instance_id, reason)

    def last_will(self, reason: str) -> LastWill | None:
        if self._pods is not None:
            return None
        values = self.context.conf[GROUP]
        arguments = {
            "values": {option.dest: values[option.dest] for option in OPTIONS},
            "call_timeout": self.context.settings.call_timeout,
            "instance_id": self.context.instance_id,
            "reason": reason,
        }
        return LastWill("servicegroup.drivers.k8s.last_will:prepared", arguments)

    def sightings(
        self,
        group_id: str,
        member_ids: Collection[str] | None = None,
        *,
        known: Mapping[str, Member] | None = None,
        attributes: bool = True,
    ) -> driver.Sightings:
        if self._pods is not None:
            return self._pods.sightings(group_id, member_ids, known or {})
        return self._sight.sightings(group_id, member_ids, known or {}, attributes=attributes)

    def groups(self) -> list[str]:
        return self._sight.groups() if self._pods is None else self._pods.groups()

    def findings(self) -> Iterable[driver.Finding]:
        return checks.findings(self._client, self._options, self._reader)

    def watch(
        self, group_id: str, changed: Callable[[Collection[str] | None], None]
    ) -> Callable[[], None]:
        return self._watches.watch(group_id, changed)

    def _writable(self) -> Members:
        if self._pods is not None:
            raise NotSupported(
                f"[{GROUP}] mode=pod only reads: pods come and go by themselves, nobody joins or "
                f"leaves"
            )
        return self._members
