"""What the events of Vitrage's drivers say, as entities.

The words are Vitrage's, of ``vitrage.common.constants``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...model import Deleted, Entity, timestamp

ENTITY_TYPE = "vitrage_entity_type"
SAMPLE_DATE = "vitrage_sample_date"
EVENT_TYPE = "vitrage_event_type"
#: What a driver stamps on an event: about the sample, not about the entity.
STAMPS = {
    *(ENTITY_TYPE, SAMPLE_DATE, EVENT_TYPE),
    *("vitrage_datasource_action", "vitrage_datasource_name"),
}
#: What its graph adds to a vertex: made anew in each process, or at each sample.
OF_THE_GRAPH = {
    *("vitrage_id", "vitrage_cached_id", "is_real_vitrage_id"),
    *("vitrage_sample_timestamp", "update_timestamp"),
}
#: What an entity says in fields of its own.
FIELDS = {"state", "project_id"}
DELETES = {"delete_entity", "remove_deleted_entity"}
#: Of an edge, not of the entity.
OF_EDGES = {"update_relationship", "delete_relationship"}
#: From whoever holds it to the entity, in this order: which neighbour is the parent.
HOLDS = ("contains", "comprised")


def plain(event: Mapping[str, Any], ignored: Iterable[str] = ()) -> Entity | Deleted | None:
    """Read an event by its own fields: ``id``, ``state`` and ``project_id``, all else is data.

    :param ignored: properties that are left out
    :raises ValueError: it has no ``id`` or no type
    """
    for name in ("id", ENTITY_TYPE):
        if event.get(name) is None:
            raise ValueError(f"an event of the driver has no {name!r}: {str(event)[:200]}")
    type_, key, when = event[ENTITY_TYPE], str(event["id"]), _sampled(event)
    left_out = {"id", *FIELDS, *STAMPS, *ignored}
    action = event.get(EVENT_TYPE)
    if action in DELETES:
        return Deleted(key, type_, when)
    if action in OF_EDGES:
        return None
    return Entity(
        key=key,
        type=type_,
        state=_text(event.get("state")),
        project=_text(event.get("project_id")),
        timestamp=when,
        data={name: value for name, value in event.items() if name not in left_out},
    )


def transformed(
    manager: Any, event: Mapping[str, Any], _ignored: Iterable[str] = ()
) -> Entity | Deleted | None:
    """Read an event by the transformer of its data source, as Vitrage's graph does.

    The key is the transformer's, such as ``RESOURCE:nova.instance:ID``; ``data`` holds the
    properties of the vertex, and under ``relationships`` the neighbours by their keys, each as
    ``[label, "to" or "from", key]``.

    :param manager: Vitrage's ``TransformerManager``
    """
    type_ = manager.get_entity_type(event)
    transformer = manager.get_transformer(type_)
    key, when = transformer._create_entity_key(event), _sampled(event)  # each has to define it
    vertex, neighbors, action = transformer.transform(event)
    if action in DELETES:
        return Deleted(key, type_, when)
    if vertex is None or action in OF_EDGES:
        return None
    edges = sorted(_edge(vertex.vertex_id, one) for one in neighbors or () if one is not None)
    parents = [
        other for label in HOLDS for held, way, other in edges if (held, way) == (label, "from")
    ]
    properties = vertex.properties
    data = {name: value for name, value in properties.items() if name not in OF_THE_GRAPH | FIELDS}
    return Entity(
        key=key,
        type=type_,
        state=_text(properties.get("state")),
        project=_text(properties.get("project_id")),
        parent_key=parents[0] if parents else None,
        child_keys=tuple(key for label, way, key in edges if label in HOLDS and way == "to"),
        timestamp=when,
        data={**data, "relationships": [list(edge) for edge in edges]},
    )


def _edge(vertex_id: str, neighbor: Any) -> tuple[str, str, str]:
    """Return label, direction and the neighbour's key."""
    vertex, edge = neighbor
    key = ":".join(str(vertex[name]) for name in ("vitrage_category", "vitrage_type", "id"))
    return edge.label, "to" if edge.source_id == vertex_id else "from", key


def _sampled(event: Mapping[str, Any]) -> float | None:
    date = event.get(SAMPLE_DATE)
    return None if date is None else timestamp(date)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
