"""The application: which resource is at which path, and what every request goes through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import falcon
from oslo_config import cfg

from servicegroup import ServiceGroup
from servicegroup.exceptions import ServiceGroupError
from servicegroup.rest import (
    discovery,
    errors,
    ironic_conductors,
    ironic_nodes,
    nova_hypervisors,
    nova_hypervisors_old,
    nova_services,
    nova_v2,
    proxies,
    vitrage,
)
from servicegroup.rest.access import Access, Credentials, Everybody
from servicegroup.rest.metrics import Metrics, Traffic
from servicegroup.rest.microversions import Negotiation
from servicegroup.rest.openapi import OpenApi
from servicegroup.rest.options import ApiSettings
from servicegroup.rest.passwords import Passwords
from servicegroup.rest.presence import Presence
from servicegroup.rest.requests import Requests
from servicegroup.rest.resource import Resource
from servicegroup.rest.tokens import Tokens, with_keystone
from servicegroup.rest.view import View

#: Path: its resource. A slash at the end of a request's path makes no difference.
ROUTES: dict[str, type[Resource]] = {
    "/": discovery.Root,
    "/healthcheck": discovery.Health,
    "/metrics": Metrics,
    "/openapi.json": OpenApi,
    "/v1": discovery.IronicVersion,
    "/v1/service": vitrage.Services,
    "/v1/services": vitrage.Services,
    "/v2.1": discovery.NovaVersion,
    "/v2.1/os-services": nova_services.List,
    "/v2.1/os-services/{ident}": nova_services.One,
    "/v2.1/os-hypervisors": nova_hypervisors.List,
    "/v2.1/os-hypervisors/detail": nova_hypervisors.Detail,
    "/v2.1/os-hypervisors/statistics": nova_hypervisors_old.Statistics,
    "/v2.1/os-hypervisors/{ident}": nova_hypervisors.One,
    "/v2.1/os-hypervisors/{ident}/uptime": nova_hypervisors_old.Uptime,
    "/v2.1/os-hypervisors/{ident}/search": nova_hypervisors_old.Search,
    "/v2.1/os-hypervisors/{ident}/servers": nova_hypervisors_old.Servers,
    "/v2.1/os-aggregates": nova_hypervisors.Aggregates,
    "/v2/{tenant_id}/os-hypervisors": nova_v2.List,
    "/v2/{tenant_id}/os-hypervisors/detail": nova_v2.Detail,
    "/v2/{tenant_id}/os-hypervisors/{ident}": nova_v2.One,
    "/v2/{tenant_id}/extensions": nova_v2.Extensions,
    "/v2/{tenant_id}/extensions/{alias}": nova_v2.Extension,
}
for _prefix in ("/v1", ""):  # without a version: the bookmarks in Ironic's bodies
    ROUTES[f"{_prefix}/conductors"] = ironic_conductors.List
    ROUTES[f"{_prefix}/conductors/{{hostname}}"] = ironic_conductors.One
    ROUTES[f"{_prefix}/nodes"] = ironic_nodes.List
    ROUTES[f"{_prefix}/nodes/detail"] = ironic_nodes.Detail
    ROUTES[f"{_prefix}/nodes/{{ident}}"] = ironic_nodes.One
    ROUTES[f"{_prefix}/nodes/{{ident}}/conductor"] = ironic_nodes.NodeConductor
OpenApi.routes = ROUTES


def application(
    service_group: ServiceGroup,
    settings: ApiSettings = ApiSettings(),  # noqa: B008 - never changes
    conf: cfg.ConfigOpts | None = None,
) -> Callable[..., Iterable[bytes]]:
    """Return a WSGI application that shows what *service_group* sees.

    It may be embedded under any prefix, and forked after it was made: each process opens
    connections and watches of its own. It does not close *service_group*.

    :param settings: by default: the application asks nobody who they are. Whoever embeds it lets
        in whom it will, or gives the settings of another ``auth_strategy``
    :param conf: where ``[oslo_policy]`` and, for ``keystone``, ``[keystone_authtoken]`` are
    :raises ConfigurationError: settings that cannot be together
    """
    settings = settings.checked()
    view = View(service_group, settings.service_groups)
    access = Access(_credentials(settings), conf)
    resources = {kind: kind(view, settings) for kind in set(ROUTES.values())}
    metrics = resources[Metrics]
    assert isinstance(metrics, Metrics)
    presence = Presence(service_group, settings.join_group)
    counted = Traffic(metrics.registry)
    middleware: list[Any] = [counted, presence, Requests(), Negotiation(), access]
    app: falcon.App[Any, Any] = falcon.App(middleware=middleware)
    app.req_options.strip_url_path_trailing_slash = True
    app.req_options.keep_blank_qs_values = True
    app.set_error_serializer(errors.serialize)
    app.add_error_handler(Exception, errors.unforeseen)
    app.add_error_handler(ServiceGroupError, errors.foreseen)
    for path, kind in ROUTES.items():
        app.add_route(path, resources[kind])
    presence.join()
    served: Callable[..., Iterable[bytes]] = app
    if settings.auth_strategy == "keystone":
        served = with_keystone(app, conf)
    return served if conf is None else proxies.believed(served, conf)


def _credentials(settings: ApiSettings) -> Credentials:
    if settings.auth_strategy == "noauth":
        return Everybody()
    if settings.auth_strategy == "keystone":
        return Tokens()
    assert settings.htpasswd_file is not None
    return Passwords(settings.htpasswd_file, settings.admin_users)
