"""Proxies in front of us: whether what they say of the address that clients see is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from oslo_config import cfg

GROUP = "oslo_middleware"
#: oslo.middleware's own, word for word, so that both can register it: asking there loads WebOb.
OPTION = cfg.BoolOpt(
    "enable_proxy_headers_parsing",
    default=False,
    help="Whether the application is behind a proxy or not. This determines if the middleware "
    "should parse the headers or not.",
)


def believed(
    app: Callable[..., Iterable[bytes]], conf: cfg.ConfigOpts
) -> Callable[..., Iterable[bytes]]:
    """Let ``[oslo_middleware] enable_proxy_headers_parsing`` decide; by default nobody is believed.

    Where it is off, *app* is returned as it is, and nothing is loaded for it: processes and
    requests pay for it only where it is on.
    """
    if GROUP not in conf or OPTION.name not in conf[GROUP]:  # else an embedding daemon's is there
        conf.register_opt(OPTION, GROUP)
    if not conf[GROUP][OPTION.name]:
        return app
    from oslo_middleware import http_proxy_to_wsgi

    middleware: Callable[..., Iterable[bytes]] = http_proxy_to_wsgi.HTTPProxyToWSGI(app, conf)
    return middleware
