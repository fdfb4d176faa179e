"""The options of ``[servicegroup_memcache]``, read and checked."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from oslo_config import cfg
from pymemcache.client.base import normalize_server_spec

from servicegroup.exceptions import ConfigurationError

GROUP = "servicegroup_memcache"
DEFAULT_PORT = 11211
#: Our own part of a key takes up to 64 bytes of memcached's 250.
_NAMESPACE = re.compile(r"[!-~]{1,150}")
#: Shorter secrets are guessed.
SHORTEST_SECRET = 16
_TLS_FILES = ("cafile", "certfile", "keyfile")

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
)


class Address(NamedTuple):
    """One server as configured; *name* is what it is called in logs and in the placement of keys.

    *spec* is what pymemcache takes: host and port, or the path of a Unix socket.
    """

    name: str
    spec: tuple[str, int] | str


@dataclass(frozen=True)
class Options:
    """The checked values."""

    servers: Sequence[Address]
    namespace: bytes
    secret: bytes | None
    tls: ssl.SSLContext | None
    tls_files: Mapping[str, str | None] | None


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
        {name: values[f"tls_{name}"] for name in _TLS_FILES} if values.tls else None,
    )


def _servers(texts: Sequence[str]) -> Sequence[Address]:
    servers: dict[str, Address] = {}
    for text in texts:
        try:
            address = _address(text.strip())
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
    return [servers[name] for name in sorted(servers)]


def _address(text: str) -> Address:
    """Read one entry of the option ``servers``.

    :raises ValueError: it is no address; says why
    """
    if any(char.isspace() for char in text):
        raise ValueError("it has blanks")
    host, _, port = text.rpartition(":")
    if ":" in host and not host.endswith("]") and not text.startswith(("[", "/", "unix:")):
        raise ValueError("an IPv6 address is written [address]:port")
    try:
        spec = normalize_server_spec(text)
    except ValueError:
        raise ValueError(f"{port!r} is no port; use a number from 1 to 65535") from None
    if isinstance(spec, str):
        return Address(spec, spec)
    host, number = spec
    if not host:
        raise ValueError("use host:port, [address]:port or the path of a Unix socket")
    if not 0 < number < 65536:
        raise ValueError(f"{number} is no port; use a number from 1 to 65535")
    return Address(f"[{host}]:{number}" if ":" in host else f"{host}:{number}", (host, number))


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
        for name in _TLS_FILES:
            if values[f"tls_{name}"]:
                raise ConfigurationError(
                    f"[{GROUP}] tls_{name} is set, but tls is not; set tls=true or leave it out"
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
