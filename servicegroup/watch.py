"""Watching a group: a live view in memory, and the events of its changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator

from servicegroup.bounded import BoundedCaller, CallTimeout
from servicegroup.bystander import Bystander
from servicegroup.clock import boottime
from servicegroup.config import Settings
from servicegroup.door import Door
from servicegroup.driver import Capability
from servicegroup.exceptions import ConfigurationError, LivenessUnknown, ServiceGroupError
from servicegroup.model import Sighting, State
from servicegroup.observer import Look, Observer
from servicegroup.picture import Picture
from servicegroup.status import Cause, Event, Liveness, MemberStatus
from servicegroup.unsure import RAISE, Unknown
from servicegroup.workers import MARK, place

LOG = logging.getLogger(__name__)

#: Looks that may fail or be late before the view counts as stale.
MISSED_LOOKS = 3
#: A look is several requests at most.
REQUESTS = 3


class Watch:
    """A view of one group that follows its changes, and an iterator over them.

    Iterating yields JOINED for each member first, then READY, then changes as they happen; it ends
    when the watch is closed. One consumer iterates; the view may be read from any thread.
    """

    def __init__(
        self,
        group_id: str,
        door: Door,
        observer: Observer,
        settings: Settings,
        *,
        bystander: Bystander,
        closed: Callable[[Watch], None],
    ) -> None:
        self.group_id = group_id
        self._door = door
        self._observer = observer
        self._settings = settings
        self._on_closed = closed
        self._limit = settings.service_down_time
        self._picture = Picture(group_id, settings.service_down_time)
        self._up = self._picture.up
        self._fresh_until = float("-inf")
        self._view_until = float("-inf")  # fresh so long by the last look, if the thread lives on
        self._awake_at = boottime()
        self._lock = threading.Condition()
        self._ready = False
        self._closed = False
        self._asked: set[str] | None = set()
        self._caller = BoundedCaller("servicegroup-watch-look")
        self._unwatch: Callable[[], None] | None = None
        self._full_at = float("-inf")
        self._failing_since: float | None = None
        self._unusable: ConfigurationError | None = None
        self._workers: set[str] = set()  # ids of those seen, but for the first of each member
        self._records: dict[str, Sighting] = {}  # kept apart from the driver, as last read
        # Seconds of failing looks after which the view is stale. A native watch's view lasts longer
        # while nothing fails, but not once something does.
        self._trouble = max(MISSED_LOOKS * settings.poll_interval, settings.report_interval)
        self._soon = min(settings.poll_interval, settings.report_interval)
        self._bystander = bystander
        self._thread = threading.Thread(target=self._run, name="servicegroup-watch", daemon=True)

    # -- the view -----------------------------------------------------------------------------

    def is_up(self, member_id: str, *, unknown: Unknown = RAISE) -> bool:
        """Whether the member is up, from memory; an unknown id is not.

        :param unknown: what to answer when the verdict is unknown or the view is not fresh
        :raises LivenessUnknown: in that case, if *unknown* is ``RAISE``
        """
        if boottime() <= self._fresh_until:
            up = self._up.get(member_id, False)
            if up is not None:
                return up
        if unknown is RAISE:
            raise LivenessUnknown(f"member {member_id!r}: {self.liveness(member_id).reason}")
        return bool(unknown)

    def liveness(self, member_id: str) -> Liveness:
        """Return the verdict on one member, from memory."""
        with self._lock:
            status = self._picture.status(member_id, boottime())
        if not self.fresh:
            return self._stale_verdict()
        return Liveness(State.DOWN, Cause.NO_MEMBER) if status is None else status.liveness

    @property
    def members(self) -> list[MemberStatus]:
        """All members of the group, from memory; ``unknown`` while the view is stale."""
        with self._lock:
            statuses = self._picture.statuses(boottime())
        if self.fresh:
            return statuses
        verdict = self._stale_verdict()
        return [status._replace(liveness=verdict) for status in statuses]

    @property
    def fresh(self) -> bool:
        """Whether the view is current: the store could be read lately."""
        return boottime() <= self._fresh_until

    @property
    def stale_for(self) -> float:
        """Seconds since the view was fresh: 0 while it is, infinite if it never was, or is closed.

        So an empty :attr:`members` that was read can be told from one that was not.
        """
        return max(0.0, boottime() - self._fresh_until)

    @property
    def closed(self) -> bool:
        """Whether it was closed: it follows nothing any more."""
        return self._closed

    # -- the events ---------------------------------------------------------------------------

    def next_event(self, timeout: float | None = None) -> Event | None:
        """Wait for the next event; ``None`` after *timeout* seconds or once closed."""
        until = float("inf") if timeout is None else boottime() + timeout
        with self._lock:
            while True:
                event = None if self._closed else self._picture.next_event()
                left = until - boottime()
                if event is not None or self._closed or left <= 0:
                    return event
                self._lock.wait(None if timeout is None else left)

    def __iter__(self) -> Iterator[Event]:
        while (event := self.next_event()) is not None:
            yield event

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- life ---------------------------------------------------------------------------------

    def start(self, wait: float) -> None:
        """Begin to look; waits up to *wait* seconds for the first load.

        :raises ConfigurationError: the store can never be read as configured; the watch is closed
        """
        self._thread.start()
        with self._lock:
            self._lock.wait_for(self._settled, wait)
            unusable = None if self._ready else self._unusable
        if unusable is not None:
            self.close()
            raise unusable

    def close(self, timeout: float | None = None) -> None:
        """End the watch: iteration stops, the view is stale. Idempotent.

        Waits for its thread, at most *timeout* seconds (default: ``stop_deadline``).
        """
        with self._lock:
            already, self._closed = self._closed, True
            unwatch, self._unwatch = self._unwatch, None
            self._doubt(float("-inf"))
            self._lock.notify_all()
        if not already:
            self._caller.close()
            self._on_closed(self)
        if unwatch is not None:
            try:
                unwatch()
            except Exception:
                LOG.exception("the driver did not end its watch of group %r", self.group_id)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(self._settings.stop_deadline if timeout is None else timeout)

    def inherited(self) -> None:
        """Be closed without a word: the thread lives in the parent of a fork."""
        self._lock = threading.Condition()
        self._closed = True
        self._doubt(float("-inf"))

    # -- the thread ---------------------------------------------------------------------------

    @property
    def _timer(self) -> float:
        """Seconds between two looks at the whole group."""
        if self._unwatch is not None:
            return self._settings.service_down_time
        return self._settings.poll_interval

    def _run(self) -> None:
        while not self._closed:
            try:
                self._look()
            except (ServiceGroupError, CallTimeout) as error:
                self._missed(error)
            except Exception as error:
                if not self._closed:
                    LOG.exception("a look at group %r failed", self.group_id)
                self._missed(error)
            self._sleep()
        self._caller.close()  # it may have been asked once more

    def _sleep(self) -> None:
        with self._lock:
            if self._failing_since is not None:
                until = boottime() + min(self._settings.poll_interval, self._limit / 10)
                while not self._closed and boottime() < until:
                    self._lock.wait(until - boottime())
                return
            until = min(self._full_at + self._timer, self._picture.next_expiry())
            if self._picture.unsure:
                until = min(until, boottime() + self._soon)
            until = max(until, boottime() + 0.001)
            while not self._closed and self._asked is not None and not self._asked:
                now = boottime()
                if now >= until:
                    return
                self._awake(now)
                self._lock.wait(min(until - now, self._trouble / 4))

    def _awake(self, now: float) -> None:
        """Vouch for the view a while longer; after a pause of this process only a new look can.

        Whoever was stopped, starved or suspended may have missed what a native watch told.
        """
        if now - self._awake_at > self._trouble:
            self._doubt(now)
            self._asked = None
        else:
            self._fresh_until = min(self._view_until, now + self._trouble)
        self._awake_at = now

    def _doubt(self, until: float) -> None:
        """Let the view be fresh no longer than *until*, unless a look says otherwise."""
        self._view_until = self._fresh_until = min(self._fresh_until, until)

    def _changed(self, member_ids: Collection[str] | None) -> None:
        """Take a driver's hint; called from any thread, returns at once."""
        with self._lock:
            if member_ids is None:
                self._asked = None
            elif self._asked is not None:
                self._asked.update(member_ids)
            self._lock.notify_all()

    def _follow(self) -> None:
        """Let the driver call back, unless this was closed while it was asked to."""
        unwatch = self._door.watch(self.group_id, self._changed)
        with self._lock:
            if not self._closed:
                self._unwatch = unwatch
                return
        unwatch()

    def _look(self) -> None:
        if self._unwatch is None and Capability.WATCH in self._door.capabilities:
            self._follow()
        if self._closed:
            return
        now = boottime()
        with self._lock:
            self._awake(now)
            asked, self._asked = self._asked, set()
            if asked is not None and self._ready and now < self._full_at + self._timer:
                asked.update(self._picture.due(now + self._settings.poll_interval))
                asked.update(self._picture.unsure)
            else:
                asked = None
            if asked and (self._workers or any(MARK in one for one in asked)):
                # Who asks for one of a member asks for all.
                members = {place(one)[0] for one in asked}
                asked |= members | {one for one in self._workers if place(one)[0] in members}
            known = self._picture.known(asked)
        if asked is not None and not asked:
            return
        try:
            look = self._caller.call(
                lambda: self._observer.look(
                    self.group_id, asked, known=known, remembered=self._records
                ),
                REQUESTS * self._settings.call_timeout,
                late_after=max(self._settings.call_timeout, self._trouble),
                late=self._late,
            )
        except BaseException:
            self._changed(asked)
            raise
        self._take(look, asked, now)

    def _take(self, look: Look, asked: Collection[str] | None, now: float) -> None:
        if look.records is not None and look.records_error is None:
            if asked is None:
                self._records = dict(look.records)
            else:
                self._records.update(look.records)
        self._workers = look.workers if asked is None else self._workers | look.workers
        judged = self._observer.judged(look)
        with self._lock:
            if asked is None:
                self._picture.replace(judged, now)
                self._full_at = now
            else:
                self._picture.merge(judged, now, asked)
            if not self._ready:
                self._picture.mark_ready()
                self._ready = True
            self._failing_since = None
            self._picture.mark_contact(None)
            if not self._closed:
                self._view_until = now + self._patience()
                self._fresh_until = min(self._view_until, now + self._trouble)
                self._awake_at = now  # a pause since then was one during the look
            unsure = bool(self._picture.unsure)
            self._lock.notify_all()
        if unsure:
            self._bystander.beat(now)

    def _late(self) -> None:
        """Tell that the view is not fresh any more, while the look is still waited for."""
        with self._lock:
            self._doubt(boottime())
            self._picture.mark_contact("no answer yet")
            self._lock.notify_all()

    def _patience(self) -> float:
        """Seconds after a look for which the view counts as fresh."""
        timer, interval = self._timer, self._settings.report_interval
        return max(min(MISSED_LOOKS * timer, timer + interval), interval)

    def _missed(self, error: Exception) -> None:
        now = boottime()
        with self._lock:
            self._unusable = error if isinstance(error, ConfigurationError) else None
            if self._failing_since is None:
                self._failing_since = now
            self._doubt(self._failing_since + self._trouble)
            if now > self._fresh_until:
                self._picture.mark_contact(str(error))
            self._lock.notify_all()

    def _settled(self) -> bool:
        return self._ready or self._failing_since is not None or self._closed

    def _stale_verdict(self) -> Liveness:
        age = boottime() - self._full_at
        return Liveness(State.UNKNOWN, Cause.STALE, age if age < float("inf") else None)
