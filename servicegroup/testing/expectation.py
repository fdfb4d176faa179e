"""What a store that keeps the contract must hold: the model that a random walk is checked against.

Where the contract leaves a driver room (a store that forgets the dead, evidence that fades), the
model allows more than one answer and then follows the one that was given.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from servicegroup.driver import Loss
from servicegroup.liveness import UNWITNESSED_PATIENCE
from servicegroup.model import Member, State
from servicegroup.testing.store import Store

Key = tuple[str, str]

#: Evidence of a life that left must be kept for this many times ``service_down_time``.
EVIDENCE_KEPT = 2.0


@dataclass
class Place:
    """The last life under one group and member id, also after it left.

    ``lapsed``: its instance was over or silent since it was stored, so that a store that forgets
    such members need not know it any more, though the instance beats again.
    """

    member: Member
    left_at: float | None = None
    removed: bool = False
    lapsed: bool = False


@dataclass
class Pulse:
    """The beats of one instance, in seconds of the model's time.

    Unbroken since ``steady`` for certain, or since ``perhaps`` at most. ``forgotten``: it left with
    all its members, so that the store need not know it any more.
    """

    beat_at: float
    steady: float
    perhaps: float
    ended: bool = False
    forgotten: bool = False


@dataclass
class Expectation:
    """The model. Its time passes with the store's; real time counts as uncertainty."""

    store: Store
    remembers: bool
    now: float = 0.0
    places: dict[Key, Place] = field(default_factory=dict)
    pulses: dict[str, Pulse] = field(default_factory=dict)
    #: Of whom a store may have evidence, though it had lost them when they left.
    traces: set[Key] = field(default_factory=set)
    began: float = field(default_factory=time.monotonic)

    # -- what happens -------------------------------------------------------------------------

    def stored(self, member: Member) -> None:
        """Take note that *member* was stored, and its instance's beat with it."""
        self.beaten(member.instance_id)
        self.places[key_of(member)] = Place(member)

    def beaten(self, instance_id: str) -> None:
        """Take note of a sign of life."""
        pulse = self.pulses.setdefault(instance_id, Pulse(self.now, self.now, self.now))
        gap = self.now - pulse.beat_at
        steady = self.within(gap, self.store.settings.steady_gap) is True
        if pulse.ended or pulse.forgotten or not steady:
            pulse.steady = self.now
        heard = self.within(gap, self.store.settings.service_down_time)
        if heard is False:
            pulse.perhaps = self.now
        if pulse.ended or heard is not True:
            for place in self.places.values():
                place.lapsed |= place.member.instance_id == instance_id
        pulse.beat_at, pulse.ended, pulse.forgotten = self.now, False, False

    def left(self, member: Member, *, removed: bool) -> None:
        """Take note that a life left, or was *removed* by somebody else."""
        place = self.places.get(key_of(member))
        if place is None:
            self.traces.add(key_of(member))
        elif place.left_at is None and life(place.member) == life(member):
            place.left_at, place.removed = self.now, removed
            if not removed and member.instance_id not in self._holding():
                self.pulses[member.instance_id].forgotten = True

    def ended(self, instance_id: str) -> None:
        """Take note of the end of an instance."""
        if instance_id in self.pulses:
            self.pulses[instance_id].ended = True

    def lost_everything(self) -> None:
        """Take note that the store forgot all."""
        self.traces.clear()
        self.places.clear()
        self.pulses.clear()

    def vanished(self, member: Member) -> None:
        """Follow a store that says, as it may, that it does not know this member."""
        self.places.pop(key_of(member), None)

    # -- what must be answered ----------------------------------------------------------------

    def incarnation(self, key: Key) -> tuple[int, bool]:
        """Return the incarnation of the next join, and whether it must be this one exactly."""
        place = self.places.get(key)
        if place is None:
            return 1, key not in self.traces
        return place.member.incarnation + 1, self.kept(place)

    def update(self, member: Member) -> set[Loss | None]:
        """Return what an update of *member* may answer; ``None`` is success."""
        return {None if loss is Loss.MISSING else loss for loss in self.heartbeat(member)}

    def heartbeat(self, member: Member) -> set[Loss | None]:
        """Return what a beat may say of *member*; ``None`` is that all is well."""
        place = self.places.get(key_of(member))
        if place is None or place.member.incarnation < member.incarnation:
            return {Loss.MISSING}
        answers: set[Loss | None]
        if life(place.member) != life(member):
            answers = {Loss.SUPERSEDED}
            if place.left_at is not None:
                answers.add(Loss.REMOVED)
        else:
            answers = {None if place.left_at is None else Loss.REMOVED}
        return answers if self.kept(place) else answers | {Loss.MISSING}

    def members(self, group_id: str) -> tuple[set[str], set[str]]:
        """Return the ids that must be listed in a group, and those that may be."""
        there = {
            key[1]: self.kept(place)
            for key, place in self.places.items()
            if key[0] == group_id and place.left_at is None
        }
        return {one for one, kept in there.items() if kept}, set(there)

    def states(self, member: Member) -> set[State]:
        """Return the verdicts that are right for a member that is listed."""
        pulse = self.pulses[member.instance_id]
        if pulse.ended or member.withdrawn is not None:
            return {State.DOWN}
        limit = self.store.settings.service_down_time
        age = self.now - pulse.beat_at
        up = self.within(age, limit)
        if up:
            return {State.UP}
        patient = self.within(age, limit + max(limit, UNWITNESSED_PATIENCE))
        witnessed = self.witnessed()
        states = {State.UP} if up is None else set()
        if witnessed is not False or patient is not True:
            states.add(State.DOWN)
        if witnessed is not True and patient is not False:
            states.add(State.UNKNOWN)
        return states

    def witnessed(self) -> bool | None:
        """Whether somebody was heard throughout the limit; ``None`` where both answers will do."""
        limit, gap = self.store.settings.service_down_time, self.store.settings.steady_gap
        answer: bool | None = False
        for pulse in self.pulses.values():
            if pulse.ended:
                continue
            fresh = self.within(self.now - pulse.beat_at, gap)
            certain = self._reached(self.now - pulse.steady, limit)
            if fresh and certain and not pulse.forgotten:
                return True
            heard = self.within(self.now - pulse.beat_at, limit)
            if heard is not False and self._reached(self.now - pulse.perhaps, limit) is not False:
                answer = None
        return answer

    def kept(self, place: Place) -> bool:
        """Whether the store must still know what is, or was, in this place."""
        if place.left_at is not None:
            kept = EVIDENCE_KEPT * self.store.settings.service_down_time
            return self.within(self.now - place.left_at, kept) is True
        pulse = self.pulses[place.member.instance_id]
        down = self.store.settings.service_down_time
        alive = not pulse.ended and self.within(self.now - pulse.beat_at, down) is True
        return self.remembers or (alive and not place.lapsed)

    def age(self, member: Member) -> float:
        """Return the age of a member's sign of life, but for the real time that passed."""
        return self.now - self.pulses[member.instance_id].beat_at

    @property
    def slack(self) -> float:
        """Seconds by which ages may be off."""
        if self.store.exact:
            return 0.0
        return self.store.tolerance + time.monotonic() - self.began

    def within(self, seconds: float, bound: float) -> bool | None:
        """Whether *seconds* are at most *bound*; ``None`` where that is too close to call."""
        if seconds + self.slack <= bound:
            return True
        return False if seconds - self.slack > bound else None

    def _reached(self, seconds: float, bound: float) -> bool | None:
        if seconds - self.slack >= bound:
            return True
        return False if seconds + self.slack < bound else None

    def _holding(self) -> set[str]:
        """Return the instances that hold members."""
        there = (place.member for place in self.places.values() if place.left_at is None)
        return {member.instance_id for member in there}


def key_of(member: Member) -> Key:
    """Return what a member is kept under."""
    return (member.group_id, member.member_id)


def life(member: Member) -> tuple[str, int]:
    """Return what tells one life of a member from another."""
    return (member.instance_id, member.incarnation)


def names(members: Iterable[Member]) -> list[str]:
    """Return members as a message names them."""
    return [f"{one.group_id!r}/{one.member_id!r} ({one.incarnation})" for one in members]
