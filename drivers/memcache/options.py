"""The options of ``[servicegroup_memcache]``, read and checked."""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from oslo_config import cfg

from servicegroup.exceptions import ConfigurationError

from .address import DEFAULT_PORT, Address, parse

GROUP = "servicegroup_memcache"
#: Our own part of a key takes up to 64 bytes of memcached's 250.
_NAMESPACE = re.compile(r"[!-~]{1,150}")
#: Shorter secrets are guessed.
SHORTEST_SECRET = 16

OPTIONS: Sequence[cfg.Opt] = (
    cfg.ListOpt(
        "servers",
        default=[f"127.0.0.1:{DEFAULT_PORT}"],
        help="Addresses of the memcached servers: host:port, [IPv6 address]:port, or the path of "
        "a Unix socket. Each key is kept on two of them. Must name the same servers, written the "
        "same way, in all processes of a fleet; the order does not matter.",
    ),
    cfg.StrOpt(
        "namespace",
        default="servicegroup",
        help="What all keys begin with. Fleets that share servers need one each.",
    ),
    cfg.StrOpt(
        "secret_key",
        secret=True,
        help="Text of at least 16 characters, the same in all processes. With it, members and "
        "signs of life carry an HMAC-SHA256, and what was stored without it is ignored. It does "
        "not hide anything, and does not keep others from deleting keys.",
    ),
    cfg.BoolOpt("tls", default=False, help="Whether to connect by TLS."),
    cfg.StrOpt(
        "tls_cafile",
        sample_default="<the system's>",
        help="File of the certificates that the servers' ones are checked against.",
    ),
    cfg.StrOpt("tls_certfile", help="File of our own certificate, if the servers ask for one."),
    cfg.StrOpt("tls_keyfile", help="File of the key to tls_certfile, if it is not in there."),
    cfg.IntOpt(
        "pool_size",
        default=4,
        min=1,
        help="Idle connections that are kept to each server. More are opened while more threads "
        "ask at once.",
    ),
)


@dataclass(frozen=True)
class Options:
    """The checked values."""

    servers: Sequence[Address]
    namespace: bytes
    secret: bytes | None
    tls: ssl.SSLContext | None
    pool_size: int


def read(conf: cfg.ConfigOpts) -> Options:
    """Read and check the options.

    :raises ConfigurationError: one cannot work; names it and the remedy
    """
    values = conf[GROUP]
    return Options(
        _servers(values.servers),
        _namespace(values.namespace),
        _secret(values.secret_key),
        _tls(values),
        values.pool_size,
    )


def _servers(texts: Sequence[str]) -> Sequence[Address]:
    servers: dict[str, Address] = {}
    for text in texts:
        try:
            address = parse(text)
        except ValueError as error:
            raise ConfigurationError(
                f"[{GROUP}] servers: {text!r} is no address: {error}"
            ) from None
        if address.name in servers:
            raise ConfigurationError(f"[{GROUP}] servers names {address.name} twice; leave one out")
        servers[address.name] = address
    if not servers:
        raise ConfigurationError(
            f"[{GROUP}] servers is empty; name at least one memcached, as in "
            f"servers=127.0.0.1:{DEFAULT_PORT}"
        )
    return sorted(servers.values())


def _namespace(text: str) -> bytes:
    if not _NAMESPACE.fullmatch(text):
        raise ConfigurationError(
            f"[{GROUP}] namespace={text!r} cannot begin a key; use 1 to 150 visible ASCII "
            f"characters without blanks"
        )
    return text.encode()


def _secret(text: str | None) -> bytes | None:
    if not text:
        return None
    if len(text) < SHORTEST_SECRET:
        raise ConfigurationError(
            f"[{GROUP}] secret_key has {len(text)} characters; use at least {SHORTEST_SECRET}, "
            f"as from: openssl rand -hex 32"
        )
    return text.encode("utf-8", "surrogateescape")


def _tls(values: cfg.ConfigOpts.GroupAttr) -> ssl.SSLContext | None:
    if not values.tls:
        for name in ("tls_cafile", "tls_certfile", "tls_keyfile"):
            if values[name]:
                raise ConfigurationError(
                    f"[{GROUP}] {name} is set, but tls is not; set tls=true or leave {name} out"
                )
        return None
    name = "tls_cafile"
    try:
        context = ssl.create_default_context(cafile=values.tls_cafile)
        name = "tls_certfile"
        if values.tls_certfile:
            context.load_cert_chain(values.tls_certfile, values.tls_keyfile)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"[{GROUP}] {name}={values[name]!r} cannot be used: {error}; name a readable file of "
            f"PEM certificates"
        ) from error
    return context
