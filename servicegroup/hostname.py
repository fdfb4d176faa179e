"""Host names of conductors: what may be one."""

from __future__ import annotations

from servicegroup.exceptions import InvalidMember
from servicegroup.model import check_text


def check_hostname(hostname: object) -> str:
    """Return *hostname* if it may be a conductor's: ``host``, ``host:port`` or ``[v6]:port``.

    :raises InvalidMember: it may not
    """
    text = check_text("host name", hostname)
    host, port = text, None
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        port = rest[1:] if rest.startswith(":") else None
        if not closed or (rest and port is None):
            raise _malformed(text, "what follows '[' must be an address and ']'")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not host:
        raise _malformed(text, "there is no host in it")
    if port is not None and not (port.isascii() and port.isdigit() and int(port) < 2**16):
        raise _malformed(text, f"{port!r} is no port")
    return text


def _malformed(hostname: str, why: str) -> InvalidMember:
    return InvalidMember(
        f"host name {hostname!r} is malformed: {why}; use host, host:port or [v6]:port"
    )
