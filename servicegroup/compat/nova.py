"""Nova's ``nova.servicegroup.api``: ``from servicegroup.compat.nova import API``.

Nova's row decides as ever, and beside it the driver of ``[servicegroup] driver``, once that
option is set in ``nova.conf``: who is down by either is down.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

from servicegroup import config
from servicegroup.compat.shared import chosen, shared
from servicegroup.compat.times import in_utc, utcnow
from servicegroup.exceptions import InvalidMember
from servicegroup.liveness import within
from servicegroup.membership import Membership
from servicegroup.model import State
from servicegroup.status import Cause, Liveness

LOG = logging.getLogger(__name__)

#: Seconds between joining and the first report, whatever the interval (Nova's bug 1226370).
INITIAL_REPORTING_DELAY = 5
#: Seconds for which one look at a topic answers all questions: a scheduler asks for every host.
LOOK_LASTS = 1.0
GONE = (
    "The services table record for the %s service on host %s is gone. You either need to stop this "
    "service if it should be deleted or restart it to recreate the record in the database."
)


class API:
    """What Nova's services call. Made as often as one likes: all share one ServiceGroup."""

    def __init__(self, *args: Any, conf: cfg.ConfigOpts | None = None, **kwargs: Any) -> None:
        conf = importlib.import_module("nova.conf").CONF if conf is None else conf
        interval, down = conf.report_interval, conf.service_down_time
        if down <= interval:
            longer = int(interval * 2.5)
            LOG.warning("service_down_time %s must exceed %s: it is now %s", down, interval, longer)
            conf.set_override("service_down_time", longer)
        self._driver = Driver(conf, *args, **kwargs)

    def join(self, member: str, group: str, service: Any = None) -> Membership | None:
        """Report the service as *member* (its host) of *group* (its topic) from now on."""
        return self._driver.join(member, group, service)

    def leave(self, group_id: str, member: str) -> bool:
        """Free what the driver keeps of a service that was deleted; returns whether it did."""
        return self._driver.leave(group_id, member)

    def service_is_up(self, member: Mapping[str, Any]) -> bool:
        """Whether a service (a Service object or a dictionary) is up; forced down is not."""
        return False if member.get("forced_down") else self._driver.is_up(member)

    def get_updated_time(self, member: Mapping[str, Any]) -> Any:
        """Return when the service was last heard: Nova's ``updated_at``, or a later beat."""
        return self._driver.updated_time(member)


class Driver:
    """The surface of Nova's drivers."""

    def __init__(self, conf: cfg.ConfigOpts, *_: Any, **__: Any) -> None:
        self.service_down_time = conf.service_down_time
        self._group = None
        config.register(conf)
        if chosen(conf, "driver"):
            own = {name: conf[name] for name in ("host", "report_interval", "service_down_time")}
            self._group = shared(conf, "[DEFAULT] service_down_time", **own)
            records = self._group.settings.record_down_time
            self.service_down_time = max(conf.service_down_time, records)

    def join(self, member: str, group: str, service: Any = None) -> Membership | None:
        """Start the row's reports, and join; workers of one host are one member together."""
        if service is None:
            raise RuntimeError("service is a mandatory argument")
        if not (interval := service.report_interval):
            return None
        joined, delay = None, INITIAL_REPORTING_DELAY
        if self._group is not None:  # the row is the slower sign of life, beside the driver
            interval = max(interval, self._group.settings.record_interval)
            joined = self._group.join(group, member, name=service.binary, worker=True, wait=False)
        service.tg.add_timer_args(interval, self._report_state, args=[service], initial_delay=delay)
        return joined

    def leave(self, group_id: str, member: str) -> bool:
        """Remove what the driver keeps of it; Nova's row is Nova's."""
        return self._group is not None and self._group.leave(group_id, member)

    def is_up(self, service_ref: Mapping[str, Any]) -> bool:
        """Judge by the row, then by the driver; where that can say neither, the row stands.

        :raises InvalidMember: the row holds no time, and nobody else can say
        """
        heard = in_utc(service_ref.get("last_seen_up") or service_ref.get("created_at"))
        if heard is not None:
            elapsed = (utcnow() - heard).total_seconds()
            if not within(abs(elapsed), self.service_down_time):
                LOG.debug("%s is down: heard at %s, %s s ago", _who(service_ref), heard, elapsed)
                return False
        verdict = self._verdict(service_ref)
        if verdict.state is State.UNKNOWN and heard is None:
            why = f"it has neither last_seen_up nor created_at ({verdict.reason})"
            raise InvalidMember(f"nothing says whether {_who(service_ref)} is up: {why}")
        return verdict.state is not State.DOWN

    def updated_time(self, service_ref: Mapping[str, Any]) -> Any:
        """Return the row's ``updated_at``, or the time of the last beat if that is later."""
        heard, updated = self._verdict(service_ref).heard, service_ref["updated_at"]
        before = in_utc(updated)
        return updated if heard is None or (before and before > heard) else heard

    def _verdict(self, service_ref: Mapping[str, Any]) -> Liveness:
        if self._group is None:
            return Liveness(State.UNKNOWN, Cause.UNREACHABLE, detail="no driver is set")
        return self._group.liveness(service_ref["topic"], service_ref["host"], max_age=LOOK_LASTS)

    def _report_state(self, service: Any) -> None:
        row, was_away = service.service_ref, getattr(service, "model_disconnected", False)
        try:
            row.report_count += 1
            row.save()
        except Exception as error:  # one that escaped would end the timer for good
            service.model_disconnected = True
            kinds = {kind.__name__ for kind in type(error).__mro__}
            if "ServiceNotFound" in kinds:
                LOG.error(GONE, row.binary, row.host)
            elif "MessagingTimeout" not in kinds:
                LOG.exception("Unexpected error while reporting service status")
            elif not was_away:
                LOG.warning("Lost connection to nova-conductor for reporting service status.")
        else:
            service.model_disconnected = False
            if was_away:
                LOG.info("Recovered from being unable to report status.")


def _who(service_ref: Mapping[str, Any]) -> str:
    # Only when it is needed: a Service object may load what it lacks.
    return f"{service_ref.get('binary')} on {service_ref.get('host')}"
