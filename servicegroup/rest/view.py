"""What the resources look at: one watch per group, and the service records."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from servicegroup import ServiceGroup
from servicegroup.clock import boottime
from servicegroup.exceptions import DriverUnavailable
from servicegroup.hypervisors import HypervisorStatus
from servicegroup.rest.verdicts import Verdicts
from servicegroup.status import Cause, Event, MemberStatus
from servicegroup.watch import Watch

T = TypeVar("T")


class View:
    """One per application. Its watches are opened when first asked for, in the process that asks.

    While a store does not answer, what was seen last is shown for one ``service_down_time``.

    :param groups: those that are shown; empty: all there are
    """

    def __init__(self, service_group: ServiceGroup, groups: Sequence[str] = ()) -> None:
        self.service_group = service_group
        self.verdicts = Verdicts(service_group.settings.service_down_time)
        self._configured = tuple(groups)
        self._lock = threading.Lock()
        self._watches: dict[str, Watch] = {}
        self._groups_at = float("-inf")
        self._named: dict[str, float] = {}  # when the store named a group last
        self._seen: dict[Hashable, tuple[float, object]] = {}
        self._told: Callable[[Event], None] | None = None

    def groups(self) -> list[str]:
        """Return the groups that are shown; who are new there is asked once a ``poll_interval``.

        :raises DriverUnavailable: the store did not answer for one ``service_down_time``
        """
        if self._configured:
            return list(self._configured)
        now, known = boottime(), self._seen.get("groups")
        settings = self.service_group.settings
        recent = now - self._groups_at <= settings.poll_interval  # asked, if not answered
        if known is not None and recent and now - known[0] <= settings.service_down_time:
            return known[1]  # type: ignore[return-value]
        self._groups_at = now
        groups = self._latest("groups", self.service_group.groups)
        self._close_others(groups, now)
        return groups

    def members(self) -> list[MemberStatus]:
        """Return the members of all groups that are shown, from memory.

        While the store does not answer, they are ``unknown``.

        :raises DriverUnavailable: a group could not be read for one ``service_down_time``
        """
        found: list[MemberStatus] = []
        for group_id in self.groups():
            watch = self._watch(group_id)
            if watch.fresh:
                found.extend(watch.members)
            else:
                found.extend(self._unwatched(watch))
        self.verdicts.forget_others(found)
        return found

    def services(self) -> list[MemberStatus]:
        """Return everybody there is, also those that left and have a record.

        One look at the store.

        :raises DriverUnavailable: the store did not answer for one ``service_down_time``
        """
        statuses = self._latest("services", lambda: self.service_group.roster.list(left=True))
        self.verdicts.forget_others(statuses)
        self._bear_witness(statuses)
        if not self._configured:
            return statuses
        return [status for status in statuses if status.group_id in self._configured]

    def hypervisors(self) -> Sequence[HypervisorStatus]:
        """Return all hypervisors: two queries.

        :raises DriverUnavailable: a store did not answer for one ``service_down_time``
        """
        found = self._latest("hypervisors", self.service_group.hypervisors.list)
        self._bear_witness(one.service for one in found if one.service is not None)
        return found

    def hypervisor(self, ident: str) -> HypervisorStatus:
        """Return one hypervisor, by id, uuid or name.

        :raises NoSuchHypervisor: there is none
        :raises DriverUnavailable: a store did not answer for one ``service_down_time``
        """
        look = functools.partial(self.service_group.hypervisors.get, ident)
        return self._latest(("hypervisor", ident), look)

    def follow(self, told: Callable[[Event], None]) -> None:
        """Have *told* called for each event of each group that is shown, on threads of their own.

        From the watches' opening on: each begins with a JOINED for whoever is there.
        """
        with self._lock:
            first, self._told = self._told is None, told
            for watch in self._watches.values() if first else ():
                self._tell(watch)

    def close(self) -> None:
        """End all watches; they are opened again when asked for."""
        with self._lock:
            watches, self._watches = list(self._watches.values()), {}
        for watch in watches:
            watch.close()

    def _close_others(self, groups: Sequence[str], now: float) -> None:
        """Close the watches of groups that are no more: there may be a new one for each job.

        A store that lost its data names none for a while; what was seen of them is still needed.
        """
        lately = now - self.service_group.settings.service_down_time
        with self._lock:
            self._named.update(dict.fromkeys(groups, now))
            self._named = {group: at for group, at in self._named.items() if at >= lately}
            gone = [self._watches.pop(one) for one in self._watches.keys() - self._named.keys()]
        for watch in gone:
            watch.close(timeout=0)

    def _bear_witness(self, statuses: Iterable[MemberStatus]) -> None:
        """Watch groups whose silent members cannot be judged, since nobody else was heard.

        A watch beats, while that is so. Else the last one that dies would be neither up nor down,
        and no answer could be given, for a quarter of an hour.
        """
        for status in statuses:
            if status.liveness.cause is Cause.UNWITNESSED:
                self._watch(status.group_id)

    def _watch(self, group_id: str) -> Watch:
        watch = self._watches.get(group_id)
        if watch is not None and not watch.closed:
            return watch
        with self._lock:
            watch = self._watches.get(group_id)
            if watch is None or watch.closed:  # new, or another process's before a fork
                watch = self._watches[group_id] = self.service_group.watch(group_id)
                if self._told is not None:
                    self._tell(watch)
            return watch

    def _unwatched(self, watch: Watch) -> list[MemberStatus]:
        """Ask the store itself: its words are told when it does not answer."""
        try:
            return self.service_group.get_members(watch.group_id)
        except DriverUnavailable:
            if watch.stale_for > self.service_group.settings.service_down_time:
                raise
            return watch.members

    def _tell(self, watch: Watch) -> None:
        def tell() -> None:
            for event in watch:
                if self._told is not None:
                    self._told(event)

        threading.Thread(target=tell, name="servicegroup-api-events", daemon=True).start()

    def _latest(self, what: Hashable, look: Callable[[], T]) -> T:
        try:
            seen = look()
        except DriverUnavailable:
            seen_at, before = self._seen.get(what, (float("-inf"), None))
            if boottime() - seen_at > self.service_group.settings.service_down_time:
                raise
            return before  # type: ignore[return-value]
        self._seen[what] = (boottime(), seen)
        return seen
