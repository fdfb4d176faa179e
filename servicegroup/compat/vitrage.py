"""Vitrage's ``vitrage.coordination.coordination.Coordinator``.

What ``[coordination] backend_url`` was, ``[servicegroup] driver`` and its options are; the URL
still says whether the service list is wanted.
"""

from __future__ import annotations

import logging
import os
import pathlib
from typing import Any

from oslo_config import cfg
from oslo_utils import timeutils

from servicegroup import exceptions
from servicegroup.api import ServiceGroup
from servicegroup.compat.shared import shared
from servicegroup.membership import Membership

LOG = logging.getLogger(__name__)


class Coordinator:
    """What Vitrage's services call: start, join_group, get_services, leave_group, stop.

    Members are called ``<name>:<host>:<process id>``, so that equal names on two hosts, or in two
    containers with equal process ids, are two members.

    :param my_id: the service's name, default: its command line
    :param conf: default: the global one of oslo.config, which is Vitrage's
    """

    def __init__(self, my_id: str | None = None, conf: cfg.ConfigOpts | None = None) -> None:
        self._conf = cfg.CONF if conf is None else conf
        self.backend_url = self._conf.coordination.backend_url
        self.my_id = my_id or _command_line()
        self.coordinator: ServiceGroup | None = None
        self._joined: dict[str, Membership] = {}

    def start(self) -> None:
        """Begin; the store may be away. What cannot work as configured is logged."""
        if not self.backend_url:
            return
        try:
            self.coordinator = shared(self._conf)
            LOG.info("Coordination backend started successfully.")
        except exceptions.ServiceGroupError:
            LOG.exception("Error connecting to coordination backend.")

    def stop(self) -> None:
        """Leave every group that was joined here."""
        for group_id in list(self._joined):
            self.leave_group(group_id)
        self.coordinator = None

    def is_active(self) -> bool:
        """Whether it was started and not stopped."""
        return self.coordinator is not None

    def join_group(self, group_id: str = "vitrage") -> None:
        """Join, as soon as the store answers, with what the service list shows."""
        if self.coordinator is None or not group_id or group_id in self._joined:
            return
        created = timeutils.utcnow(with_timezone=True).replace(microsecond=0).isoformat()
        hostname, process = self.coordinator.settings.host, os.getpid()
        member_id = f"{self.my_id}:{hostname}:{process}"[-255:]
        if self.coordinator.membership(group_id, member_id) is not None:
            return  # another Coordinator of this name and process joined
        attributes = {"name": self.my_id, "hostname": hostname, "process": process}
        self._joined[group_id] = self.coordinator.join(
            group_id,
            member_id,
            name=self.my_id[:255],
            attributes={**attributes, "created": created},
        )
        LOG.info("Joined service group:%s, member:%s", group_id, self.my_id)

    def leave_group(self, group_id: str) -> None:
        """Leave, if it had joined."""
        membership = self._joined.pop(group_id, None)
        if membership is not None:
            membership.leave()
            LOG.info("Left group %s", group_id)

    def get_services(self, group_id: str = "vitrage") -> list[dict[str, Any]]:
        """Return those that are up, each with name, hostname, process and created.

        One question to the store, whatever their number.

        :raises DriverUnavailable: the store did not answer
        """
        if self.coordinator is None:
            return []
        return [
            {
                "name": one.attributes.get("name", one.name),
                "hostname": one.attributes.get("hostname", one.hostname),
                "process": one.attributes.get("process", one.process_id),
                "created": one.attributes.get("created", str(one.created_at or "")),
            }
            for one in self.coordinator.get_members(group_id)
            if one.is_up
        ]


def _command_line() -> str:
    words = pathlib.Path("/proc/self/cmdline").read_bytes().decode("utf-8", "replace")
    return "_".join(words.rstrip("\0").split("\0"))
