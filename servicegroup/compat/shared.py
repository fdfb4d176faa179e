"""One ServiceGroup per process and configuration, for callers that ask in a hundred places."""

from __future__ import annotations

import threading
from typing import Any

from oslo_config import cfg

from servicegroup import config
from servicegroup.api import ServiceGroup

_lock = threading.Lock()
_made: dict[int, tuple[cfg.ConfigOpts, ServiceGroup]] = {}


def shared(conf: cfg.ConfigOpts, **own: Any) -> ServiceGroup:
    """Return the ServiceGroup of *conf*, the same one each time until it is closed.

    :param own: values of the program's own options: the defaults of ours of these names
    :raises ConfigurationError: as :class:`servicegroup.ServiceGroup` does
    """
    config.register(conf)
    for name, value in own.items():
        conf.set_default(name, value, config.GROUP)
    with _lock:
        before, group = _made.get(id(conf), (None, None))
        if group is None or group.closed or before is not conf:
            group = ServiceGroup(conf)
            _made[id(conf)] = (conf, group)
        return group


def chosen(conf: cfg.ConfigOpts, option: str, group: str = "servicegroup") -> bool:
    """Whether somebody set this option, rather than its default being in force."""
    location = conf.get_location(option, group)
    return location is not None and location.location is not cfg.Locations.opt_default
