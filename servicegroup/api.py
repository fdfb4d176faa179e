"""The front door: one ``ServiceGroup`` per process, whatever it joins, asks and watches."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from servicegroup import config, lifetime, loading, tables
from servicegroup.door import CLOSED
from servicegroup.exceptions import (
    DriverUnavailable,
    LivenessUnknown,
    ServiceGroupError,
)
from servicegroup.membership import Health, Membership, OnLost
from servicegroup.model import Member, State, check_attributes, check_text
from servicegroup.observer import Observer
from servicegroup.process import Process
from servicegroup.readiness import Readiness, readiness
from servicegroup.roster import Roster
from servicegroup.status import Cause, Liveness, MemberStatus
from servicegroup.unsure import RAISE, Unknown
from servicegroup.watch import Watch
from servicegroup.workers import stored_id

if TYPE_CHECKING:
    from servicegroup.conductors import Conductors
    from servicegroup.driver import Finding
    from servicegroup.hypervisors import Hypervisors
    from servicegroup.inventory import Inventory
    from servicegroup.services import Services

#: Largest version of a service: what a signed 32-bit column holds.
MAX_VERSION = 2**31 - 1


class ServiceGroup:
    """Joins this process to groups, and tells who is alive in them.

    Make one per process and configuration. It connects at first use, so that a daemon can start
    while its store is away. Usable from any thread; a forked child may go on using it: it gets
    connections of its own and is not a member until it joins. Leaves all groups when closed, used
    as a context manager, or at the interpreter's regular exit.

    :param conf: the options are registered on it and read once, now
    :param inventory: who keeps nodes and hypervisors; default: tables in the database
    :raises ConfigurationError: options that cannot work, named with what would
    """

    def __init__(self, conf: cfg.ConfigOpts, inventory: Inventory | None = None) -> None:
        self._conf = conf
        self._own_inventory = inventory
        self._fleet: tuple[Process, Conductors] | None = None
        config.register(conf)
        kind = loading.load(_driver_name(conf))
        loading.register_options(conf, kind)
        self.settings = config.settings(conf)
        self._kind = kind
        self._further = loading.further(self.settings)
        for one in self._further.values():
            loading.register_options(conf, one)
        self._lock = threading.RLock()
        self._closed = False
        try:
            self._process: Process | None = self._made()
        except cfg.ConfigSourceValueError as error:  # an option of the driver
            raise config.invalid(error) from error
        lifetime.begin(self)

    # -- members ------------------------------------------------------------------------------

    def join(
        self,
        group_id: str,
        member_id: str,
        *,
        name: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        version: int = 0,
        takeover: bool = True,
        wait: bool = True,
        worker: bool | int = False,
        health: Health | None = None,
        on_lost: OnLost | None = None,
    ) -> Membership:
        """Make this process a member of a group, and keep it one until it leaves.

        :param name: what kind of service it is, such as ``nova-compute``; default: the group
        :param attributes: what it publishes of itself: JSON, at most 64 KiB
        :param version: version of the service, for :meth:`Services.version_range`
        :param takeover: with False, joining fails while another live process holds this member
            id; with True that process is superseded: it learns it, stops and logs an error.
            (Two processes that join in the same instant may both find the place free; the earlier
            one is then superseded.)
        :param wait: with False return at once, and join as soon as the store answers
        :param worker: this process is one of several that are the member together, such as the
            pre-forked workers of a daemon: it is up while any of them is, and the reason counts
            them. The number of this one, unique among those that run at a time, below 128; or True:
            the lowest that no living process of this user holds on this host. What they publish
            should be the same: one of them speaks for all.
        :param health: asked once per interval on a thread of its own; when it returns something
            false, raises, or does not answer within an interval, the member is down as
            "unhealthy" until it answers well again, while the process beats on
        :param on_lost: called with the membership and the reason whenever ``lost`` is set, and
            again if a loss that could have passed turns out to be for good
        :raises InvalidMember: an id, name or attribute that no store could keep
        :raises ConfigurationError: with ``worker=True``, where no number can be had
        :raises MemberExists: with ``takeover=False``
        :raises DriverUnavailable: the store did not answer; nothing stays behind
        """
        attributes = check_attributes(attributes or {})
        if not isinstance(version, int) or not 0 <= version <= MAX_VERSION:
            raise ServiceGroupError(f"version={version!r} must be a number from 0 to {MAX_VERSION}")
        if not takeover and not wait:
            raise ServiceGroupError(
                "takeover=False has to ask the store: it cannot be with wait=False"
            )
        process = self._running()
        seat = functools.partial(process.seats.take, group_id, member_id)
        member = Member(
            check_text("group id", group_id),
            stored_id(check_text("member id", member_id), worker, seat),
            check_text("name", group_id if name is None else name),
            self.settings.host,
            process.pid,
            attributes=attributes,
            version=version,
            instance_id=process.instance_id,
        )
        if not takeover:
            process.refuse_if_alive(member)
        return process.heart.join(member, wait=wait, on_lost=on_lost, health=health)

    def membership(self, group_id: str, member_id: str) -> Membership | None:
        """Return what ``join`` returned, while this process is that member. Asks no store."""
        return self._running().heart.membership(group_id, member_id)

    def leave(self, group_id: str, member_id: str) -> bool:
        """End any member's membership, here or on another host; its service record stays.

        With all its workers, if it has several.

        A live process that is removed so stops beating and says so once. Its own membership is
        better ended by :meth:`Membership.leave`.

        :returns: whether there was such a member
        :raises DriverUnavailable: the store did not answer
        :raises LivenessUnknown: it lost its data lately, and cannot tell; try again after one
            ``service_down_time``
        """
        check_text("group id", group_id)
        check_text("member id", member_id)
        process = self._running()
        own = process.heart.membership(group_id, member_id)
        if own is not None:
            own.leave()
            return True
        workers = process.observer.workers(group_id, member_id)
        there = [process.remove(group_id, one) for one in (member_id, *workers)]
        return any(there)

    # -- questions ----------------------------------------------------------------------------

    def is_up(
        self, group_id: str, member_id: str, *, unknown: Unknown = RAISE, max_age: float = 0.0
    ) -> bool:
        """Whether a member is alive, asked of the store; who is not a member is not up.

        :param unknown: what to answer when nobody can tell: False suits choosing, True suits
            fencing and evacuation
        :param max_age: a look at the whole group that is no older, in seconds, may answer: many
            questions about its members one by one then cost the store one. That the store did
            not answer holds for as long as it took to find out, too.
        :raises DriverUnavailable: the store did not answer, and *unknown* is ``RAISE``
        :raises LivenessUnknown: it answered, but proves neither life nor death; likewise
        """
        try:
            verdict = self._verdict(group_id, member_id, max_age, counted=False)
        except DriverUnavailable:
            if unknown is RAISE:
                raise
            return bool(unknown)
        if verdict.state is not State.UNKNOWN:
            return verdict.state is State.UP
        if unknown is RAISE:
            raise LivenessUnknown(f"member {member_id!r} of group {group_id!r}: {verdict.reason}")
        return bool(unknown)

    def liveness(self, group_id: str, member_id: str, *, max_age: float = 0.0) -> Liveness:
        """Return the verdict on a member with its reason. Never raises for a store that is away:
        that is ``unknown``, with the error as reason.

        :param max_age: as for :meth:`is_up`
        """  # noqa: D205
        try:
            return self._verdict(group_id, member_id, max_age)
        except DriverUnavailable as error:
            words = str(error.__cause__ or error).strip() or type(error.__cause__).__name__
            detail = words.splitlines()[0]
            return Liveness(State.UNKNOWN, Cause.UNREACHABLE, detail=detail)

    def states(self, group_id: str) -> dict[str, State]:
        """Return ``{member id: verdict}`` of a whole group: the cheapest listing.

        :raises DriverUnavailable: the store did not answer
        """
        check_text("group id", group_id)
        process = self._running()
        return process.observer.states(group_id)

    def get_members(self, group_id: str) -> list[MemberStatus]:
        """Return all members of a group with their verdicts, in no particular order.

        Members that left are not listed; those that crashed are, as down.

        :raises DriverUnavailable: the store did not answer
        """
        check_text("group id", group_id)
        observer = self._running().observer
        return list(observer.judged(observer.look(group_id)))

    def groups(self) -> list[str]:
        """Return the names of the groups that have members, sorted.

        :raises DriverUnavailable: the store did not answer
        """
        return self._running().door.groups()

    def findings(self) -> list[Finding]:
        """Return what the driver has to say of its store, such as what is near its limits.

        :raises DriverUnavailable: the store did not answer
        """
        return self._running().door.findings()

    def readiness(self) -> list[Readiness]:
        """Return how far each group also reports to each driver of ``report_to``.

        One look at each of both stores per group. A further store that does not answer is told in
        its :class:`~servicegroup.readiness.Readiness`.

        :raises DriverUnavailable: the store that members are judged by did not answer
        """
        process = self._running()
        return [
            one
            for name, door in process.further.items()
            for one in readiness(name, Observer(door, None, self.settings.limits), self.roster)
        ]

    def listen(self, told: Callable[[str, str, float, BaseException | None], None]) -> None:
        """See :meth:`servicegroup.process.Process.listen`: for the library's own faces."""
        self._running().listen(told)

    def watch(self, group_id: str) -> Watch:
        """Return a live view of a group and iterator over its changes; close it when done.

        Waits for the first load, a few seconds at most: a view that could not be loaded is not
        fresh, and becomes so when the store answers.

        :raises ConfigurationError: it never will as configured, such as a database without tables
        """
        check_text("group id", group_id)
        return self._running().watch(group_id)

    @property
    def services(self) -> Services:
        """The service records.

        :raises ConfigurationError: none are in use
        """
        return tables.services(self._running())

    @property
    def roster(self) -> Roster:
        """Everybody there is, whether or not service records are in use."""
        process = self._running()
        services = None if process.records is None else self.services
        return Roster(services, process.door, process.observer, self.leave)

    @property
    def conductors(self) -> Conductors:
        """The conductors and the nodes that they serve; the same object each time."""
        from servicegroup.conductors import Conductors

        process = self._running()
        with self._lock:
            fleet = self._fleet
            if fleet is None or fleet[0] is not process:
                conductors = Conductors(
                    self.settings,
                    lambda: self.inventory,
                    self.get_members,
                    self.watch,
                    self.join,
                )
                self._fleet = fleet = (process, conductors)
            return fleet[1]

    @property
    def hypervisors(self) -> Hypervisors:
        """The hypervisors, with the state of the services that run them.

        :raises ConfigurationError: there is no inventory
        """
        from servicegroup.hypervisors import Hypervisors

        roster = self.roster
        return Hypervisors(
            self.settings.hypervisor_group,
            self.settings.host,
            self.inventory,
            lambda group_id: roster.list(group_id, left=True),
        )

    @property
    def inventory(self) -> Inventory:
        """Who keeps the nodes and hypervisors: what was given, else tables in the database.

        :raises ConfigurationError: none was given, and no database is in use
        """
        if self._own_inventory is not None:
            return self._own_inventory
        return tables.inventory(self._running())

    # -- life ---------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether it was closed: nothing can be asked of it any more."""
        return self._closed

    def close(self) -> None:
        """Leave all groups, end all watches and threads. Idempotent.

        Returns within ``stop_deadline`` also while the store does not answer.
        """
        with self._lock:
            process, self._process = self._process, None
            self._closed = True
        lifetime.end(self)
        if process is None or process.pid != os.getpid():
            return
        process.close(self.settings.stop_deadline)

    def __enter__(self) -> ServiceGroup:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def after_fork(self) -> None:
        """Start anew in a forked child: called by the library itself."""
        self._lock = threading.RLock()
        process, self._process = self._process, None
        if process is None:
            return
        # Never finalised: closing an inherited connection would hang up the parent's.
        lifetime.keep(process)
        process.inherited()

    def _running(self) -> Process:
        process = self._process
        if process is not None:
            return process
        with self._lock:
            if self._closed:
                raise ServiceGroupError(CLOSED)
            if self._process is None:
                self._process = self._made()
            return self._process

    def _made(self) -> Process:
        return Process(self._conf, self.settings, self._kind, self._further)

    def _verdict(
        self, group_id: str, member_id: str, max_age: float, *, counted: bool = True
    ) -> Liveness:
        check_text("group id", group_id)
        check_text("member id", member_id)
        glances = self._running().glances
        verdict = glances.verdict(group_id, member_id, max_age, counted=counted)
        return Liveness(State.DOWN, Cause.NO_MEMBER) if verdict is None else verdict


def _driver_name(conf: cfg.ConfigOpts) -> str:
    name: str = conf[config.GROUP].driver
    return name
