"""Reporting one process's members to one store: joins, beats and repairs, one call at a time."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future

from servicegroup.bounded import BoundedCaller, CallTimeout
from servicegroup.door import Door
from servicegroup.driver import Loss, Lost
from servicegroup.exceptions import DriverUnavailable, ServiceGroupError
from servicegroup.model import Member
from servicegroup.status import in_words

LOG = logging.getLogger(__name__)

Key = tuple[str, str]

#: Beats are sent this much early at most, as a share of the interval, so that a fleet spreads.
JITTER = 0.1
#: Waits between tries after a failure, as shares of the interval; the last one repeats.
BACK_OFF = (0.06, 0.12, 0.25)
#: Where the store itself ends a silent life, beats that fit into what it allows.
BEATS_IN_A_LIFE = 3
#: A beat may take several requests when something moved; each has its own time-out.
REQUESTS = 3


def key_of(member: Member) -> Key:
    """Return what tells the members of a process apart."""
    return (member.group_id, member.member_id)


class Report:
    """What one store has been told of the members, and when it must be told again.

    The desired members are set from any thread by the heart; everything that talks to the store
    runs on one thread, so that no older write can overtake a newer one. What is desired may change
    while the store is asked: what it says then counts only for whom it still concerns.

    :param interval: seconds between two beats
    :param clock: the heart's clock
    :param standing: what the store is to this process, for the log
    """

    def __init__(
        self,
        door: Door,
        instance_id: str,
        interval: float,
        call_timeout: float,
        clock: Callable[[], float],
        *,
        standing: str = "",
    ) -> None:
        self.door = door
        self._standing = standing
        #: When the last beat that succeeded was *sent*, by the heart's clock.
        self.heard_at = float("-inf")
        #: Called, on any thread, when a request came back.
        self.landed: Callable[[], None] = lambda: None
        #: How often the store answered again after a failure.
        self.recoveries = 0
        self._instance_id = instance_id
        self._interval = interval
        self.patience = REQUESTS * call_timeout
        self._clock = clock
        self._caller = BoundedCaller(f"servicegroup-{door.name}")
        self._lock = threading.RLock()  # for what follows; never held while the store is asked
        self._desired: dict[Key, Member] = {}
        self._incarnations: dict[Key, Member] = {}
        self._joined_at: dict[Key, float] = {}
        self._changed: set[Key] = set()
        self._leaving: dict[Key, Member] = {}
        self._doubtful: set[Key] = set()
        self._asked: set[Key] = set()  # joins that were sent, and not answered so far
        self._edition = 0  # of what is desired; raised after each change of it
        self._carried: tuple[int, list[Member]] = (-1, [])  # what a beat carries at an edition
        self._hurried = False
        self._flight: tuple[Future[list[Lost]], float] | None = None
        self._due = float("-inf")
        self._failing_since: float | None = None
        self._failures = 0

    # -- desired state, from any thread -------------------------------------------------------

    def want(self, member: Member, *, changed: bool) -> None:
        """Keep *member* in the store from now on; *changed*: as before, its description is new."""
        key = key_of(member)
        with self._lock:
            if changed and key not in self._desired:  # the store gave it to another life meanwhile
                return
            self._desired[key] = member
            if changed and key in self._incarnations:
                self._changed.add(key)
            self._doubtful.discard(key)
            self._edition += 1
        self.hurry()

    def drop(self, key: Key, *, leave: bool) -> None:
        """Keep the member no longer; *leave*: also take it out of the store."""
        with self._lock:
            self._desired.pop(key, None)
            self._changed.discard(key)
            stored = self._incarnations.pop(key, None)
            self._joined_at.pop(key, None)
            if leave and stored is not None:
                self._leaving[key] = stored
                self.hurry()
            elif leave and key in self._asked:
                self._doubtful.add(key)
                self.hurry()
            self._edition += 1

    def doubt(self, key: Key) -> None:
        """Take back a join that may have been stored without our hearing so."""
        with self._lock:
            self.drop(key, leave=False)
            self._doubtful.add(key)
        self.hurry()

    def hurry(self) -> None:
        """Let the next step send, whenever it was due."""
        self._hurried = True

    def forget(self, key: Key) -> None:
        """Join *key* anew at the next step: what was stored of it is gone."""
        with self._lock:
            self._incarnations.pop(key, None)
            self._edition += 1
        self.hurry()

    def stored(self, key: Key) -> Member | None:
        """The member as this store has it, with its incarnation; ``None`` before it joined."""
        return self._incarnations.get(key)

    def wall_time(self, key: Key) -> float | None:
        """Return the store's wall clock, by our own since *key* joined; ``None`` before that."""
        stored, at = self._incarnations.get(key), self._joined_at.get(key)
        if stored is None or stored.started_at is None or at is None:
            return None
        return stored.started_at + self._clock() - at

    def flush(self, timeout: float) -> list[Lost]:
        """Bring the store up to the desired state now, and wait for it.

        :raises DriverUnavailable: it did not answer within *timeout* seconds
        """
        return self.flushed()(timeout)

    def flushed(self) -> Callable[[float], list[Lost]]:
        """Begin to :meth:`flush`, so that several stores do so at once; returns what waits."""
        future = self._caller.submit(self._settle)

        def wait(timeout: float) -> list[Lost]:
            try:
                return self._concerned(self._caller.result(future, timeout))
            except CallTimeout as error:
                raise self._silent(error) from error

        return wait

    @property
    def busy(self) -> bool:
        """Whether there is anything to tell the store."""
        return bool(self._desired or self._leaving or self._doubtful)

    # -- the heart's steps --------------------------------------------------------------------

    def step(self, now: float) -> tuple[list[Lost], float]:
        """Send what is due and collect what came back; never waits.

        :returns: members that need attention, and when to step again
        """
        lost: list[Lost] = []
        if self._flight is not None:
            future, sent = self._flight
            if not future.done() and now < sent + self.patience:
                return [], sent + self.patience
            self._flight = None
            lost = self._landed(future, sent, now)
        busy = self.busy
        if busy and (now >= self._due or (self._hurried and self._failing_since is None)):
            self._hurried = False
            future = self._caller.submit(self._beat)
            self._flight = (future, now)
            future.add_done_callback(lambda _: self.landed())
            self._due = now + self._pace * (1 - JITTER * random.random())  # noqa: S311
            return lost, now + self.patience
        return lost, self._due if busy else float("inf")

    def close(self) -> None:
        """Let the thread end."""
        self._caller.close()

    @property
    def _pace(self) -> float:
        """Seconds between two beats."""
        return min(self._interval, self.door.ends_after / BEATS_IN_A_LIFE)

    # -- on this report's own thread ----------------------------------------------------------

    def _beat(self) -> list[Lost]:
        lost, members = self._brought_up()
        if not members:
            return lost
        attention = self.door.heartbeat(self._instance_id, members)
        missing = [one.member for one in attention if one.loss is Loss.MISSING]
        lost += [one for one in attention if one.loss is not Loss.MISSING]
        if missing:
            LOG.warning(
                "%d of %d members of this process were missing in %s: asserting them again",
                len(missing),
                len(members),
                self.door.name,
            )
            lost += self.door.update(missing)
        return lost

    def _brought_up(self) -> tuple[list[Lost], list[Member]]:
        """Settle, and return the members to beat for; nothing to do where nothing changed.

        A process may hold thousands of members, and have no more to say of them for days.
        """
        edition = self._edition  # before: what changes meanwhile is for the next beat
        if self._carried[0] == edition:
            return [], self._carried[1]
        lost = self._settle()
        with self._lock:
            members = list(self._incarnations.values())
        self._carried = (edition, members)
        return lost, members

    def _settle(self) -> list[Lost]:
        """Carry out what changed since the last call: leaves, joins, updates."""
        for key in list(self._doubtful):
            self._retract(key)
        leaving = dict(self._leaving)
        if leaving:
            self.door.leave(list(leaving.values()))
            with self._lock:
                for key, member in leaving.items():
                    if self._leaving.get(key) is member:
                        del self._leaving[key]
        with self._lock:
            joining = [m for key, m in self._desired.items() if key not in self._incarnations]
            self._asked.update(map(key_of, joining))
        if joining:
            self._join(joining)
        with self._lock:
            changing = [self._described(key) for key in self._changed & self._incarnations.keys()]
        if not changing:
            return []
        lost = self.door.update(changing)
        with self._lock:
            for member in changing:
                key = key_of(member)
                if key in self._incarnations:  # else it left meanwhile
                    self._incarnations[key] = member
                    if self._desired[key].revision == member.revision:
                        self._changed.discard(key)
        return lost

    def _described(self, key: Key) -> Member:
        """Return a member that is stored as it is desired."""
        stored, desired = self._incarnations[key], self._desired[key]
        return desired._replace(
            incarnation=stored.incarnation,
            started_at=stored.started_at,
            flaps=desired.flaps or stored.flaps,
        )

    def _join(self, members: list[Member]) -> None:
        sent = self._clock()
        try:
            joined = self.door.join(members)
        except DriverUnavailable:
            raise  # it may have stored them all the same
        except ServiceGroupError:
            with self._lock:
                self._asked.difference_update(map(key_of, members))
            raise
        with self._lock:
            for member in joined:
                key = key_of(member)
                self._asked.discard(key)
                self._doubtful.discard(key)
                self._incarnations[key] = member
                self._joined_at[key] = sent
                if key not in self._desired:  # left while it joined
                    self.drop(key, leave=True)
                elif self._desired[key].revision != member.revision:  # changed while it joined
                    self._changed.add(key)
        self.heard_at = max(self.heard_at, sent)

    def _retract(self, key: Key) -> None:
        group_id, member_id = key
        seen = self.door.sightings(group_id, [member_id], attributes=False)
        mine = [s.member for s in seen.members if s.member.instance_id == self._instance_id]
        if mine:
            self.door.leave(mine)
        with self._lock:
            self._doubtful.discard(key)
            self._asked.discard(key)

    def _concerned(self, lost: list[Lost]) -> list[Lost]:
        """Leave out lives that are not ours any more: who left, or joined anew, meanwhile."""
        with self._lock:
            stored = [self._incarnations.get(key_of(one.member)) for one in lost]
        return [
            one
            for one, ours in zip(lost, stored, strict=True)
            if ours is not None and ours.incarnation == one.member.incarnation
        ]

    # -- transitions --------------------------------------------------------------------------

    def _landed(self, future: Future[list[Lost]], sent: float, now: float) -> list[Lost]:
        try:
            if not future.done():
                self._caller.abandon(future)
                raise CallTimeout(f"no answer within {in_words(now - sent)}")
            lost = self._concerned(future.result())
        except (ServiceGroupError, CallTimeout) as error:
            self._failed(error, now)
            return []
        except Exception as error:  # noqa: BLE001 - the heart cannot die
            self._failed(error, now, unexpected=True)
            return []
        self.heard_at = max(self.heard_at, sent)
        if self._failing_since is not None:
            self.recoveries += 1
            LOG.warning(
                "the store of driver %s answers again after %s%s",
                self.door.name,
                in_words(now - self._failing_since),
                self._standing,
            )
        self._failing_since, self._failures = None, 0
        return lost

    def _failed(self, error: Exception, now: float, *, unexpected: bool = False) -> None:
        wait = self._pace * BACK_OFF[min(self._failures, len(BACK_OFF) - 1)]
        self._due = now + wait * random.uniform(0.5, 1.0)  # noqa: S311
        self._failures += 1
        if self._failing_since is None:
            self._failing_since = now
            LOG.error(
                "lost contact with the store of driver %s%s, trying again until it answers: %s",
                self.door.name,
                self._standing,
                error,
                exc_info=error if unexpected else None,
            )

    def _silent(self, error: Exception) -> DriverUnavailable:
        return DriverUnavailable(f"the store of driver {self.door.name!r} did not answer: {error}")
