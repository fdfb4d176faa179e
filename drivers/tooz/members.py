"""Changing members: under a lock of tooz's, since no back end has a compare-and-set of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import groupby

from servicegroup.clock import boottime
from servicegroup.driver import Loss, Lost
from servicegroup.model import Member

from . import layout
from .coordinator import Coordinator, Place
from .entries import Reader
from .view import View

#: Evidence is kept this many times ``service_down_time``: a little more than is promised.
KEPT = 2.5
#: Looks at a group, if somebody was taken over during each of them but the last.
LOOKS = 3


class Members:
    """The members of one instance, in all groups. Usable from any thread."""

    def __init__(
        self, own: Coordinator, instance_id: str, place: Place, service_down_time: float
    ) -> None:
        self._own = own
        self._instance_id = instance_id
        self._place = place
        self._limit = service_down_time
        self._kept_for = KEPT * service_down_time
        self._reader = Reader()
        self._mine = Reader()  # of our own entries alone
        self._groups: set[str] = set()
        # In a folder it is the reader who says how long an entry counts.
        lasting = layout.note_name(instance_id)
        self._archive = (
            Coordinator(place, lasting, self._kept_for) if place.scheme == "file" else own
        )
        self._lock = threading.RLock()

    def close(self) -> None:
        """Hang up; what is stored stays."""
        self._archive.close()
        self._own.close()

    def view(self, group_id: str) -> View:
        """Look at a group: one call for who is there, one for the evidence."""
        if self._own.replaces:
            return self._view(group_id, self._reader)
        with self._own.locked(layout.members_of(group_id)):
            return self._view(group_id, self._reader)

    def _view(self, group_id: str, reader: Reader) -> View:
        view = self._look(group_id, reader)
        for _ in range(LOOKS - 1):
            if not view.torn:
                break
            view = self._look(group_id, reader)  # else who was just taken over would be nobody
        return view

    def _look(self, group_id: str, reader: Reader) -> View:
        entries = self._own.entries(layout.members_of(group_id))
        evidence = self._archive.entries(layout.evidence_of(group_id))
        read = None if entries is None else reader.read(group_id, entries)
        return View(group_id, read, evidence)

    def join(self, members: Sequence[Member]) -> list[Member]:
        """See :meth:`servicegroup.driver.Driver.join`."""
        joined: dict[tuple[str, str], Member] = {}
        for group_id, wanted in _by_group(members):
            with self._changing(group_id) as view:
                held = view.held(self._instance_id)
                over: list[Member] = []
                for one in wanted:
                    life = view.latest(one.member_id)
                    before = view.member(one.member_id)
                    over += self._others(view, one)
                    incarnation = 1 if life is None else life.incarnation + 1
                    stored = one.joined(incarnation, time.time(), before)
                    held[one.member_id] = stored
                    joined[group_id, one.member_id] = stored
                self._put(view, held)
                self._note_lives(group_id, layout.TAKEN, over)
        self.revive(but={one.group_id for one in members})
        return [joined[one.group_id, one.member_id] for one in members]

    def update(self, members: Sequence[Member]) -> list[Lost]:
        """See :meth:`servicegroup.driver.Driver.update`."""
        lost: list[Lost] = []
        for group_id, wanted in _by_group(members):
            with self._changing(group_id) as view:
                held = view.held(self._instance_id)
                over: list[Member] = []
                for one in wanted:
                    loss = evidence(view, one)
                    if loss is not None:
                        lost.append(loss)
                    elif not _newer(held.get(one.member_id), one):
                        over += self._others(view, one)
                        held[one.member_id] = one
                if held or view.there:
                    self._put(view, held)
                self._note_lives(group_id, layout.TAKEN, over)
        self.revive(but={one.group_id for one in members})
        return lost

    def leave(self, members: Sequence[Member]) -> None:
        """See :meth:`servicegroup.driver.Driver.leave`."""
        for group_id, wanted in _by_group(members):
            with self._changing(group_id) as view:
                going = [one for one in wanted if not _is_over(view, one)]
                if not going:
                    continue
                self._create(view)
                self._note_lives(group_id, layout.LEFT, going)
                held = view.held(self._instance_id)
                mine = {one.member_id for one in going if one.instance_id == self._instance_id}
                if mine & held.keys():
                    self._put(view, {key: one for key, one in held.items() if key not in mine})

    def end(self, instance_id: str, reason: str) -> None:
        """See :meth:`servicegroup.driver.Driver.end`. Looks through all groups."""
        for name in self._own.groups():
            if not layout.holds_members(name):
                continue
            said = layout.content(self._own.said(name, layout.instance_name(instance_id)))
            if said is None:
                continue
            group_id, life = said[1], layout.opened(said)[0]
            view = self._view(group_id, self._reader)
            if view.ended(instance_id) is None:
                self._create(view)
                self._note(
                    group_id, instance_id, layout.note(group_id, layout.ENDED, [life, reason])
                )

    def groups(self) -> list[str]:
        """See :meth:`servicegroup.driver.Driver.groups`. Looks through all of them."""
        found = set()
        for name in self._own.groups():
            if not layout.holds_members(name):
                continue
            said = layout.contents(layout.texts((self._own.entries(name) or {}).values()))
            for group_id in {one[1] for one in said if one is not None}:
                if self.view(group_id).members:
                    found.add(group_id)
        return sorted(found)

    def beat(self) -> bool:
        """Beat; returns whether all that we stored has to be looked for.

        Who was silent for so long that it may have been superseded, and the evidence of that
        forgotten, does not rise by a beat alone: it takes itself out, and is stored again.
        """
        fresh = self._own.start()
        silent = boottime() - self._own.beat_at
        broken = self._limit < silent < float("inf")
        if broken:
            for group_id in self._groups:
                self._own.leave(layout.members_of(group_id))
        self._own.heartbeat()
        return fresh or broken

    def stored(self, group_id: str) -> set[tuple[str, int]]:
        """Return ids and incarnations of the members that the store has of us in a group."""
        name = layout.instance_name(self._instance_id)
        said = self._own.said(layout.members_of(group_id), name)
        entries = self._mine.read(group_id, {name: said})
        seen = (one.member for entry in entries for one in entry.seen)
        return {(member.member_id, member.incarnation) for member in seen}

    def notes(self, group_id: str) -> frozenset[str] | None:
        """Return the names of the evidence that concerns us; ``None`` if there is no such group."""
        names = self._archive.names(layout.evidence_of(group_id))
        if names is None:
            return None
        return frozenset(one for one in names if layout.concerns(one, self._instance_id))

    def revive(self, but: Collection[str]) -> None:
        """Be alive in all our groups, but for some: an end that was noted there is none."""
        for group_id in self._groups.difference(but):
            if self.notes(group_id) and self.view(group_id).ended(self._instance_id) is not None:
                self.renew(group_id)

    def renew(self, group_id: str, without: Collection[str] = ()) -> None:
        """Store what is stored again, as of an instance that is alive; *without* some members."""
        with self._changing(group_id) as view:
            if held := view.held(self._instance_id):
                self._put(view, {key: one for key, one in held.items() if key not in without})

    # -- steps --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _changing(self, group_id: str) -> Iterator[View]:
        with self._lock:
            self.beat()
            with self._own.locked(layout.members_of(group_id)):
                # Afresh: what callers have been given may have been changed by them.
                yield self._view(group_id, Reader())

    def _others(self, view: View, one: Member) -> list[Member]:
        """Return the life that holds a member's place, if it is of another instance."""
        before = view.member(one.member_id)
        return [] if before is None or before.instance_id == self._instance_id else [before]

    def _put(self, view: View, held: dict[str, Member]) -> None:
        """Say that these are our members; who is ended and says so is alive again."""
        self._create(view)
        name = layout.members_of(view.group_id)
        if not held:
            self._own.leave(name)
            self._groups.discard(view.group_id)
            return
        self._groups.add(view.group_id)
        life = view.living(self._instance_id)
        self._own.put(name, layout.entry(view.group_id, life, held.values()))

    def _create(self, view: View) -> None:
        if not view.there:
            self._own.create(layout.members_of(view.group_id))
            self._own.create(layout.evidence_of(view.group_id))

    def _note_lives(self, group_id: str, kind: str, over: Sequence[Member]) -> None:
        by_instance: dict[str, list[tuple[str, str, int]]] = {}
        for one in over:
            what = (one.member_id, one.instance_id, one.incarnation)
            by_instance.setdefault(one.instance_id, []).append(what)
        for instance_id, lives in by_instance.items():
            self._note(group_id, instance_id, layout.note(group_id, kind, lives))

    def _note(self, group_id: str, instance_id: str, said: dict[str, object]) -> None:
        name = layout.note_name(instance_id)
        with contextlib.closing(Coordinator(self._place, name, self._kept_for)) as writer:
            writer.put(layout.evidence_of(group_id), said)


def _newer(stored: Member | None, one: Member) -> bool:
    """Whether what is stored of a life is newer than this."""
    if stored is None or stored.incarnation != one.incarnation:
        return False
    return stored.revision > one.revision


def evidence(view: View, one: Member) -> Lost | None:
    """Return how the store knows that a member's life is over; ``None`` where it does not."""
    life = view.latest(one.member_id)
    if life is None or life.incarnation < one.incarnation:
        return None
    if life[:2] == (one.incarnation, one.instance_id):
        if life.seen is not None:
            return None
        return Lost(one, Loss.SUPERSEDED if life.taken else Loss.REMOVED)
    return Lost(one, Loss.SUPERSEDED, view.member(one.member_id))


def _is_over(view: View, one: Member) -> bool:
    """Whether a member need not be taken out: it was, or its place is another's."""
    life = view.latest(one.member_id)
    if life is None:
        return False
    if life.seen is not None:
        return life[:2] != (one.incarnation, one.instance_id)
    return life.incarnation >= one.incarnation


def _by_group(members: Sequence[Member]) -> Iterator[tuple[str, list[Member]]]:
    key: Callable[[Member], str] = lambda one: one.group_id  # noqa: E731
    for group_id, those in groupby(sorted(members, key=key), key):
        yield group_id, list(those)
