"""Ironic's registry of conductors: what its database API does with them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from oslo_config import cfg

from servicegroup import exceptions
from servicegroup.compat.shared import shared
from servicegroup.membership import Membership
from servicegroup.model import State


class Registry:
    """Conductors and their hardware types; they beat by themselves, ``touch`` says how they are.

    ``host`` and the times of ``[conductor]`` are Ironic's, unless set in ``[servicegroup]``.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        own = {"host": conf.host, "report_interval": conf.conductor.heartbeat_interval}
        named = []
        if conf.conductor.heartbeat_timeout > 0:  # else Ironic calls nobody dead by age
            own["service_down_time"] = conf.conductor.heartbeat_timeout
            named = ["[conductor] heartbeat_timeout"]
        self._group = shared(conf, *named, **own)
        self._mine: dict[str, Membership] = {}

    def register_conductor(
        self, values: Mapping[str, Any], update_existing: bool = False
    ) -> Membership:
        """Join with ``hostname``, ``drivers`` (hardware types) and ``conductor_group``, at once.

        :raises ConductorAlreadyRegistered: it lives elsewhere, and *update_existing* is false
        """
        name = values["hostname"]
        if name in self._mine and not self._mine[name].ended:
            self._mine.pop(name).leave()
        try:
            self._mine[name] = self._group.conductors.join(
                drivers=values["drivers"],
                conductor_group=values.get("conductor_group") or "",
                hostname=name,
                takeover=update_existing,
            )
        except exceptions.MemberExists as error:
            kind = ironic_error("ConductorAlreadyRegistered", exceptions.MemberExists)
            if kind is exceptions.MemberExists:
                raise
            raise kind(conductor=name) from error
        return self._mine[name]

    def touch_conductor(self, hostname: str, online: bool = True) -> None:
        """Say that it takes nodes or, while it drains, that it takes none but is alive.

        :raises ConductorNotFound: it was removed, superseded, or never registered here
        """
        membership = self._mine.get(hostname)
        if membership is None or membership.ended:
            raise _not_found(hostname)
        attributes = {**membership.member.attributes, "online": online}
        if attributes != membership.member.attributes:
            membership.update(attributes)

    def unregister_conductor(self, hostname: str) -> None:
        """Leave.

        :raises ConductorNotFound: it is not registered here
        """
        if hostname not in self._mine:
            raise _not_found(hostname)
        self._mine.pop(hostname).leave()

    def get_online_conductors(self) -> list[str]:
        """Return the host names of those that are up and take nodes."""
        return [one.member_id for one in self._members() if one.is_up and _takes_nodes(one)]

    def get_offline_conductors(self) -> list[str]:
        """Return the host names of those that are down; not of those that nobody can tell of."""
        return [one.member_id for one in self._members() if one.state is State.DOWN]

    def get_active_hardware_type_dict(self, use_groups: bool = False) -> dict[str, set[str]]:
        """Return {hardware type, with *use_groups* ``group:type``: host names}."""
        hosts: dict[str, set[str]] = {}
        for one in self._members():
            if one.is_up and _takes_nodes(one):
                prefix = f"{one.attributes.get('conductor_group', '')}:" if use_groups else ""
                for driver in one.attributes.get("drivers", ()):
                    hosts.setdefault(prefix + driver, set()).add(one.member_id)
        return hosts

    def _members(self) -> Iterable[Any]:
        return self._group.get_members(self._group.settings.conductor_group)


def _takes_nodes(status: Any) -> bool:
    return status.attributes.get("online", True) is True


def ironic_error(name: str, otherwise: type[Exception]) -> Any:
    """Return Ironic's error of that name, ours where there is no Ironic."""
    try:
        return getattr(importlib.import_module("ironic.common.exception"), name)
    except ImportError:
        return otherwise


def _not_found(hostname: str) -> Exception:
    kind = ironic_error("ConductorNotFound", exceptions.NoSuchConductor)
    if kind is exceptions.NoSuchConductor:
        return exceptions.NoSuchConductor(f"conductor {hostname!r} is not registered here")
    error: Exception = kind(conductor=hostname)
    return error
