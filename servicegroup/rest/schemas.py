"""JSON schemas of what is answered; those of what is asked are in ``bodies``."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
TEXT: Schema = {"type": ["string", "null"]}
COUNT: Schema = {"type": "integer"}
NUMBER: Schema = {"type": ["integer", "null"]}
TRUTH: Schema = {"type": "boolean"}
TIME: Schema = {"type": ["string", "null"], "description": "ISO 8601"}
STATE: Schema = {"type": "string", "enum": ["up", "down"]}
STATUS: Schema = {"type": "string", "enum": ["enabled", "disabled"]}
IDENT: Schema = {
    "type": ["string", "integer", "null"],
    "description": "a uuid; a number before microversion 2.53",
}
ANY: Schema = {}


def record(fields: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """Return the schema of an object with these fields and no others."""
    return {
        "type": "object",
        "properties": fields,
        "required": [name for name in fields if name not in optional],
        "additionalProperties": False,
    }


def rows(name: str) -> Schema:
    """Return the schema of a list of a component."""
    return {"type": "array", "items": ref(name)}


def ref(name: str) -> Schema:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


_LINKS = {"type": "array", "items": record({"href": STRING, "rel": STRING})}
_CONDUCTOR: dict[str, Schema] = {
    "hostname": STRING,
    "conductor_group": STRING,
    "alive": TRUTH,
    "created_at": TIME,
    "updated_at": TIME,
    "drivers": {"type": "array", "items": STRING},
    "last_seen": {**TEXT, "description": "YYYY-MM-DD HH:MM:SS, UTC"},
    "nodes": record({"count": NUMBER, "href": STRING}),
    "links": _LINKS,
}
_NODE: dict[str, Schema] = {
    "uuid": STRING,
    "name": TEXT,
    "driver": STRING,
    "conductor_group": STRING,
    "conductor": {**TEXT, "description": "host name; null: nobody serves it. Since 1.49"},
    "power_state": TEXT,
    "provision_state": TEXT,
    "maintenance": TRUTH,
    "instance_uuid": TEXT,
    "created_at": TIME,
    "updated_at": TIME,
    "links": _LINKS,
}
_CAPACITIES = (
    *("vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "free_ram_mb", "local_gb"),
    *("local_gb_used", "free_disk_gb", "disk_available_least", "running_vms"),
    "current_workload",
)
_HYPERVISOR: dict[str, Schema] = {
    "id": IDENT,
    "hypervisor_hostname": STRING,
    "state": STATE,
    "status": STATUS,
    "hypervisor_type": TEXT,
    "hypervisor_version": NUMBER,
    "host_ip": TEXT,
    "service": record(
        {"id": IDENT, "host": STRING, "disabled_reason": TEXT}, optional=("disabled_reason",)
    ),
    "uptime": TEXT,
    "servers": {"type": "array", "maxItems": 0, "description": "none are known"},
    "cpu_info": ANY,
    "os-pci:pci_stats": ANY,
    **dict.fromkeys(_CAPACITIES, NUMBER),
}
_SERVICE: dict[str, Schema] = {
    "id": IDENT,
    "binary": STRING,
    "host": STRING,
    "zone": STRING,
    "status": STATUS,
    "state": STATE,
    "updated_at": TEXT,
    "disabled_reason": TEXT,
    "forced_down": TRUTH,
}
_VERSION = record(
    {
        "id": STRING,
        "status": STRING,
        "version": STRING,
        "min_version": STRING,
        "updated": STRING,
        "links": {"type": "array", "items": record({"href": STRING, "rel": STRING})},
    },
    optional=("updated",),
)
_EXTENSION = record(
    {
        **dict.fromkeys(("alias", "name", "namespace", "description", "updated"), STRING),
        "links": _LINKS,
    }
)

#: By the names under which the document refers to them.
COMPONENTS: dict[str, Schema] = {
    "VitrageService": record(
        {
            "name": STRING,
            "process": {"type": "integer"},
            "hostname": STRING,
            "created": TIME,
            "status": {"type": "string", "enum": ["up", "down", "unknown"]},
            "uptime": {"type": ["number", "null"], "description": "seconds"},
            "reason": STRING,
            "group": STRING,
            "member": STRING,
        }
    ),
    "VitrageServices": rows("VitrageService"),
    "Conductor": record(_CONDUCTOR, tuple(name for name in _CONDUCTOR if name != "links")),
    "Conductors": record({"conductors": rows("Conductor"), "next": STRING}, ("next",)),
    "Node": record(_NODE, tuple(name for name in _NODE if name != "links")),
    "Nodes": record({"nodes": rows("Node"), "next": STRING}, ("next",)),
    "NovaService": record(_SERVICE, ("forced_down",)),
    "NovaServices": record({"services": rows("NovaService")}),
    "NovaServiceChanged": record(
        {"service": record(_SERVICE, tuple(name for name in _SERVICE if name not in ("host",)))}
    ),
    "Hypervisor": record(
        _HYPERVISOR,
        tuple(name for name in _HYPERVISOR if name not in ("id", "hypervisor_hostname")),
    ),
    "Hypervisors": record(
        {"hypervisors": rows("Hypervisor"), "hypervisors_links": _LINKS}, ("hypervisors_links",)
    ),
    "HypervisorStatistics": record(
        {"hypervisor_statistics": record(dict.fromkeys(("count", *_CAPACITIES), COUNT))}
    ),
    "OneHypervisor": record({"hypervisor": ref("Hypervisor")}),
    "Aggregates": record({"aggregates": {"type": "array", "maxItems": 0}}),
    "Extensions": record({"extensions": {"type": "array", "items": _EXTENSION}}),
    "OneExtension": record({"extension": _EXTENSION}),
    "Versions": record(
        {"name": STRING, "description": STRING, "versions": {"type": "array", "items": _VERSION}}
    ),
    "NovaVersion": record({"version": _VERSION}),
    "IronicVersion": record(
        {"id": STRING, "version": _VERSION, "links": _LINKS, "conductors": _LINKS, "nodes": _LINKS}
    ),
    "vitrageError": record({"code": {"type": "integer"}, "title": STRING, "description": STRING}),
    "baremetalError": record({"error_message": STRING}),
    "computeError": {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": record({"code": {"type": "integer"}, "message": STRING}),
    },
    "servicegroupError": ref("vitrageError"),
}
