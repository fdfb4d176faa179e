"""The option of ``[servicegroup_tooz]``, read and checked as far as no store is needed for that."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from urllib.parse import urlsplit

from oslo_config import cfg

from servicegroup.exceptions import ConfigurationError

GROUP = "servicegroup_tooz"
#: Where tooz's own back ends are found.
NAMESPACE = "tooz.backends"
_EXAMPLES = "redis://HOST:6379, etcd3+http://HOST:2379, memcached://HOST:11211 or file:///FOLDER"
#: Back ends whose members end with their connection, or that have no groups: our own drivers do.
_OURS = {
    "zookeeper": "zookeeper",
    "kazoo": "zookeeper",
    "mysql": "db",
    "postgresql": "db",
    "kubernetes": "k8s",
    "ipc": "db",
}
#: The extra of tooz that brings a back end's library.
_EXTRAS = {
    "redis": "redis",
    "memcached": "memcached",
    "etcd3+http": "etcd3gw",
    "etcd3+https": "etcd3gw",
}

OPTIONS: Sequence[cfg.Opt] = (
    cfg.StrOpt(
        "backend_url",
        secret=True,
        help=f"The back end, as tooz names it: {_EXAMPLES}, with tooz's own options after a '?'. "
        "Time-outs among them are replaced by what follows from service_down_time and "
        "report_interval.",
    ),
)


def read(conf: cfg.ConfigOpts) -> str:
    """Return the URL.

    :raises ConfigurationError: there is none, or no back end can be meant by it; the message
        never holds what may be a password
    """
    url = (conf[GROUP].backend_url or "").strip()
    if not url:
        raise ConfigurationError(
            f"[{GROUP}] backend_url is not set, and driver=tooz needs it: {_EXAMPLES}"
        )
    try:
        parsed = urlsplit(url)
        _ = parsed.port
    except ValueError:
        # Its words quote what may be a password.
        raise ConfigurationError(
            f"[{GROUP}] backend_url is no URL: a port is a number, an IPv6 address has both "
            f"brackets, and in a password / ? # [ ] are written %2F %3F %23 %5B %5D"
        ) from None
    if not parsed.scheme or "://" not in url:
        raise ConfigurationError(
            f"[{GROUP}] backend_url does not begin with the name of a back end and '://', as in "
            f"{_EXAMPLES}"
        )
    if parsed.scheme in _OURS:
        raise ConfigurationError(
            f"[{GROUP}] backend_url names tooz's {parsed.scheme!r}, which has no groups that "
            f"outlast a connection; use [servicegroup] driver={_OURS[parsed.scheme]} instead"
        )
    if parsed.scheme == "file" and not parsed.path.strip("/"):
        raise ConfigurationError(
            f"[{GROUP}] backend_url names no folder: file:///FOLDER has three slashes"
        )
    _require(parsed.scheme)
    return url


def _require(scheme: str) -> None:
    """Load the back end's module, for the errors that tooz itself would hide."""
    found = importlib.metadata.entry_points(group=NAMESPACE)
    if scheme not in found.names:
        known = ", ".join(sorted(found.names - _OURS.keys()))
        raise ConfigurationError(
            f"[{GROUP}] backend_url names {scheme!r}, which tooz has no back end for; those "
            f"installed are {known}"
        )
    try:
        found[scheme].load()
    except ImportError as error:
        remedy = f"pip install 'tooz[{_EXTRAS[scheme]}]'" if scheme in _EXTRAS else "install it"
        raise ConfigurationError(
            f"[{GROUP}] backend_url names {scheme!r}, whose library is not installed ({error}): "
            f"{remedy}"
        ) from error
