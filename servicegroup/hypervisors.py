"""Hypervisors with the state of the services that run them: at a glance, and in two queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from servicegroup.inventory import Hypervisor, Inventory, no_such_hypervisor
from servicegroup.model import State
from servicegroup.status import MemberStatus


class HypervisorStatus(NamedTuple):
    """A hypervisor and the service that runs it.

    ``service`` is the member of ``[servicegroup_hypervisor] group`` whose id, or else whose host
    name, is the hypervisor's ``host``; ``None`` where there is none.
    """

    hypervisor: Hypervisor
    service: MemberStatus | None
    group_id: str

    @property
    def state(self) -> State:
        """``up``, ``down`` or ``unknown``: the verdict on its service; down where there is none."""
        return State.DOWN if self.service is None else self.service.state

    @property
    def status(self) -> str:
        """``enabled`` or ``disabled``, as the operator said of its service."""
        return "disabled" if self.service is not None and not self.service.enabled else "enabled"

    @property
    def disabled_reason(self) -> str | None:
        """Why its service is disabled, as the operator said."""
        record = None if self.service is None else self.service.record
        return None if record is None else record.disabled_reason

    @property
    def reason(self) -> str:
        """The reason of the state, in words."""
        if self.service is None:
            host = self.hypervisor.host
            return f"no service of group {self.group_id!r} is known on host {host!r}"
        return self.service.reason

    @property
    def service_id(self) -> int | None:
        """The number of its service's record."""
        record = None if self.service is None else self.service.record
        return None if record is None else record.id

    @property
    def service_uuid(self) -> str | None:
        """The uuid of its service's record."""
        record = None if self.service is None else self.service.record
        return None if record is None else record.uuid


class Hypervisors:
    """``sg.hypervisors``. Every call may raise :exc:`DriverUnavailable`; usable from any thread."""

    def __init__(
        self,
        group_id: str,
        host: str,
        inventory: Inventory,
        look: Callable[[str], Iterable[MemberStatus]],
    ) -> None:
        self.group_id = group_id
        self._host = host
        self.inventory = inventory
        self._look = look

    def list(self) -> Sequence[HypervisorStatus]:
        """Return all hypervisors, by id: two queries, whatever their number."""
        return self._with_services(self.inventory.hypervisors())

    def get(self, ident: str | int) -> HypervisorStatus:
        """Return one hypervisor, by id, uuid or ``hypervisor_hostname``.

        :raises NoSuchHypervisor: there is none
        """
        found = self.inventory.hypervisor(str(ident))
        if found is None:
            raise no_such_hypervisor(str(ident))
        return self._with_services([found])[0]

    def report(
        self, hypervisor_hostname: str | None = None, *, host: str | None = None, **fields: Any
    ) -> None:
        """Say what a hypervisor is like now: for the service that runs it, as often as it likes.

        What is given is changed, what is left out stays, ``None`` is no longer known; a hypervisor
        that is not there is added. One statement, once it is.

        :param hypervisor_hostname: default: ``host``
        :param host: of the service; default: ``[servicegroup] host``, as of this process's members
        :param fields: of :class:`~servicegroup.inventory.Hypervisor`, such as ``vcpus_used=3``
        :raises InvalidInventory: a field that cannot be so
        :raises NotSupported: the inventory is kept by the service itself
        """
        host = self._host if host is None else host
        name = host if hypervisor_hostname is None else hypervisor_hostname
        self.inventory.report_hypervisor(name, host=host, **fields)

    def _with_services(self, found: Iterable[Hypervisor]) -> Sequence[HypervisorStatus]:
        by_host: dict[str, MemberStatus] = {}
        by_id: dict[str, MemberStatus] = {}
        for status in self._look(self.group_id):
            by_id[status.member_id] = status
            before = by_host.get(status.hostname)
            if before is None or (status.is_up and not before.is_up):
                by_host[status.hostname] = status
        return [
            HypervisorStatus(one, by_id.get(one.host) or by_host.get(one.host), self.group_id)
            for one in found
        ]
