"""What the resources look at: one watch per group, and the service records."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from servicegroup import ServiceGroup
from servicegroup.clock import boottime
from servicegroup.exceptions import DriverUnavailable
from servicegroup.rest.verdicts import Verdicts
from servicegroup.status import MemberStatus
from servicegroup.watch import Watch


class View:
    """One per application. Its watches are opened when first asked for, in the process that asks.

    :param groups: those that are shown; empty: all there are
    """

    def __init__(self, service_group: ServiceGroup, groups: Sequence[str] = ()) -> None:
        self.service_group = service_group
        self.verdicts = Verdicts(service_group.settings.service_down_time)
        self._configured = tuple(groups)
        self._lock = threading.Lock()
        self._watches: dict[str, Watch] = {}
        self._groups: tuple[float, list[str]] = (float("-inf"), [])
        self._listed: tuple[float, list[MemberStatus]] = (float("-inf"), [])

    def groups(self) -> list[str]:
        """Return the groups that are shown; who are new there is asked once a ``poll_interval``."""
        if self._configured:
            return list(self._configured)
        asked_at, groups = self._groups
        if boottime() - asked_at > self.service_group.settings.poll_interval:
            groups = self.service_group.groups()
            self._groups = (boottime(), groups)
        return groups

    def members(self) -> list[MemberStatus]:
        """Return the members of all groups that are shown, from memory.

        :raises DriverUnavailable: a group cannot be read, and has not been for a while
        """
        found: list[MemberStatus] = []
        for group_id in self.groups():
            watch = self._watch(group_id)
            if not watch.fresh:
                # Asked for its words: what the store says when it does not answer.
                found.extend(self.service_group.get_members(group_id))
            else:
                found.extend(watch.members)
        return found

    def services(self) -> list[MemberStatus]:
        """Return everybody there is, also those that left and have a record.

        One look at the store. While it does not answer, what was seen last for one
        ``service_down_time``.

        :raises DriverUnavailable: the store did not answer for longer
        """
        try:
            statuses = self.service_group.roster.list(left=True)
        except DriverUnavailable:
            seen_at, statuses = self._listed
            if boottime() - seen_at > self.service_group.settings.service_down_time:
                raise
        else:
            self._listed = (boottime(), statuses)
            self.verdicts.forget_others(statuses)
        if not self._configured:
            return statuses
        return [status for status in statuses if status.group_id in self._configured]

    def close(self) -> None:
        """End all watches; they are opened again when asked for."""
        with self._lock:
            watches, self._watches = list(self._watches.values()), {}
        for watch in watches:
            watch.close()

    def _watch(self, group_id: str) -> Watch:
        watch = self._watches.get(group_id)
        if watch is not None and not watch.closed:
            return watch
        with self._lock:
            watch = self._watches.get(group_id)
            if watch is None or watch.closed:  # new, or another process's before a fork
                watch = self._watches[group_id] = self.service_group.watch(group_id)
            return watch
