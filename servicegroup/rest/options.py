"""The options of ``[servicegroup_api]``."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from oslo_config import cfg

from servicegroup import config
from servicegroup.exceptions import ConfigurationError

GROUP = "servicegroup_api"
#: Bytes: the limit that oslo.middleware sets for OpenStack's services.
MAX_BODY = 114688

OPTIONS: Sequence[cfg.Opt] = (
    cfg.HostAddressOpt(
        "host",
        default="127.0.0.1",
        help="Address that 'servicegroup api' listens at. Others than this machine's own need an "
        "auth_strategy, or noauth_anywhere.",
    ),
    cfg.PortOpt(
        "port",
        default=8999,
        help="Port that 'servicegroup api' listens at; 0 takes a free one. 8999 is Vitrage's.",
    ),
    cfg.IntOpt(
        "threads",
        default=10,
        min=1,
        help="Requests that 'servicegroup api' answers at the same time.",
    ),
    cfg.StrOpt(
        "auth_strategy",
        default="noauth",
        choices=["noauth", "http_basic", "keystone"],
        help="Who may ask. noauth: everybody who can reach us may do everything, hence only on "
        "this machine. http_basic: the users of htpasswd_file. keystone: whoever has a token, by "
        "the options of [keystone_authtoken].",
    ),
    cfg.BoolOpt(
        "noauth_anywhere",
        default=False,
        help="Whether noauth may listen at an address that other machines can reach: they can "
        "then disable and delete every service. For networks that nobody else is on.",
    ),
    cfg.StrOpt(
        "htpasswd_file",
        help="File of the users of http_basic, one 'user:hash' a line with bcrypt hashes, such as "
        "'htpasswd -B' writes. Read again when it changes.",
    ),
    cfg.ListOpt(
        "admin_users",
        default=["admin"],
        help="Users of htpasswd_file that have the role admin; all others are readers.",
    ),
    cfg.ListOpt(
        "service_groups",
        default=[],
        sample_default="<all>",
        help="Groups that the Vitrage and Nova lists show.",
    ),
    cfg.BoolOpt(
        "hypervisor_status_extension",
        default=True,
        help="Whether /v2/{tenant_id}/os-hypervisors has the extension os-hypervisor-status: the "
        "fields state, status and disabled_reason.",
    ),
    cfg.IntOpt(
        "max_limit",
        default=1000,
        min=1,
        help="Largest page of a list that comes in pages, and the size of one without a limit.",
    ),
    cfg.IntOpt(
        "max_body",
        default=MAX_BODY,
        min=1024,
        help="Largest body of a request, in bytes.",
    ),
    cfg.StrOpt(
        "certificate",
        help="File with the certificate of 'servicegroup api' and those between it and its root, "
        "in PEM: answers over TLS only.",
    ),
    cfg.StrOpt("private_key", help="File with the private key of the certificate, in PEM."),
    cfg.StrOpt(
        "client_ca",
        help="File with the roots of the certificates that clients must show, in PEM; without it "
        "they need none.",
    ),
    cfg.StrOpt(
        "join_group",
        help="Group that each process that serves the API joins itself, so that it is listed like "
        "everybody else. Left out: it is a member of none.",
    ),
)


@dataclass(frozen=True)
class ApiSettings:
    """The checked values of ``[servicegroup_api]``, or of a program that embeds the application.

    Each is what the option of that name says; sizes in bytes.
    """

    host: str = "127.0.0.1"
    port: int = 8999
    threads: int = 10
    auth_strategy: str = "noauth"
    noauth_anywhere: bool = False
    htpasswd_file: str | None = None
    admin_users: tuple[str, ...] = ("admin",)
    service_groups: tuple[str, ...] = ()
    hypervisor_status_extension: bool = True
    max_limit: int = 1000
    max_body: int = MAX_BODY
    certificate: str | None = None
    private_key: str | None = None
    client_ca: str | None = None
    join_group: str | None = None

    def checked(self) -> ApiSettings:
        """Return itself.

        :raises ConfigurationError: values that cannot be together
        """
        if self.auth_strategy == "http_basic" and not self.htpasswd_file:
            raise ConfigurationError(
                f"[{GROUP}] auth_strategy=http_basic needs [{GROUP}] htpasswd_file: make one with "
                f"htpasswd -cB FILE USER"
            )
        for name in ("certificate", "private_key", "client_ca", "htpasswd_file"):
            path = getattr(self, name)
            if path and not Path(path).is_file():
                raise ConfigurationError(f"[{GROUP}] {name}={path} is no file that can be read")
        if (self.certificate is None) != (self.private_key is None):
            raise ConfigurationError(
                f"[{GROUP}] certificate and private_key go together: set both or neither"
            )
        if self.client_ca and not self.certificate:
            raise ConfigurationError(f"[{GROUP}] client_ca needs certificate and private_key")
        return self

    def check_exposure(self) -> None:
        """Refuse to let the whole world in.

        :raises ConfigurationError: ``noauth`` at an address that other machines can reach
        """
        if self.auth_strategy != "noauth" or self.noauth_anywhere or _is_loopback(self.host):
            return
        raise ConfigurationError(
            f"[{GROUP}] host={self.host} can be reached by other machines, and with "
            f"auth_strategy=noauth everybody there could delete services: set auth_strategy to "
            f"http_basic or keystone, or host to 127.0.0.1, or noauth_anywhere=true if nobody "
            f"else is on that network"
        )


def register_options(conf: cfg.ConfigOpts) -> None:
    """Register the options on *conf*. May be called again."""
    conf.register_opts(OPTIONS, group=GROUP)


def api_settings(conf: cfg.ConfigOpts) -> ApiSettings:
    """Read and check the options of ``[servicegroup_api]``.

    :raises ConfigurationError: values that cannot work, each or together
    """
    register_options(conf)
    values: dict[str, Any] = {}
    for field in fields(ApiSettings):
        try:
            value = conf[GROUP][field.name]
        except cfg.ConfigSourceValueError as error:
            raise config.invalid(error, GROUP) from error
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return ApiSettings(**values).checked()


def list_opts() -> list[tuple[str, Sequence[cfg.Opt]]]:
    """Return the options for ``oslo-config-generator --namespace servicegroup.api``."""
    return [(GROUP, OPTIONS)]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
