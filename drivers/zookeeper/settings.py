"""The values of ``[servicegroup_zookeeper]``: checked, together, and made what kazoo takes.

Without oslo.config: the guardian comes here with values that it was handed.
"""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple

from kazoo.hosts import collect_hosts
from kazoo.security import ACL, CREATOR_ALL_ACL, OPEN_ACL_UNSAFE, READ_ACL_UNSAFE

from servicegroup.exceptions import ConfigurationError

GROUP = "servicegroup_zookeeper"


class Options(NamedTuple):
    """The checked values; ``client`` is what kazoo's client takes."""

    hosts: str
    root: str
    session_timeout: float
    client: dict[str, Any]
    tls: ssl.SSLContext | None
    sasl: dict[str, str] | None
    acl: list[ACL]


def checked(values: Mapping[str, Any]) -> Options:
    """Return the values of the group if they can work.

    :raises ConfigurationError: one cannot, or two do not go together
    """
    hosts = _hosts(values["hosts"])
    sasl = _sasl(values)
    client: dict[str, Any] = {"timeout": values["session_timeout"]}
    if sasl is None and values["username"]:
        client["auth_data"] = [("digest", f"{values['username']}:{values['password']}")]
    return Options(
        hosts=hosts,
        root=_root(values["root"]),
        session_timeout=values["session_timeout"],
        client=client,
        tls=_tls(values),
        sasl=sasl,
        acl=_acl(values["acl"], known=sasl is not None or bool(values["username"])),
    )


def _wrong(option: str, value: object, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"[{GROUP}] {option}={value!r} {remedy}")


def _hosts(hosts: str) -> str:
    try:
        found, chroot = collect_hosts(hosts)
        ports = [port for _, port in found]
    except ValueError as error:
        raise _wrong(
            "hosts", hosts, f"cannot be read ({error}); use host:port,host:port"
        ) from error
    if not all(host.strip() for host, _ in found) or not all(0 < port < 65536 for port in ports):
        raise _wrong("hosts", hosts, "names no server; use host:port,host:port")
    if chroot is not None and chroot != "/":
        _root(chroot)
    return hosts


def _root(root: str) -> str:
    parts = root.split("/")
    if parts[0] or len(parts) < 2 or not all(parts[1:]) or {".", ".."} & set(parts):
        raise _wrong("root", root, "is no path of ZooKeeper; use one like /servicegroup")
    if parts[1] == "zookeeper":
        raise _wrong("root", root, "is ZooKeeper's own; use one like /servicegroup")
    return root


def _sasl(values: Mapping[str, Any]) -> dict[str, str] | None:
    if bool(values["username"]) != bool(values["password"]):
        raise ConfigurationError(
            f"[{GROUP}] username and password go together: set both, or neither"
        )
    mechanism = values["sasl_mechanism"]
    if mechanism is None:
        return None
    if importlib.util.find_spec("puresasl") is None:
        raise _wrong("sasl_mechanism", mechanism, "needs a library: pip install pure-sasl")
    if mechanism == "GSSAPI":
        return {"mechanism": mechanism, "service": values["sasl_service"]}
    if not values["username"]:
        raise _wrong("sasl_mechanism", mechanism, "needs username and password")
    return {"mechanism": mechanism, "username": values["username"], "password": values["password"]}


def _tls(values: Mapping[str, Any]) -> ssl.SSLContext | None:
    if not values["use_ssl"]:
        given = [one for one in ("ca", "cert", "key") if values[one]]
        if given:
            raise _wrong(given[0], values[given[0]], "has no use without use_ssl=true")
        return None
    if bool(values["cert"]) != bool(values["key"]):
        raise ConfigurationError(f"[{GROUP}] cert and key go together: set both, or neither")
    context = ssl.create_default_context()
    context.check_hostname = values["verify"] and values["verify_host"]
    context.verify_mode = ssl.CERT_REQUIRED if values["verify"] else ssl.CERT_NONE
    if values["ca"]:
        try:
            context.load_verify_locations(values["ca"])
        except OSError as error:
            raise _wrong("ca", values["ca"], f"cannot be used: {error}") from error
    if values["cert"]:
        try:
            # A password that is missing must be an error, not a question at the terminal.
            context.load_cert_chain(values["cert"], values["key"], values["key_password"] or "")
        except OSError as error:
            raise _wrong("cert", values["cert"], f"cannot be used with key: {error}") from error
    return context


def _acl(wanted: str | None, *, known: bool) -> list[ACL]:
    wanted = wanted or ("creator-all" if known else "open")
    if wanted == "open":
        return list(OPEN_ACL_UNSAFE)
    if not known:
        raise _wrong("acl", wanted, "needs username and password, or sasl_mechanism")
    return [*CREATOR_ALL_ACL, *(READ_ACL_UNSAFE if wanted == "world-read" else [])]
