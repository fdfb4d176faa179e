"""One ServiceGroup per process and configuration, for callers that ask in a hundred places."""

from __future__ import annotations

import threading
import time

from oslo_config import cfg

from servicegroup.api import ServiceGroup
from servicegroup.model import State
from servicegroup.status import Cause, Liveness

#: Seconds for which one look at a group answers all questions: a scheduler asks for every host.
LOOK_LASTS = 1.0

_lock = threading.Lock()
_made: dict[int, tuple[cfg.ConfigOpts, ServiceGroup]] = {}


def shared(conf: cfg.ConfigOpts) -> ServiceGroup:
    """Return the ServiceGroup of *conf*, the same one each time until it is closed.

    :raises ConfigurationError: as :class:`servicegroup.ServiceGroup` does
    """
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


class Glances:
    """Verdicts on members one by one, of which many cost no more than one look at their group."""

    def __init__(self, group: ServiceGroup) -> None:
        self._group = group
        self._seen: dict[str, tuple[float, dict[str, Liveness]]] = {}

    def verdict(self, group_id: str, member_id: str) -> Liveness:
        """Return the verdict on a member, at most a second old.

        :raises DriverUnavailable: the store did not answer
        """
        until, verdicts = self._seen.get(group_id, (float("-inf"), {}))
        if time.monotonic() >= until:
            members = self._group.get_members(group_id)
            verdicts = {one.member_id: one.liveness for one in members}
            self._seen[group_id] = (time.monotonic() + LOOK_LASTS, verdicts)
        return verdicts.get(member_id) or Liveness(State.DOWN, Cause.NO_MEMBER)
