"""One ServiceGroup per process and configuration, for callers that ask in a hundred places."""

from __future__ import annotations

import logging
import threading
from typing import Any

from oslo_config import cfg

from servicegroup import config
from servicegroup.api import ServiceGroup

LOG = logging.getLogger(__name__)

_DOWN = "service_down_time"
_OURS = f"[{config.GROUP}] {_DOWN}"
_lock = threading.Lock()
_made: dict[int, tuple[cfg.ConfigOpts, ServiceGroup]] = {}


def shared(conf: cfg.ConfigOpts, down_option: str = _OURS, **own: Any) -> ServiceGroup:
    """Return the ServiceGroup of *conf*, the same one each time until it is closed.

    A ``service_down_time`` that nobody set in ``[servicegroup]`` is widened, with a warning, to
    what leaves room for lost beats: what works for the program does not stop it here.

    :param down_option: the name of the program's option that is ``service_down_time`` of *own*
    :param own: values of the program's own options: the defaults of ours of these names
    :raises ConfigurationError: as :class:`servicegroup.ServiceGroup` does
    """
    config.register(conf)
    with _lock:
        before, group = _made.get(id(conf), (None, None))
        if group is None or group.closed or before is not conf:
            for name, value in own.items():
                conf.set_default(name, value, config.GROUP)
            _leave_room(conf, down_option)
            group = ServiceGroup(conf)
            _made[id(conf)] = (conf, group)
        return group


def _leave_room(conf: cfg.ConfigOpts, down_option: str) -> None:
    values = conf[config.GROUP]
    interval, down = values.report_interval, values.service_down_time
    least = config.LEAST_INTERVALS * interval
    location = conf.get_location(_DOWN, config.GROUP)
    defaults = (cfg.Locations.opt_default, cfg.Locations.set_default)
    if down >= least or (location is not None and location.location not in defaults):
        return
    LOG.warning(
        "%s=%g leaves no room for lost beats at an interval of %g seconds: who is silent is down "
        "after %g; %s says otherwise",
        *(down_option, down, interval, least, _OURS),
    )
    conf.set_default(_DOWN, least, config.GROUP)


def chosen(conf: cfg.ConfigOpts, option: str, group: str = "servicegroup") -> bool:
    """Whether somebody set this option, rather than its default being in force."""
    location = conf.get_location(option, group)
    return location is not None and location.location is not cfg.Locations.opt_default
