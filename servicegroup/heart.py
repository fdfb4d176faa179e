"""The heart: keeps the members of this process alive in every store it reports to.

Its own thread only keeps time and never waits for a store: each store is talked to on a thread of
its :class:`servicegroup.report.Report`, so that ``lost`` fires in time also when a store hangs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from servicegroup.bounded import BoundedCaller
from servicegroup.clock import boottime
from servicegroup.config import Settings
from servicegroup.door import CLOSED
from servicegroup.driver import Loss, Lost
from servicegroup.exceptions import DriverUnavailable, ServiceGroupError
from servicegroup.flaps import Flaps, came_back
from servicegroup.forget import Forgetter
from servicegroup.health import HealthCheck
from servicegroup.membership import Health, Membership, OnLost
from servicegroup.model import Member, check_attributes, storable_text
from servicegroup.observer import Observer
from servicegroup.report import Key, Report, key_of
from servicegroup.status import in_words

if TYPE_CHECKING:
    from servicegroup.guardian.handle import Guardian

LOG = logging.getLogger(__name__)

#: ``lost`` fires this share of the limit before others may call the member down.
MARGIN = 0.1


class Heart:
    """All memberships of one process.

    :param reports: to the store that they are judged by, then to that of their records, if it is
        another one
    :param further: to stores that others may judge them by. What these do changes nothing here:
        nothing waits for them, and a member that one of them loses is only no longer reported to it
    """

    def __init__(
        self,
        settings: Settings,
        reports: Sequence[Report],
        observer: Observer,
        guardian: Guardian | None = None,
        further: Sequence[Report] = (),
    ) -> None:
        self._settings = settings
        self._guardian = guardian
        self._reports = reports
        self._further = further
        self._everywhere = [*reports, *further]
        self._judged = reports[0]
        self._forgetter: Forgetter | None = None
        if settings.forget_after is not None:
            self._forgetter = Forgetter(
                self._judged.door, observer, settings.forget_after, lambda: list(self._memberships)
            )
        self._memberships: dict[Key, Membership] = {}
        self._checks: dict[Key, HealthCheck] = {}
        self._tell = BoundedCaller("servicegroup-callbacks")
        self._wake = threading.Condition()
        self._woken = False
        self._thread = threading.Thread(
            target=self._beat_on, name="servicegroup-heart", daemon=True
        )
        self._stopped = False
        self._first_joined = float("-inf")
        self._out_of_sight: list[Membership] = []  # who was told that others cannot see it
        self._recoveries = 0
        self._answers = 0  # the judged store's recoveries, when its members were seen last
        for report in self._everywhere:
            report.landed = self._rouse

    def join(
        self,
        member: Member,
        *,
        wait: bool = True,
        on_lost: OnLost | None = None,
        health: Health | None = None,
    ) -> Membership:
        """Desire *member*, then store it; see :meth:`servicegroup.ServiceGroup.join`."""
        key, membership = key_of(member), Membership(self, member, on_lost)
        with self._wake:
            if self._stopped:
                raise ServiceGroupError(CLOSED)
            if key in self._memberships:
                raise ServiceGroupError(
                    f"this process is already member {member.member_id!r} of group "
                    f"{member.group_id!r}; leave first, or use update()"
                )
            if not self._memberships:
                self._first_joined = boottime()
            self._memberships[key] = membership
            for report in self._everywhere:
                report.want(member, changed=False)
        if self._guardian is not None:
            self._guardian.start(boottime())
        if wait:
            self._store(membership, key)
            if self._guardian is not None:
                self._guardian.wait()
        if health is not None:
            check = HealthCheck(key[1], health, self._settings.report_interval, self._rouse)
            with self._wake:
                if self._memberships.get(key) is membership:
                    self._checks[key] = check
        try:
            self._run()
        except RuntimeError:  # no thread can be had that would beat on
            self.leave(membership)
            raise
        return membership

    def membership(self, group_id: str, member_id: str) -> Membership | None:
        """Return this process's own membership under these ids, if it holds one."""
        return self._memberships.get((group_id, member_id))

    def update(self, membership: Membership, attributes: Mapping[str, Any]) -> None:
        """Store new attributes of a member; see :meth:`Membership.update`."""
        checked = check_attributes(attributes)
        self._require(membership)
        self._change(membership, attributes=checked)
        self._flush()
        self._require(membership)

    def leave(self, membership: Membership) -> bool:
        """Take a member out; see :meth:`Membership.leave`."""
        if membership.ended:
            return True
        self._forget(membership, leave=True)
        membership.tell_left()
        try:
            for report in self._reports:
                report.flush(min(report.patience, self._settings.stop_deadline))
        except DriverUnavailable as error:
            LOG.warning("leaving is not confirmed and will be tried again: %s", error)
            self._run()
            return False
        self._rouse()  # the further ones are told by the heart
        return True

    def step_down(self, membership: Membership, reason: str, attributes: Mapping[str, Any]) -> bool:
        """Take a member out, but leave it listed; see :meth:`Membership.step_down`."""
        checked = check_attributes(attributes)
        self._require(membership)
        with self._wake:
            self._unchecked(membership)  # or it would soon be called well
            self._change(membership, attributes=checked, withdrawn=storable_text(reason))
        try:
            self._flush()
        except DriverUnavailable as error:
            LOG.warning("stepping down is not confirmed and will be tried again: %s", error)
            return False
        self._forget(membership, leave=False)
        membership.tell_left()
        return True

    @property
    def _patience(self) -> float:
        """Seconds after the last beat for which others can be sure to see the members alive."""
        limit = min(self._settings.service_down_time, self._judged.door.ends_after)
        return limit * (1 - MARGIN)

    @property
    def beats(self) -> bool:
        """Whether this process has members, and so a beat."""
        return bool(self._memberships)

    def in_contact(self) -> bool:
        """Whether the last beat is recent enough for others to see the members alive."""
        return boottime() < self._judged.heard_at + self._patience

    def stop(self, deadline: float) -> None:
        """Leave with all members and end all threads, within *deadline* seconds."""
        until = boottime() + deadline
        with self._wake:
            self._stopped = True
            self._wake.notify_all()
        left, clean = list(self._memberships.values()), True
        for check in list(self._checks.values()):
            check.close()
        for membership in left:
            self._forget(membership, leave=True)
            membership.tell_left()
        for flushed in [report.flushed() for report in self._everywhere if report.busy]:
            try:
                flushed(max(0.05, until - boottime()))
            except Exception as error:
                clean = False
                if left:
                    LOG.warning(
                        "could not leave with %d members: %s; they go down by their age",
                        len(left),
                        error,
                        exc_info=None if isinstance(error, ServiceGroupError) else error,
                    )
        for report in self._everywhere:
            report.close()
        if self._guardian is not None:
            self._guardian.dismiss(clean=clean)
        self._tell.close()
        if self._forgetter is not None:
            self._forgetter.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(max(0.05, until - boottime()))

    def inherited(self) -> None:
        """Tell the memberships that they stayed with the parent of a fork. Touches nothing else."""
        self._stopped = True
        for membership in self._memberships.values():
            membership.inherited()

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        with self._wake:
            if self._thread.ident is None and not self._stopped:
                self._thread.start()
        self._rouse()

    def _rouse(self) -> None:
        with self._wake:
            self._woken = True
            self._wake.notify_all()

    def _beat_on(self) -> None:
        while not self._stopped:
            try:
                until = self.step(boottime())
            except Exception:
                LOG.exception("the heart missed a step")
                until = boottime() + self._settings.report_interval
            with self._wake:
                if not self._woken and not self._stopped:
                    self._wake.wait(max(0.0, min(until - boottime(), 3600.0)))
                self._woken = False

    def step(self, now: float) -> float:
        """Do what is due at *now*; returns when to come back."""
        until = float("inf")
        if self._guardian is not None and self._memberships:
            self._guardian.step(now)
        for report in self._reports:
            lost, again = report.step(now)
            for one in lost:
                self._lost(one)
            until = min(until, again)
        recoveries = sum(report.recoveries for report in self._reports)
        if recoveries != self._recoveries:  # whichever it was, no store waits for its turn now
            self._recoveries = recoveries
            for report in self._reports:
                report.hurry()
            until = now
        if self._forgetter is not None and self._memberships:
            until = min(until, self._forgetter.step(now))
        for key, check in list(self._checks.items()):
            reason = check.step(now)
            with self._wake:  # it ends with the membership, or before
                if not check.ended and reason != self._memberships[key].member.withdrawn:
                    self._withdraw(self._memberships[key], reason)
            until = min(until, check.due)
        until = min(until, self._contact(now))
        for report in self._further:
            lost, again = report.step(now)
            for one in lost:
                self._lost_elsewhere(report, one)
            until = min(until, again)
        return until

    def _contact(self, now: float) -> float:
        """Tell the members when they cannot be seen any more, and when they can again."""
        if not self._memberships:
            return float("inf")
        expires = max(self._judged.heard_at, self._first_joined) + self._patience
        if now < expires:
            we_paused = self._judged.recoveries == self._answers  # the store answered all the while
            self._answers = self._judged.recoveries
            out_of_sight, self._out_of_sight = self._out_of_sight, []
            for membership in out_of_sight:
                if membership.lost.is_set() and not membership.ended:
                    LOG.warning("%r is seen again", membership)
                    membership.tell_recovered()
                    if we_paused:
                        self._change(membership, flaps=self._came_back(membership))
            return expires
        silent = now - self._judged.heard_at
        since = f"for {in_words(silent)}" if silent < float("inf") else "yet"
        for membership in list(self._memberships.values()):
            if not membership.lost.is_set():
                self._out_of_sight.append(membership)
                reason = f"no beat of this process was stored {since}"
                LOG.error("%r: %s; others may soon call it down", membership, reason)
                self._call_back(membership.tell_lost(reason, for_good=False))
        return float("inf")

    # -- changes ------------------------------------------------------------------------------

    def _store(self, membership: Membership, key: Key) -> None:
        """Join now; on failure nothing stays behind, not even later."""
        try:
            for one in self._judged.flush(self._judged.patience):
                self._lost(one)
            stored = self._judged.stored(key)
            if stored is not None:
                membership.member = stored
        except BaseException as error:
            self._forget(membership, leave=True)
            if isinstance(error, DriverUnavailable) or not isinstance(error, ServiceGroupError):
                # The store may have taken it without our hearing so: leave as soon as it answers.
                self._judged.doubt(key)
                self._run()
            raise

    def _change(self, membership: Membership, **changes: Any) -> None:
        with self._wake:
            if membership.ended:
                return
            member = membership.member
            member = member._replace(**changes, revision=member.revision + 1)
            membership.member = member
            for report in self._everywhere:
                report.want(member, changed=True)

    def _withdraw(self, membership: Membership, reason: str | None) -> None:
        if reason is not None:
            LOG.error("%r withdraws: %s", membership, reason)
            self._change(membership, withdrawn=reason)
            return
        LOG.warning("%r is well again", membership)
        self._change(membership, withdrawn=None, flaps=self._came_back(membership))

    def _came_back(self, membership: Membership) -> Flaps | None:
        member = membership.member
        now = self._judged.wall_time(key_of(member))
        return member.flaps if now is None else came_back(member.flaps, now)

    def _flush(self) -> None:
        try:
            for one in self._judged.flush(self._judged.patience):
                self._lost(one)
        finally:
            self._run()

    def _lost(self, lost: Lost) -> None:
        key = key_of(lost.member)
        membership = self._memberships.get(key)
        if membership is None or membership.ended:
            return
        if lost.loss is Loss.REMOVED and self._settings.rejoin_removed:
            LOG.warning("%r was removed by an operator: joining again", membership)
            for report in self._everywhere:
                report.forget(key)
            return
        self._forget(membership, leave=False)
        LOG.error("%r is no longer a member and stops beating: %s", membership, lost.reason)
        self._call_back(membership.tell_lost(lost.reason, for_good=True))

    def _lost_elsewhere(self, report: Report, lost: Lost) -> None:
        key = key_of(lost.member)
        if lost.loss is Loss.REMOVED and self._settings.rejoin_removed:
            report.forget(key)
            return
        report.drop(key, leave=False)
        if (membership := self._memberships.get(key)) is not None:
            name, reason = report.door.name, lost.reason
            LOG.error("%r is a member still, but not in %s any more: %s", membership, name, reason)

    def _forget(self, membership: Membership, *, leave: bool) -> None:
        key = key_of(membership.member)
        with self._wake:
            if self._memberships.get(key) is membership:
                del self._memberships[key]
                self._unchecked(membership)
                for report in self._reports:
                    report.drop(key, leave=leave)
                for report in self._further:  # of the loss, if it is one, they need not know
                    report.drop(key, leave=True)

    def _unchecked(self, membership: Membership) -> None:
        """End the questions about its health."""
        check = self._checks.pop(key_of(membership.member), None)
        if check is not None:
            check.close()

    def _require(self, membership: Membership) -> None:
        if membership.ended:
            raise ServiceGroupError(f"{membership!r} is no longer a member: join again")

    def _call_back(self, callback: Any) -> None:
        if callback is not None:
            self._tell.tell(callback, "the on_lost callback")
