"""What notifications of OpenStack's services say, versioned and legacy: pure functions.

Each takes a payload and the last part of its event type (``start``, ``end``, ``error``, ...) and
returns whole entities, or nothing where it says too little: then the collector tells. A payload
that is not what it must be raises ``KeyError``, ``TypeError`` or ``ValueError``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ...model import Deleted, Item
from . import shapes

#: They say what was at some time past, not that something changed.
AUDITS = ("exists", "usage")
#: After these, it is not there any more.
GONE = ("delete", "unmanage")


class Said(NamedTuple):
    """One notification, taken apart: ``network.create.end`` is about ``create``, at its ``end``.

    ``action`` is empty where there is none, ``phase`` where it is no part of something longer.
    """

    event_type: str
    action: str
    phase: str
    payload: Mapping[str, Any]


def compute_versioned(said: Said) -> Iterator[Item]:
    """``instance.*`` of nova: the payload is the instance."""
    values = _versioned(said, "nova_object")
    key = values["uuid"]
    if _is_gone(said, values["state"]):
        yield Deleted(key, shapes.INSTANCE, shapes.when(values.get("deleted_at")))
        return
    flavor = values.get("flavor")
    yield shapes.instance(
        key=key,
        state=values["state"],
        project=values["tenant_id"],
        host=values.get("host"),
        name=values.get("display_name"),
        user=values.get("user_id"),
        flavor=None if flavor is None else flavor["nova_object.data"]["name"],
        changed=values.get("updated_at"),
    )


def compute_legacy(said: Said) -> Iterator[Item]:
    """``compute.instance.*`` of nova: no time of its own, and empty texts for what is not."""
    values = said.payload
    key = values["instance_id"]
    if _is_gone(said, values["state"]):
        yield Deleted(key, shapes.INSTANCE, shapes.when(values.get("deleted_at")))
        return
    yield shapes.instance(
        key=key,
        state=values["state"],
        project=values["tenant_id"],
        host=values.get("host"),
        name=values.get("display_name"),
        user=values.get("user_id"),
        flavor=values.get("instance_type"),
        changed=None,
    )


def host(said: Said) -> Iterator[Item]:
    """``service.delete`` of nova; whether a host is up is in no notification."""
    values = _versioned(said, "nova_object")
    if values["binary"] == "nova-compute":
        yield Deleted(values["host"], shapes.HOST)


def volume(said: Said) -> Iterator[Item]:
    """``volume.*`` of cinder."""
    values = said.payload
    key = values["volume_id"]
    if _is_gone(said, values["status"]):
        yield Deleted(key, shapes.VOLUME)
        return
    servers = [
        one["instance_uuid"]
        for one in values.get("volume_attachment") or ()
        if one.get("instance_uuid") and one.get("attach_status") == "attached"
    ]
    yield shapes.volume(values, key=key, project=values["tenant_id"], servers=servers)


def network(said: Said) -> Iterator[Item]:
    """``network.*`` of neutron, of one or of several at once."""
    return _neutron(said, "network", shapes.NETWORK, shapes.network)


def port(said: Said) -> Iterator[Item]:
    """``port.*`` of neutron, of one or of several at once."""
    return _neutron(said, "port", shapes.PORT, shapes.port)


def stack(said: Said) -> Iterator[Item]:
    """``orchestration.stack.*`` of heat."""
    values = said.payload
    # An older heat sends an ARN, which ends with the id.
    key = values["stack_identity"].rpartition("/")[2]
    if values["state"] == "DELETE_COMPLETE":
        yield Deleted(key, shapes.STACK)
        return
    yield shapes.stack(
        key=key,
        state=values["state"],
        project=values["tenant_id"],
        name=values["stack_name"],
        reason=values.get("state_reason"),
    )


def node(said: Said) -> Iterator[Item]:
    """``baremetal.node.*`` of ironic."""
    values = _versioned(said, "ironic_object")
    if said.action in ("create", "update", "delete") and said.phase != "end":
        return  # it holds what was asked for, which may never come to be
    if said.action == "delete":
        yield Deleted(values["uuid"], shapes.NODE)
        return
    yield shapes.node(values)


#: Who understands which event types, by their beginnings.
READERS: Mapping[str, Callable[[Said], Iterator[Item]]] = {
    "instance.": compute_versioned,
    "compute.instance.": compute_legacy,
    "service.delete": host,
    "volume.": volume,
    "network.": network,
    "port.": port,
    "orchestration.stack.": stack,
    "baremetal.node.": node,
}


def items(event_type: str, payload: Any) -> list[Item]:
    """Return what a notification says; nothing if that is not of our concern.

    :raises ValueError: it is malformed; the message names what is wrong
    """
    for beginning, reader in READERS.items():
        if event_type.startswith(beginning):
            action, _, phase = event_type.removeprefix(beginning).partition(".")
            if action in AUDITS:
                return []
            return _read(reader, Said(event_type, action, phase, payload))
    return []


def _read(reader: Callable[[Said], Iterator[Item]], said: Said) -> list[Item]:
    if not isinstance(said.payload, Mapping):
        raise ValueError(
            f"{said.event_type}: its payload is {type(said.payload).__name__}, not a mapping"
        )
    try:
        found = list(reader(said))
    except KeyError as error:
        raise ValueError(f"{said.event_type}: its payload has no {error.args[0]!r}") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{said.event_type}: {error}") from error
    for item in found:
        if not isinstance(item.key, str) or not item.key:
            raise ValueError(f"{said.event_type}: {item.key!r} identifies nothing")
    return found


def _versioned(said: Said, kind: str) -> Mapping[str, Any]:
    values: Mapping[str, Any] = said.payload[f"{kind}.data"]
    return values


def _is_gone(said: Said, state: str) -> bool:
    return (said.action in GONE and said.phase == "end") or state == "deleted"


def _neutron(
    said: Said, name: str, type_: str, shape: Callable[[shapes.Values], Item]
) -> Iterator[Item]:
    if said.phase != "end":
        return  # it holds what was asked for
    values = said.payload
    if said.action == "delete":
        yield Deleted(values[f"{name}_id"], type_)
    elif f"{name}s" in values:
        yield from map(shape, values[f"{name}s"])
    else:
        yield shape(values[name])
