"""What a request asks for, by its method and path."""

from typing import NamedTuple

from aiohttp import web

from kubeapi.access import Attributes
from kubeapi.kinds import BY_PATH, Kind
from kubeapi.status import StatusError

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


class Asked(NamedTuple):
    """A request for objects."""

    verb: str
    kind: Kind
    namespace: str
    name: str
    sub: str
    query: dict[str, str]

    @property
    def attributes(self) -> Attributes:
        """As roles speak of it."""
        resource = f"{self.kind.plural}/{self.sub}" if self.sub else self.kind.plural
        return Attributes(self.verb, self.kind.group, resource, self.namespace, self.name)


def parsed(request: web.Request) -> Asked:
    """Return what is asked for.

    :raises StatusError: 404 or 405, there is no such thing
    """
    parts = request.path.strip("/").split("/")
    group, version, *rest = ("", *parts[1:]) if parts[0] == "api" else parts[1:]
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    plural, name, sub, *more = [*rest, "", ""] if len(rest) < 3 else rest
    kind = BY_PATH.get((group, version, plural))
    served = kind is not None and not any(more) and sub in {"", "status", "token"}
    if kind is None or not served or (sub == "status" and not kind.has_status):
        raise StatusError(404, "NotFound", "the server could not find the requested resource")
    if kind.namespaced and not namespace and (name or request.method not in {"GET"}):
        raise StatusError(404, "NotFound", "the server could not find the requested resource")
    query = dict(request.query)
    method = request.method
    watched = query.get("watch", "") not in {"", "0", "false"}
    verb = _VERBS.get(method)
    if method == "GET":
        verb = "get" if name else "watch" if watched else "list"
    elif method == "DELETE":
        verb = "delete" if name else "deletecollection"
    misplaced = verb in {"create", "update", "patch"} and bool(name) is (verb == "create")
    if verb is None or (misplaced and sub != "token"):
        raise StatusError(
            405, "MethodNotAllowed", "the server does not allow this method on the resource"
        )
    return Asked(verb, kind, namespace, name, sub, query)
