"""What belongs to one process and must not cross a fork."""

from __future__ import annotations

import functools
import logging
import os
import uuid
from collections.abc import Callable, Mapping

from oslo_config import cfg

from servicegroup import config, loading
from servicegroup.bounded import BoundedCaller, CallTimeout
from servicegroup.bystander import Bystander
from servicegroup.clock import boottime
from servicegroup.door import CLOSED, Door
from servicegroup.driver import Capability, Context, Driver
from servicegroup.exceptions import (
    ConfigurationError,
    MemberExists,
    NotSupported,
    ServiceGroupError,
)
from servicegroup.glances import Glances
from servicegroup.heart import Heart
from servicegroup.model import Member, State
from servicegroup.observer import Observer
from servicegroup.report import Report
from servicegroup.seats import Seats
from servicegroup.watch import Watch
from servicegroup.will import LastWill

LOG = logging.getLogger(__name__)

#: Seconds: what closing a client always gets, even if leaving took the whole deadline.
SHORTEST_STOP = 0.1
#: What is said in the log of stores that nobody here is judged by.
ASIDE = " (report_to: no verdict here depends on it)"


class Process:
    """Clients, threads and an identity. A forked child makes its own, and keeps this untouched.

    :param kind: the driver that members are judged by
    :param further: those that they are only reported to, by name
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        settings: config.Settings,
        kind: type[Driver],
        further: Mapping[str, type[Driver]],
    ) -> None:
        self._settings = settings
        self.pid = os.getpid()
        self.instance_id = str(uuid.uuid4())
        context = Context(conf, settings, self.instance_id)
        self.door = Door(settings.driver, kind(context))
        self.records: Door | None = None
        reports = [self._report(self.door, settings, settings.report_interval)]
        if Capability.RECORDS in self.door.capabilities:
            self.records = self.door
        elif settings.use_records:
            records = _records_driver(conf)
            self.records = Door("db", records(context))
            # Where others judge by it, it must be told as often as they expect.
            judges = records in further.values()
            interval = settings.report_interval if judges else settings.record_interval
            reports.append(self._report(self.records, settings, interval))
        #: The stores of ``report_to``; that of the records may be one of them.
        self.further = {name: self._further(name, one, context) for name, one in further.items()}
        self.observer = Observer(self.door, self.records, settings.limits)
        self.glances = Glances(self.observer)
        guardian = None
        if settings.guardian and Capability.READ_ONLY not in self.door.capabilities:
            from servicegroup.guardian.handle import Guardian

            guardian = Guardian(self._last_wills, settings.service_down_time)
        pace = settings.report_interval
        aside = [self._report(door, settings, pace, standing=ASIDE) for door in self.aside]
        #: Numbers of this process among the workers of this host, kept until the end.
        self.seats = Seats()
        self.heart = Heart(settings, reports, self.observer, guardian, aside)
        interval = min(settings.poll_interval, settings.report_interval)
        self.bystander = Bystander(self.door, interval, lambda: self.heart.beats)
        self.watches: set[Watch] = set()
        self._closed = False

    def _report(
        self, door: Door, settings: config.Settings, interval: float, *, standing: str = ""
    ) -> Report:
        timeout = settings.call_timeout
        return Report(door, self.instance_id, interval, timeout, boottime, standing=standing)

    def _further(self, name: str, kind: type[Driver], context: Context) -> Door:
        if self.records is not None and isinstance(self.records.driver, kind):
            return self.records
        driver = kind(context)
        if Capability.READ_ONLY in driver.capabilities:
            raise ConfigurationError(
                f"[{config.GROUP}] report_to={name!r} cannot be: that driver only reads, its "
                f"members come from elsewhere; leave it out"
            )
        return Door(name, driver)

    def _last_wills(self, reason: str) -> list[LastWill]:
        wills = [door.last_will(reason) for door in self._judging()]
        for door in self.aside:
            try:
                wills.append(door.last_will(reason))
            except Exception as error:  # noqa: BLE001 - the others are worth a guardian
                LOG.warning("nobody can speak for this process in %s: %s", door.name, error)
        offered = [will for will in wills if will is not None]
        if not offered:
            raise NotSupported(f"driver {self.door.name!r} offers no last will")
        return offered

    def doors(self) -> list[Door]:
        """All stores that this process talks to."""
        return [*self._judging(), *self.aside]

    def listen(self, told: Callable[[str, str, float, BaseException | None], None]) -> None:
        """Have *told* called after each call of a store, as its door does, with the driver first.

        Who listened first stays; a forked child's stores are others.
        """
        for door in self.doors():
            if door.told is None:
                door.told = functools.partial(told, door.name)

    def watch(self, group_id: str) -> Watch:
        """Open a watch, which is closed with this; see :meth:`servicegroup.ServiceGroup.watch`."""
        watch = Watch(
            group_id,
            self.door,
            self.observer,
            self._settings,
            bystander=self.bystander,
            closed=self.watches.discard,
        )
        self.watches.add(watch)
        try:
            if self._closed:
                raise ServiceGroupError(CLOSED)
            watch.start(self._settings.stop_deadline)
        except BaseException:
            watch.close(0)
            raise
        return watch

    def refuse_if_alive(self, member: Member) -> None:
        """Look whether another life holds this member id.

        :raises MemberExists: it does, and is not known to be dead
        """
        for status in self.observer.each(self.observer.look(member.group_id, [member.member_id])):
            if status.state is not State.DOWN:
                raise MemberExists(
                    f"member {member.member_id!r} of group {member.group_id!r} is held by process "
                    f"{status.process_id} on host {status.hostname} ({status.reason}); stop that "
                    f"one, choose another member id, or join with takeover=True"
                )

    def remove(self, group_id: str, member_id: str) -> bool:
        """Take a member out of every store, whoever holds it; returns whether there was one."""
        there = [door.remove(group_id, member_id) for door in self._judging()]
        return self.remove_aside(group_id, member_id) or any(there)

    def remove_aside(self, group_id: str, member_id: str) -> bool:
        """Take a member out of the stores that nobody here is judged by; never raises for them."""
        there = False
        for door in self.aside:
            try:
                there |= door.remove(group_id, member_id)
            except ServiceGroupError as error:
                LOG.warning("%s/%s may still be in %s: %s", group_id, member_id, door.name, error)
        return there

    @property
    def aside(self) -> list[Door]:
        """The stores that are reported to, and that no verdict here depends on."""
        return [door for door in self.further.values() if door is not self.records]

    def _judging(self) -> list[Door]:
        return [self.door] if self.records in (None, self.door) else [self.door, self.records]

    def close(self, deadline: float) -> None:
        """Leave everything, end all threads and close all clients, within *deadline* seconds."""
        until = boottime() + deadline
        self._closed = True
        watches = list(self.watches)
        for watch in watches:
            watch.close(0)
        self.bystander.close()
        self.heart.stop(max(0.0, deadline - SHORTEST_STOP))
        for watch in watches:
            watch.close(max(0.0, until - boottime()))
        for door in self.doors():
            door.retire(CLOSED)
            _stop(door, max(SHORTEST_STOP, until - boottime()))
        self.seats.free()

    def inherited(self) -> None:
        """Tell, in a forked child, what is held of this that it stayed with the parent."""
        for watch in list(self.watches):
            watch.inherited()
        self.heart.inherited()
        for door in self.doors():
            door.inherited()


def _records_driver(conf: cfg.ConfigOpts) -> type[Driver]:
    kind = loading.load("db")
    loading.register_options(conf, kind)
    return kind


def _stop(door: Door, timeout: float) -> None:
    caller = BoundedCaller(f"servicegroup-stop-{door.name}")
    try:
        caller.call(door.stop, timeout)
    except (ServiceGroupError, CallTimeout) as error:
        LOG.warning("driver %s was not closed in time: %s", door.name, error)
    except Exception:
        LOG.exception("closing driver %s failed", door.name)
    finally:
        caller.close()
