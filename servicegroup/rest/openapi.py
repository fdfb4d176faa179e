"""The contract: an OpenAPI 3.1 document of every path, made from what the resources say."""

from __future__ import annotations

import importlib.metadata
import re
from typing import Any

import falcon

from servicegroup.rest import schemas
from servicegroup.rest.access import RULES
from servicegroup.rest.answers import reply
from servicegroup.rest.families import Family, family_of
from servicegroup.rest.resource import Resource

_TITLES = {
    Family.VITRAGE: "Vitrage's service list",
    Family.IRONIC: "Ironic's conductors and nodes",
    Family.NOVA: "Nova's services and hypervisors",
    Family.OWN: "All families",
}
_VERSION_HEADERS = {
    Family.NOVA: ("OpenStack-API-Version", "compute 2.104"),
    Family.IRONIC: ("X-OpenStack-Ironic-API-Version", "1.49"),
}
_WORDS = {
    400: "It cannot mean anything; nothing was changed",
    401: "No credential, or none that is believed",
    403: "The policy does not allow it",
    404: "There is none",
    405: "There is no such method here",
    406: "A microversion that is not to be had, or that has not what is asked for",
    409: "It cannot be done in the state that things are in",
    413: "The body is too large",
    415: "The body does not say that it is JSON",
    501: "Nobody says",
    503: "Nobody can tell: the store does not answer, or proves neither life nor death",
}


def document(routes: dict[str, type[Resource]], *, authenticated: bool = True) -> dict[str, Any]:
    """Return the document of these routes."""
    paths: dict[str, Any] = {}
    for path, resource in routes.items():
        paths[path] = {
            method.lower(): _operation(path, method, resource) for method in resource.policy
        }
    info = {
        "title": "servicegroup",
        "version": importlib.metadata.version("servicegroup"),
        "summary": "Who is alive, in the formats of Vitrage's, Ironic's and Nova's clients",
    }
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": info,
        "paths": paths,
        "components": {"schemas": schemas.COMPONENTS},
    }
    if authenticated:
        described["components"]["securitySchemes"] = {
            "basic": {"type": "http", "scheme": "basic"},
            "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
        }
    return described


def _operation(path: str, method: str, resource: type[Resource]) -> dict[str, Any]:
    family = family_of(path)
    rule = resource.policy[method]
    names = re.findall(r"{(\w+)}", path)
    say = resource.contract.get(method, {})
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in names
    ]
    parameters += [
        {"name": name, "in": "query", "schema": schema, "description": words}
        for name, (schema, words) in say.get("query", {}).items()
    ]
    statuses = {400, 503} if rule or path == "/healthcheck" else set()
    if rule:
        statuses |= {401, 403}
    if names:
        statuses.add(404)
    if family in _VERSION_HEADERS and not path.startswith("/v2/"):
        header, example = _VERSION_HEADERS[family]
        parameters.append(
            {"name": header, "in": "header", "schema": {"type": "string"}, "example": example}
        )
        statuses |= {400, 406}
    if family is Family.IRONIC or "hypervisor" in path:
        statuses.add(404)
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_"),
        "summary": _summary(resource, method),
        "tags": [_TITLES[family]],
        "parameters": parameters,
        "responses": {},
    }
    if method in ("PUT", "POST"):
        statuses |= {409, 413, 415}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": say["body"]}},
        }
    if method == "DELETE":
        statuses.add(409)
    statuses |= say.get("statuses", set())
    answered, status = say.get("answer"), say.get("status", 200)
    good: dict[str, Any] = {"description": "Done"}
    if isinstance(answered, str):
        content = {"application/json": {"schema": schemas.ref(answered)}}
        good = {"description": "It", "content": content}
    elif answered is not None:
        good = {"description": "It", "content": answered}
    operation["responses"][str(status)] = good
    error = {"application/json": {"schema": schemas.ref(f"{family.value}Error")}}
    for one in sorted(statuses):
        operation["responses"][str(one)] = {"description": _WORDS[one], "content": error}
    if rule:
        operation["security"] = [{"basic": []}, {"token": []}, {}]
        policies = {default.name: default.check_str for default in RULES}
        name = f"servicegroup:{rule}"
        operation["description"] = f"Policy: ``{name}``, by default ``{policies[name]}``."
    return operation


def _summary(resource: type[Resource], method: str) -> str:
    responder = getattr(resource, f"on_{method.lower()}")
    return (responder.__doc__ or "").strip().splitlines()[0].rstrip(".")


class OpenApi(Resource):
    """``/openapi.json``."""

    policy = {"GET": None}
    contract = {"GET": {"answer": {"application/json": {"schema": {"type": "object"}}}}}
    #: Given by the application, which knows them.
    routes: dict[str, type[Resource]] = {}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show this document."""
        reply(resp, document(self.routes))
