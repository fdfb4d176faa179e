"""Version documents: what clients read before anything else. For everybody."""

from __future__ import annotations

from typing import Any

import falcon

from servicegroup.rest.answers import reply
from servicegroup.rest.microversions import IRONIC, NOVA
from servicegroup.rest.resource import Resource


def _nova(req: falcon.Request, major: str) -> dict[str, Any]:
    new = major == "v2.1"
    return {
        "id": major,
        "status": "CURRENT" if new else "SUPPORTED",
        "version": str(NOVA.most) if new else "",
        "min_version": str(NOVA.least) if new else "",
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{req.prefix}/{major}/"}],
    }


def _ironic(req: falcon.Request) -> dict[str, Any]:
    return {
        "id": "v1",
        "status": "CURRENT",
        "version": str(IRONIC.most),
        "min_version": str(IRONIC.least),
        "links": [{"rel": "self", "href": f"{req.prefix}/v1/"}],
    }


class Root(Resource):
    """``/``: all versions of all families."""

    policy = {"GET": None}
    contract = {"GET": {"answer": "Versions"}}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show them."""
        versions = [_ironic(req), _nova(req, "v2.0"), _nova(req, "v2.1")]
        versions[1]["links"][0]["href"] = f"{req.prefix}/v2/"
        about = "Who of a fleet is alive: the REST faces of servicegroup"
        reply(resp, {"name": "servicegroup", "description": about, "versions": versions})


class NovaVersion(Resource):
    """``/v2.1``."""

    policy = {"GET": None}
    contract = {"GET": {"answer": "NovaVersion"}}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show it."""
        reply(resp, {"version": _nova(req, "v2.1")})


class IronicVersion(Resource):
    """``/v1``: also what ironicclient asks for the range of microversions."""

    policy = {"GET": None}
    contract = {"GET": {"answer": "IronicVersion"}}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show it."""

        def links(name: str) -> list[dict[str, str]]:
            return [
                {"href": f"{req.prefix}/v1/{name}/", "rel": "self"},
                {"href": f"{req.prefix}/{name}/", "rel": "bookmark"},
            ]

        about = {"conductors": links("conductors"), "nodes": links("nodes")}
        version = _ironic(req)
        reply(resp, {"id": "v1", "links": version["links"], "version": version, **about})


class Health(Resource):
    """``/healthcheck``: whether this process can answer at all; for load balancers."""

    policy = {"GET": None}
    contract = {"GET": {"answer": {"text/plain": {"schema": {"type": "string"}}}}}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Ask the store for the groups; 503 where it does not answer."""
        self.view.service_group.groups()
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = "OK"
