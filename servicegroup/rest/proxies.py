"""Proxies in front of us: whether what they say of the address that clients see is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from oslo_config import cfg


def believed(
    app: Callable[..., Iterable[bytes]], conf: cfg.ConfigOpts
) -> Callable[..., Iterable[bytes]]:
    """Let ``[oslo_middleware] enable_proxy_headers_parsing`` decide; by default nobody is believed.

    Where it is off, *app* is returned as it is: requests pay for it only where it is on.
    """
    from oslo_middleware import http_proxy_to_wsgi  # it loads WebOb, of which few have need

    middleware: Callable[..., Iterable[bytes]] = http_proxy_to_wsgi.HTTPProxyToWSGI(app, conf)
    return middleware if conf.oslo_middleware.enable_proxy_headers_parsing else app
