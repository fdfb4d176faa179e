"""Ending an instance by pymemcache alone: what the guardian does for the ``memcache`` driver."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheError, MemcacheUnknownCommandError

from .classic import PROBE, kept_for, packed


def prepared(
    *,
    servers: Sequence[str | Sequence[Any]],
    timeout: float,
    tls: Mapping[str, str | None] | None,
    key: str,
    value: str,
    flags: int,
    ttl: int,
    run: str,
) -> Callable[[], None]:
    """Return what says, on each server that answers, that an instance is over.

    :param key: of its sign of life, which gets *value*, *flags* and *ttl*
    :param run: the key of its unbroken beats
    """
    context = None if tls is None else tls_context(**tls)
    options = {
        "connect_timeout": timeout,
        "timeout": timeout,
        "no_delay": True,
        "default_noreply": False,
        "tls_context": context,
    }
    # Host and port come as a list, out of JSON.
    addresses = [one if isinstance(one, str) else tuple(one) for one in servers]

    def carry_out() -> None:
        failure: Exception | None = None
        told = 0
        for address in addresses:
            try:
                with contextlib.closing(Client(address, **options)) as client:
                    _end(client, key, value.encode(), flags, ttl)
                    client.delete(run)
                told += 1
            except (OSError, MemcacheError) as error:
                failure = error
        if failure is not None and not told:
            raise failure

    return carry_out


def _end(client: Client, key: str, value: bytes, flags: int, ttl: int) -> None:
    """Say so once: since when it is over stays as it is."""
    try:
        client.raw_command(PROBE)
    except MemcacheUnknownCommandError:
        if not (client.get(key) or b"").endswith(b" " + value):
            value = packed(value, ttl, client.stats()[b"time"])
            client.set(key, value, expire=kept_for(ttl), flags=flags)
    else:
        if client.get(key) != value:
            client.set(key, value, expire=ttl, flags=flags)


def tls_context(**files: Any) -> ssl.SSLContext:
    """Return what TLS is spoken by.

    :raises OSError: a file cannot be used
    """
    context = ssl.create_default_context(cafile=files["cafile"])
    if files["certfile"]:
        context.load_cert_chain(files["certfile"], files["keyfile"])
    return context
