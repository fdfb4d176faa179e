"""What of the services' answers counts, and the entities that are made of it."""

from __future__ import annotations

from typing import Any

import msgspec

from ...model import Entity
from . import shapes

#: Least versions that say what is asked for: a flavor's name, a node's owner.
NOVA_VERSION, IRONIC_VERSION = "2.53", "1.50"
#: The first that finds volumes by when they changed.
CINDER_CHANGES_VERSION = "3.60"


class Flavor(msgspec.Struct):
    """What a server was made as."""

    original_name: str | None = None


class Server(
    msgspec.Struct,
    rename={"vm_state": "OS-EXT-STS:vm_state", "host": "OS-EXT-SRV-ATTR:host"},
):
    """A server in the answer of nova."""

    id: str
    status: str
    tenant_id: str
    name: str | None = None
    vm_state: str | None = None
    user_id: str | None = None
    host: str | None = None
    flavor: Flavor | None = None
    updated: str | None = None

    @property
    def is_gone(self) -> bool:
        """Whether it is told only because it was deleted."""
        return self.status == "DELETED"


class Attachment(msgspec.Struct):
    """Where a volume is attached."""

    server_id: str | None = None


class Volume(msgspec.Struct, rename={"tenant_id": "os-vol-tenant-attr:tenant_id"}):
    """A volume in the answer of cinder."""

    id: str
    status: str
    name: str | None = None
    size: int | None = None
    availability_zone: str | None = None
    user_id: str | None = None
    tenant_id: str | None = None
    updated_at: str | None = None
    attachments: list[Attachment] = []


class Network(msgspec.Struct, rename={"external": "router:external"}):
    """A network in the answer of neutron."""

    id: str
    status: str
    name: str | None = None
    admin_state_up: bool | None = None
    shared: bool | None = None
    external: bool | None = None
    mtu: int | None = None
    project_id: str | None = None
    tenant_id: str | None = None
    updated_at: str | None = None


class FixedIp(msgspec.Struct):
    """An address of a port."""

    ip_address: str | None = None


class Port(msgspec.Struct):
    """A port in the answer of neutron."""

    id: str
    status: str
    network_id: str
    name: str | None = None
    admin_state_up: bool | None = None
    device_id: str | None = None
    device_owner: str | None = None
    mac_address: str | None = None
    fixed_ips: list[FixedIp] = []
    project_id: str | None = None
    tenant_id: str | None = None
    updated_at: str | None = None


class Stack(msgspec.Struct):
    """A stack in the answer of heat."""

    id: str
    stack_name: str
    stack_status: str
    stack_status_reason: str | None = None
    project: str | None = None


class Node(msgspec.Struct):
    """A node in the answer of ironic."""

    uuid: str
    provision_state: str | None = None
    name: str | None = None
    power_state: str | None = None
    maintenance: bool | None = None
    maintenance_reason: str | None = None
    fault: str | None = None
    driver: str | None = None
    resource_class: str | None = None
    instance_uuid: str | None = None
    owner: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class Service(msgspec.Struct):
    """A nova-compute in the answer of nova; when it reported last changes all the time."""

    host: str
    state: str
    status: str
    zone: str | None = None
    disabled_reason: str | None = None
    forced_down: bool = False


class ZoneState(msgspec.Struct):
    """Whether it can be used."""

    available: bool = False


class Zone(msgspec.Struct):
    """An availability zone in the answer of nova; of its hosts only the names count."""

    zoneName: str  # noqa: N815 - nova's
    zoneState: ZoneState  # noqa: N815 - nova's
    hosts: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Leave out of the hosts what changes with each of their reports."""
        self.hosts = dict.fromkeys(sorted(self.hosts or ()))


def instance(row: Server) -> Entity:
    """Make an entity of a server."""
    return shapes.instance(
        key=row.id,
        state=row.vm_state or row.status,
        project=row.tenant_id,
        host=row.host,
        name=row.name,
        user=row.user_id,
        flavor=None if row.flavor is None else row.flavor.original_name,
        changed=row.updated,
    )


def volume(row: Volume) -> Entity:
    """Make an entity of a volume."""
    servers = [one.server_id for one in row.attachments if one.server_id]
    return shapes.volume(_values(row), key=row.id, project=row.tenant_id, servers=servers)


def network(row: Network) -> Entity:
    """Make an entity of a network."""
    return shapes.network(_values(row))


def port(row: Port) -> Entity:
    """Make an entity of a port."""
    return shapes.port(_values(row))


def stack(row: Stack) -> Entity:
    """Make an entity of a stack."""
    return shapes.stack(
        key=row.id,
        state=row.stack_status,
        project=row.project,
        name=row.stack_name,
        reason=row.stack_status_reason,
    )


def node(row: Node) -> Entity:
    """Make an entity of a node."""
    return shapes.node(_values(row))


def host(row: Service) -> Entity:
    """Make an entity of a host that runs servers."""
    return Entity(
        key=row.host,
        type=shapes.HOST,
        state=row.state,
        parent_key=row.zone,
        role="nova-compute",
        data={
            "enabled": row.status == "enabled",
            "disabled_reason": row.disabled_reason,
            "forced_down": row.forced_down,
        },
    )


def zone(row: Zone) -> Entity:
    """Make an entity of an availability zone."""
    return Entity(
        key=row.zoneName,
        type=shapes.ZONE,
        state="available" if row.zoneState.available else "unavailable",
        child_keys=tuple(row.hosts or ()),
    )


def _values(row: msgspec.Struct) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(row)
    return values
