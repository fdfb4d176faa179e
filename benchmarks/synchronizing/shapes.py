"""The two shapes of entities that are measured: as their sources write them, and as read."""

from __future__ import annotations

from typing import Any

import msgspec

from servicegroup.synchronizer import Entity, Rows

TYPE = "measured"
#: One of so many changes from one version to the other.
STEP = 100


class Service(msgspec.Struct):
    """The six fields of a flat item that matter; its other eight are what always changes."""

    id: str
    host: str
    description: str
    status: int
    output: str
    acknowledged: bool


class Server(msgspec.Struct):
    """The fields of a nested item that matter."""

    id: str
    name: str
    status: str
    tenant_id: str
    host: str = msgspec.field(name="OS-EXT-SRV-ATTR:host")
    flavor: dict[str, Any] = {}
    metadata: dict[str, str] = {}


def flat(number: int, version: int) -> dict[str, Any]:
    """A Nagios service of 380 bytes or so."""
    return {
        "id": f"{number:08d}-0000-4000-8000-000000000000",
        "host": f"host-{number % 1000}",
        "description": "HTTP on the public address",
        "status": 2 + version,
        "output": "HTTP OK: HTTP/1.1 200 OK - 1024 bytes in 0.003 second response time",
        "acknowledged": False,
        "last_check": 1700000000 + number,
        "next_check": 1700000060 + number,
        "execution_time": 0.00312,
        "latency": 0.12,
        "check_command": "check_http",
        "max_attempts": 4,
        "current_attempt": 1,
        "flapping": False,
    }


def nested(number: int, version: int) -> dict[str, Any]:
    """A Nova server of 1.7 kB or so."""
    uuid = f"{number:08d}-0000-4000-8000-000000000000"
    link = f"http://nova.example/v2.1/servers/{uuid}"
    return {
        "id": uuid,
        "name": f"instance-{number}",
        "status": "ACTIVE" if not version else "SHUTOFF",
        "tenant_id": "9d1f1d8c4a5e4f0f8c1c5f5c7f1f2a3b",
        "user_id": "8d1f1d8c4a5e4f0f8c1c5f5c7f1f2a3b",
        "OS-EXT-SRV-ATTR:host": f"compute-{number % 500}",
        "OS-EXT-SRV-ATTR:instance_name": f"instance-{number:08x}",
        "OS-EXT-STS:power_state": 1,
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:vm_state": "active",
        "created": "2026-01-01T00:00:00Z",
        "updated": "2026-01-02T00:00:00Z",
        "flavor": {
            "vcpus": 4,
            "ram": 8192,
            "disk": 80,
            "ephemeral": 0,
            "swap": 0,
            "original_name": "m1.large",
            "extra_specs": {"hw:cpu_policy": "dedicated"},
        },
        "image": {"id": uuid, "links": [{"rel": "bookmark", "href": link}]},
        "links": [{"rel": "self", "href": link}, {"rel": "bookmark", "href": link}],
        "addresses": {
            f"net-{n}": [
                {
                    "version": 4,
                    "addr": f"10.0.{n}.7",
                    "OS-EXT-IPS:type": "fixed",
                    "OS-EXT-IPS-MAC:mac_addr": f"fa:16:3e:00:00:0{n}",
                }
            ]
            for n in range(4)
        },
        "metadata": {"owner": "somebody", "purpose": "a rather long description " * 4},
        "security_groups": [{"name": "default"}, {"name": "web"}],
        "os-extended-volumes:volumes_attached": [{"id": uuid}],
        "accessIPv4": "",
        "accessIPv6": "",
        "config_drive": "",
        "key_name": "key",
        "progress": 0,
        "hostId": uuid * 2,
        "locked": False,
        "tags": ["a", "b"],
    }


def listed(entities: range, make: Any, version: int) -> list[dict[str, Any]]:
    """Return what a source has; version 1 differs in one of ``STEP``."""
    return [make(number, 0 if number % STEP else version) for number in entities]


def rows(read: list[Any]) -> Rows[Any]:
    """Return rows as a plugin yields them."""
    return Rows(TYPE, read, key=_key, entity=_entity)


def _key(row: Any) -> str:
    key: str = row.id
    return key


def _entity(row: Any) -> Entity:
    return Entity(key=row.id, type=TYPE, data=msgspec.structs.asdict(row))
