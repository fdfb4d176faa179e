"""Where a memcached is: ``host:port``, ``[v6]:port`` or the path of a Unix socket."""

from __future__ import annotations

from typing import NamedTuple

DEFAULT_PORT = 11211


class Address(NamedTuple):
    """One server as configured; *name* is what it is called in logs and in the placement of keys.

    *path* is set for a Unix socket, whose host and port mean nothing.
    """

    name: str
    host: str
    port: int
    path: str | None = None


def parse(text: str) -> Address:
    """Read one entry of the option ``servers``.

    :raises ValueError: it is none of the three; says why
    """
    text = text.strip()
    if text.startswith("/"):
        return Address(text, "", 0, text)
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("an IPv6 address is written [address]:port")
        port = rest[1:]
    elif text.count(":") > 1:
        raise ValueError("an IPv6 address needs brackets: [address]:port")
    else:
        host, _, port = text.partition(":")
    if not host or any(char.isspace() for char in text):
        raise ValueError("use host:port, [address]:port or the path of a Unix socket")
    number = int(port) if port.isascii() and port.isdigit() else None if port else DEFAULT_PORT
    if number is None or not 0 < number < 65536:
        raise ValueError(f"{port!r} is no port; use a number from 1 to 65535")
    name = f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
    return Address(name, host, number)
