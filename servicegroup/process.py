"""What belongs to one process and must not cross a fork."""

from __future__ import annotations

import logging
import os
import uuid
import weakref

from oslo_config import cfg

from servicegroup import config, loading
from servicegroup.bounded import BoundedCaller, CallTimeout
from servicegroup.bystander import Bystander
from servicegroup.clock import boottime
from servicegroup.door import Door
from servicegroup.driver import Capability, Context, Driver
from servicegroup.exceptions import NotSupported, ServiceGroupError
from servicegroup.guardian.handle import REASON, Guardian
from servicegroup.heart import Heart
from servicegroup.observer import Observer
from servicegroup.report import Report
from servicegroup.watch import Watch
from servicegroup.will import LastWill

LOG = logging.getLogger(__name__)

#: Seconds: what closing a client always gets, even if leaving took the whole deadline.
SHORTEST_STOP = 0.1


class Process:
    """Clients, threads and an identity. A forked child makes its own, and keeps this untouched."""

    def __init__(self, conf: cfg.ConfigOpts, settings: config.Settings, kind: type[Driver]) -> None:
        self.pid = os.getpid()
        self.instance_id = str(uuid.uuid4())
        context = Context(conf, settings, self.instance_id)
        self.door = Door(settings.driver, kind(context))
        self.records: Door | None = None
        reports = [self._report(self.door, settings, settings.report_interval)]
        if Capability.RECORDS in self.door.capabilities:
            self.records = self.door
        elif settings.use_records:
            self.records = Door("db", _records_driver(conf)(context))
            reports.append(self._report(self.records, settings, settings.record_interval))
        self.observer = Observer(self.door, self.records, settings.limits)
        guardian = None
        if settings.guardian and Capability.READ_ONLY not in self.door.capabilities:
            guardian = Guardian(self._last_wills, settings.service_down_time)
        self.heart = Heart(settings, reports, self.observer, guardian)
        interval = min(settings.poll_interval, settings.report_interval)
        self.bystander = Bystander(self.door, interval, lambda: self.heart.beats)
        self.watches: weakref.WeakSet[Watch] = weakref.WeakSet()

    def _report(self, door: Door, settings: config.Settings, interval: float) -> Report:
        return Report(door, self.instance_id, interval, settings.call_timeout, boottime)

    def _last_wills(self) -> list[LastWill]:
        wills = [door.last_will(REASON) for door in self.doors()]
        offered = [will for will in wills if will is not None]
        if not offered:
            raise NotSupported(f"driver {self.door.name!r} offers no last will")
        return offered

    def doors(self) -> list[Door]:
        """All stores that this process talks to."""
        return [self.door] if self.records in (None, self.door) else [self.door, self.records]

    def close(self, deadline: float) -> None:
        """Leave everything, end all threads and close all clients, within *deadline* seconds."""
        until = boottime() + deadline
        watches = list(self.watches)
        for watch in watches:
            watch.close(0)
        self.bystander.close()
        self.heart.stop(max(0.0, deadline - SHORTEST_STOP))
        for watch in watches:
            watch.close(max(0.0, until - boottime()))
        for door in self.doors():
            _stop(door, max(SHORTEST_STOP, until - boottime()))

    def inherited(self) -> None:
        """Tell, in a forked child, what is held of this that it stayed with the parent."""
        for watch in list(self.watches):
            watch.inherited()
        self.heart.inherited()


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
