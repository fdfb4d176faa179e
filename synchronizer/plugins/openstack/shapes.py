"""What is told of each kind of thing in a cloud, whichever way it was learnt.

The collector and the notifications say the same of the same thing, down to the names in ``data``:
otherwise each reconcile would be a change. So only what both know is told.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ...model import Entity, timestamp

INSTANCE, HOST, ZONE = "nova.instance", "nova.host", "nova.zone"
VOLUME = "cinder.volume"
NETWORK, PORT = "neutron.network", "neutron.port"
STACK = "heat.stack"
NODE = "ironic.node"

Values = Mapping[str, Any]


def when(text: str | None) -> float | None:
    """Return a time as the services write it, in seconds since 1970.

    :raises ValueError: it is no time
    """
    return timestamp(text) if text else None


def lower(text: str | None) -> str | None:
    """Return a state as it is told: nova's are lower-case in notifications, not in its API."""
    return text.lower() if text else None


def instance(
    *,
    key: str,
    state: str | None,
    project: str | None,
    host: str | None,
    name: str | None,
    user: str | None,
    flavor: str | None,
    changed: str | None,
) -> Entity:
    """Return a server of nova. Its state is nova's ``vm_state``, such as ``active``."""
    return Entity(
        key=key,
        type=INSTANCE,
        state=lower(state),
        parent_key=host or None,
        project=project,
        timestamp=when(changed),
        data={"name": name or "", "user": user, "flavor": flavor},
    )


def volume(values: Values, *, key: str, project: str | None, servers: Collection[str]) -> Entity:
    """Return a volume of cinder; its parent is the server that it is attached to."""
    attached = sorted(set(servers))
    return Entity(
        key=key,
        type=VOLUME,
        state=values["status"],
        parent_key=attached[0] if attached else None,
        project=project,
        timestamp=when(values.get("updated_at")),
        data={
            "name": values.get("name", values.get("display_name")) or "",
            "size": values.get("size"),
            "zone": values.get("availability_zone"),
            "user": values.get("user_id"),
            "attached_to": attached,
        },
    )


def network(values: Values) -> Entity:
    """Return a network of neutron, whose notifications hold what its API says."""
    return Entity(
        key=values["id"],
        type=NETWORK,
        state=lower(values["status"]),
        project=_project(values),
        timestamp=when(values.get("updated_at")),
        data={
            "name": values.get("name") or "",
            "enabled": values.get("admin_state_up"),
            "shared": values.get("shared"),
            "external": bool(values.get("router:external")),
            "mtu": values.get("mtu"),
        },
    )


def port(values: Values) -> Entity:
    """Return a port of neutron; its parent is the network, ``device`` what it belongs to."""
    addresses = [one.get("ip_address") for one in values.get("fixed_ips") or ()]
    return Entity(
        key=values["id"],
        type=PORT,
        state=lower(values["status"]),
        parent_key=values["network_id"],
        project=_project(values),
        role=values.get("device_owner") or None,
        timestamp=when(values.get("updated_at")),
        data={
            "name": values.get("name") or "",
            "enabled": values.get("admin_state_up"),
            "device": values.get("device_id") or None,
            "mac": values.get("mac_address"),
            "addresses": sorted(filter(None, addresses)),
        },
    )


def stack(
    *, key: str, state: str | None, project: str | None, name: str, reason: str | None
) -> Entity:
    """Return a stack of heat, whose times do not tell of all that happens to it."""
    return Entity(
        key=key,
        type=STACK,
        state=lower(state),
        project=project,
        data={"name": name, "reason": reason or ""},
    )


def node(values: Values) -> Entity:
    """Return a node of ironic, whose notifications hold what its API says."""
    return Entity(
        key=values["uuid"],
        type=NODE,
        state=values["provision_state"],
        project=values.get("owner"),
        timestamp=when(values.get("updated_at") or values.get("created_at")),
        data={
            "name": values.get("name") or "",
            "power_state": values.get("power_state"),
            "maintenance": bool(values.get("maintenance")),
            "maintenance_reason": values.get("maintenance_reason"),
            "fault": values.get("fault"),
            "driver": values.get("driver"),
            "resource_class": values.get("resource_class"),
            "instance": values.get("instance_uuid"),
        },
    )


def _project(values: Values) -> str | None:
    return values.get("project_id") or values.get("tenant_id")
