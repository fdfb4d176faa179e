"""Ironic's nodes, as far as who serves them: ``openstack baremetal node``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import falcon

from servicegroup.conductor import Page, PlacedNode
from servicegroup.exceptions import NoSuchConductor, NoSuchNode
from servicegroup.inventory import Query
from servicegroup.rest import bodies
from servicegroup.rest.answers import boolean, only, read_json, reply
from servicegroup.rest.errors import bad_request, not_acceptable, not_found
from servicegroup.rest.ironic_conductors import ConductorResource
from servicegroup.rest.ironic_query import (
    CONDUCTORS,
    PARAMETERS,
    SINCE,
    Listing,
    chosen,
    fields_of,
    links,
    listing,
)

SHORT = ("instance_uuid", "maintenance", "power_state", "provision_state", "uuid", "name")
FIELDS = (*SHORT, "driver", "conductor_group", "conductor", "created_at", "updated_at", "links")
SORT_KEYS = ("id", *(name for name in FIELDS if name not in ("conductor", "links")))
FILTERS = ("driver", "conductor_group", "provision_state", "instance_uuid", "maintenance")
_FILTERS: dict[str, tuple[dict[str, Any], str]] = {
    "conductor": ({"type": "string"}, "only those that it serves; since 1.49"),
    **{name: ({"type": "string"}, "only those with this value") for name in FILTERS},
}


class _Nodes(ConductorResource):
    def row(self, req: falcon.Request, placed: PlacedNode) -> dict[str, Any]:
        """Return a node as Ironic shows it to the version that asks."""
        node = placed.node
        row = {
            "uuid": node.uuid,
            "name": node.name,
            "driver": node.driver,
            "conductor_group": node.conductor_group,
            "conductor": placed.conductor,
            "power_state": node.power_state,
            "provision_state": node.provision_state,
            "maintenance": node.maintenance,
            "instance_uuid": node.instance_uuid,
            "created_at": _time(node.created_at),
            "updated_at": _time(node.updated_at),
            "links": links(req, "nodes", node.uuid),
        }
        for name, since in SINCE.items():
            if req.context.version < since:
                del row[name]
        return row

    def find(self, ident: str) -> PlacedNode:
        """Return a node and who serves it.

        :raises falcon.HTTPError: there is none
        """
        try:
            return self.conductors.for_node(ident)
        except NoSuchNode as error:
            raise not_found(f"Node {ident} could not be found.") from error


class _List(_Nodes):
    """What both lists do."""

    policy = {"GET": "node:get"}
    contract = {"GET": {"query": PARAMETERS | _FILTERS, "answer": "Nodes"}}
    path, detailed = "/v1/nodes", False

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List a page."""
        asked = listing(
            req,
            path=self.path,
            default=[name for name in SHORT if req.context.version >= SINCE.get(name, (0, 0))],
            known=FIELDS,
            sort_keys=SORT_KEYS,
            others=("conductor", *FILTERS),
            most=self.settings.max_limit,
            detailed=self.detailed,
        )
        _check_versions(req, asked)
        page = self._page(req, asked)
        rows = [chosen(self.row(req, placed), asked.fields) for placed in page.nodes]
        body: dict[str, Any] = {"nodes": rows}
        if page.next is not None:
            body["next"] = asked.next(req, page.next)
        reply(resp, body)

    def _page(self, req: falcon.Request, asked: Listing) -> Page:
        where: dict[str, Any] = dict(asked.others)
        conductor = where.pop("conductor", None)
        if "conductor_group" in where:
            where["conductor_group"] = where["conductor_group"].lower()  # as they are kept
        if "maintenance" in where:
            where["maintenance"] = boolean(req, "maintenance")
        query = Query(
            where=where,
            sort_key=asked.sort_key,
            descending=asked.descending,
            marker=asked.marker,
            limit=asked.limit,
        )
        try:
            if conductor is None:
                return self.conductors.nodes(query)
            return self.conductors.nodes_of(conductor, query)
        except NoSuchConductor:
            return Page([], None)
        except NoSuchNode as error:
            raise not_found(f"Node {asked.marker} could not be found.") from error


class Detail(_List):
    """``/v1/nodes/detail``."""

    path, detailed = "/v1/nodes/detail", True


class List(_List):
    """``/v1/nodes``, where nodes are also made."""

    policy = {"GET": "node:get", "POST": "node:create"}
    contract = {
        **_List.contract,
        "POST": {"body": bodies.NODE, "answer": "Node", "status": 201},
    }

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Add a node to the inventory."""
        body = read_json(req, self.settings.max_body)
        if "conductor" in body:
            raise bad_request(
                "Cannot set conductor: which conductor serves a node follows from its driver, its "
                "conductor_group and the conductors that are alive"
            )
        bodies.check(body, bodies.NODE)
        inventory = self.view.service_group.inventory
        fields = {name: value for name, value in body.items() if value is not None}
        for name, what in (("uuid", "UUID"), ("name", "name")):
            if name in fields and inventory.node(fields[name]) is not None:
                raise falcon.HTTPConflict(
                    description=f"A node with {what} {fields[name]} already exists."
                )
        node = inventory.create_node(**fields)
        placed = self.conductors.place([node])[0]
        resp.location = f"{req.prefix}/v1/nodes/{quote(node.uuid)}"
        reply(resp, self.row(req, placed), falcon.HTTP_201)


class One(_Nodes):
    """``/v1/nodes/{ident}``."""

    policy = {"GET": "node:get", "DELETE": "node:delete"}
    contract = {
        "GET": {"query": {"fields": PARAMETERS["fields"]}, "answer": "Node"},
        "DELETE": {"status": 204},
    }

    def on_get(self, req: falcon.Request, resp: falcon.Response, ident: str) -> None:
        """Show one."""
        only(req, ("fields",))
        fields = fields_of(req, FIELDS)
        _check_fields(req, fields)
        reply(resp, chosen(self.row(req, self.find(ident)), fields or None))

    def on_delete(self, req: falcon.Request, resp: falcon.Response, ident: str) -> None:
        """Take it out of the inventory."""
        try:
            self.view.service_group.inventory.delete_node(ident)
        except NoSuchNode as error:
            raise not_found(f"Node {ident} could not be found.") from error
        resp.status = falcon.HTTP_204


class NodeConductor(_Nodes):
    """``/v1/nodes/{ident}/conductor``: the conductor that serves it, as it is shown itself."""

    policy = {"GET": "conductor:get"}
    contract = {"GET": {"answer": "Conductor"}}

    def on_get(self, req: falcon.Request, resp: falcon.Response, ident: str) -> None:
        """Show it."""
        self.check_version(req)
        only(req, ())
        placed = self.find(ident)
        if placed.conductor is None:
            raise not_found(f"Node {ident} has no conductor: {placed.reason}")
        one = self.get(placed.conductor)
        reply(resp, self.conductor(req, one) | self.nodes_of(req, one))


def _check_versions(req: falcon.Request, asked: Listing) -> None:
    if "conductor" in asked.others and req.context.version < CONDUCTORS:
        raise _later(CONDUCTORS)
    _check_fields(req, asked.fields or ())


def _check_fields(req: falcon.Request, fields: tuple[str, ...]) -> None:
    for name in fields:
        if name in SINCE and req.context.version < SINCE[name]:
            raise _later(SINCE[name])


def _later(since: Any) -> falcon.HTTPError:
    return not_acceptable(
        f"Request not acceptable. The request uses parameters that are introduced later; the "
        f"minimal required API version should be {since}"
    )


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
