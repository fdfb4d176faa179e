"""Writing members: joins, repairs, beats and leaves.

A member is one Lease for ever, also after it left, so that every change is a PUT which names the
version that it takes the place of: whoever comes second looks again. Whoever takes a member from
another instance then raises that instance's generation: its owner sees at its next beat that
something of it changed, and looks.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from servicegroup.config import Settings
from servicegroup.driver import Loss, Lost
from servicegroup.model import Member

from . import layout, leases
from .beats import OwnBeat, Token, is_alive
from .client import LEASES, Client, Conflict, Missing
from .ending import TRIES, Others
from .layout import Key, Life, Reader, Stored, key_of, life_of
from .leases import Lease, Object
from .sweep import FAILURES, Sweep

T = TypeVar("T")

LOG = logging.getLogger(__name__)
#: Of more members than these several are written at a time, by so many threads.
FEW, THREADS = 8, 4
#: Members named in one selector: more would not fit into a request's first line.
SELECTED = 100


class Members:
    """What this process, or an operator through it, does to members. Usable from any thread."""

    def __init__(
        self, client: Client, reader: Reader, instance_id: str, settings: Settings, own: OwnBeat
    ) -> None:
        self._client = client
        self._reader = reader
        self._instance_id = instance_id
        self._settings = settings
        self._own = own
        self._others = Others(client)
        self._sweep = Sweep(client, reader, settings.service_down_time)
        self._lock = threading.Lock()
        self._held: dict[Key, Object] = {}
        self._token: Token | None = None
        self._well: set[tuple[Key, Life]] = set()
        self._checked_at = float("-inf")

    def join(self, members: Sequence[Member]) -> list[Member]:
        """See :meth:`servicegroup.driver.Driver.join`."""
        self._client.hear()
        self._beaten(self._own.renew())
        taken: set[str] = set()

        def joined(member: Member, there: Stored | None) -> Stored:
            now = self._client.clock.stamp()
            here = there.member if there is not None and there.is_here else None
            incarnation = 1 if there is None else there.member.incarnation + 1
            return Stored(member.joined(incarnation, now, here), now)

        def join(member: Member) -> Member:
            made, there = self._settled(member, None, lambda there: joined(member, there))
            assert made is not None
            self._note_taken(taken, there)
            return made.member

        result = self._each(join, members)
        self._take(taken)
        self._sweep.once()
        return result

    def update(self, members: Sequence[Member]) -> list[Lost]:
        """See :meth:`servicegroup.driver.Driver.update`."""
        self._client.hear()
        self._beaten(self._own.renew())
        taken: set[str] = set()

        def update(member: Member) -> Lost | None:
            lost: Lost | None = None

            def updated(there: Stored | None) -> Stored | None:
                nonlocal lost
                lost = None if there is None else evidence(there, member)
                if lost is not None:
                    return None
                now = self._client.clock.stamp()
                if there is None or life_of(there.member) != life_of(member) or not there.is_here:
                    return Stored(member, now)
                if there.member.revision > member.revision:
                    return None  # it is merely late, its life goes on
                same = (there.member.withdrawn is None) == (member.withdrawn is None)
                return Stored(member, there.since if same else now)

            with self._lock:
                before = self._held.get(key_of(member))
            made, there = self._settled(member, before, updated)
            if made is not None:
                self._note_taken(taken, there)
            return lost

        lost = [one for one in self._each(update, members) if one is not None]
        self._forget(lost)
        self._take(taken)
        return lost

    def heartbeat(self, members: Sequence[Member]) -> list[Lost]:
        """See :meth:`servicegroup.driver.Driver.heartbeat`."""
        self._client.hear()
        token = self._own.renew()
        now = self._client.clock.now()
        with self._lock:
            # Who raises a generation may die before it does; so all are looked at now and then.
            if now - self._checked_at > self._settings.service_down_time:
                self._checked_at = now
                self._well.clear()
            self._follow(token)
            doubtful = [one for one in members if (key_of(one), life_of(one)) not in self._well]
        if not doubtful:
            return []
        lost = self._look(doubtful, token)
        self._forget(lost)
        return lost

    def leave(self, members: Sequence[Member]) -> None:
        """See :meth:`servicegroup.driver.Driver.leave`."""
        self._client.hear()
        taken: set[str] = set()

        def leave(member: Member) -> None:
            own = member.instance_id == self._instance_id
            how = layout.OWN if own else layout.REMOVED

            def left(there: Stored | None) -> Stored | None:
                gone = there is None or not there.is_here
                if gone or there is None or life_of(there.member) != life_of(member):
                    return None
                return Stored(there.member, self._client.clock.stamp(), how)

            with self._lock:
                before = self._held.get(key_of(member))
            made, there = self._settled(member, before, left)
            if made is not None:
                self._note_taken(taken, there)
            with self._lock:
                self._held.pop(key_of(member), None)

        self._each(leave, members)
        self._take(taken)
        with self._lock:
            nobody_left = not self._held and any(
                member.instance_id == self._instance_id for member in members
            )
        if nobody_left:
            self._own.withdraw()

    # -- one member ---------------------------------------------------------------------------

    def _settled(
        self,
        member: Member,
        before: Object | None,
        change: Callable[[Stored | None], Stored | None],
    ) -> tuple[Stored | None, Stored | None]:
        """Change one member's Lease to what *change* makes of it, however often it is overtaken.

        :param before: as we last saw it; ``None`` if nothing is known
        :returns: what is stored now, or ``None`` if nothing was to be changed; and what was there
        """
        place = self._client.objects(LEASES, "leases")
        path = f"{place}/{layout.member_name(*key_of(member))}"
        guessed, token = before is None, self._token
        for _ in range(TRIES * 4):
            there = None if before is None else self._read(before)
            made = change(there)
            if made is None and not guessed:
                return None, there
            try:
                if made is None:
                    before, guessed = self._client.get(path).json(), False
                    continue
                packed = layout.packed(made, self._client.clock.stamp(), before)
                if before is None:
                    answer = self._client.create(place, packed)
                else:
                    answer = self._client.replace(path, packed)
            except Missing:
                if made is None:
                    return None, None
                before, guessed = None, False
                continue
            except Conflict:
                before, guessed = self._again(path), False
                continue
            self._stored(made, answer.json(), token)
            return made, there
        raise Conflict(f"{path} is changed by somebody else all the time")

    def _again(self, path: str) -> Object | None:
        try:
            return self._client.get(path).json()
        except Missing:
            return None

    def _read(self, found: Object) -> Stored | None:
        return self._reader.stored(leases.decode_lease(leases.encode(found)))

    def _stored(self, made: Stored, found: Object, token: Token | None) -> None:
        if made.member.instance_id != self._instance_id or not made.is_here:
            return
        with self._lock:
            self._held[key_of(made.member)] = found
            if self._token == token:  # else somebody may have taken it since
                self._well.add((key_of(made.member), life_of(made.member)))

    # -- all of an instance -------------------------------------------------------------------

    def _beaten(self, token: Token) -> None:
        with self._lock:
            self._follow(token)

    def _follow(self, token: Token) -> None:
        if token != self._token:
            self._token = token
            self._well.clear()

    def _look(self, members: Sequence[Member], token: Token) -> list[Lost]:
        """Look at members of ours: who is still what it was, and who is lost."""
        found = self._found({key_of(member) for member in members})
        lost, well = [], set()
        for member in members:
            there = found.get(key_of(member))
            one = Lost(member, Loss.MISSING) if there is None else evidence(there, member)
            if one is None and there is not None and life_of(there.member) != life_of(member):
                one = Lost(member, Loss.MISSING)  # an older life came back from a backup
            if one is None:
                well.add((key_of(member), life_of(member)))
            else:
                lost.append(one)
        with self._lock:
            if self._token == token:
                self._well |= well
        return lost

    def _found(self, keys: Collection[Key]) -> dict[Key, Stored]:
        place = self._client.objects(LEASES, "leases")
        found: dict[Key, Stored] = {}
        if len(keys) == 1:
            (key,) = keys
            there = self._again(f"{place}/{layout.member_name(*key)}")
            stored = None if there is None else self._read(there)
            return {} if stored is None else {key: stored}
        for labels in chunks([layout.member_label(*key) for key in keys], SELECTED):
            selector = layout.selected("", member=labels)
            for page, _ in self._client.pages(place, selector, leases.decode_list):
                for stored in self._reader.all(page.items, {}, attributes=False):
                    if stored is not None:
                        found[key_of(stored.member)] = stored
        return found

    def _forget(self, lost: Iterable[Lost]) -> None:
        with self._lock:
            for one in lost:
                self._held.pop(key_of(one.member), None)

    def _note_taken(self, taken: set[str], there: Stored | None) -> None:
        if there is not None and there.is_here and there.member.instance_id != self._instance_id:
            taken.add(there.member.instance_id)

    def _take(self, instance_ids: Iterable[str]) -> None:
        """Tell the instances that members were taken from.

        What was to be done is done by now; who is not told finds out by looking for itself.
        """
        for instance_id in instance_ids:
            try:
                self._others.touch(instance_id)
                self._others.tidy(instance_id, self._is_dead)
            except FAILURES as error:
                LOG.info("instance %s is not told that members were taken: %s", instance_id, error)

    def _is_dead(self, found: Lease) -> bool:
        renewed = leases.seconds(found.spec.renewed)
        low, _ = self._client.clock.bounds(self._client.clock.now())
        silent = renewed is not None and low - renewed > 2 * self._settings.service_down_time
        return silent or not is_alive(found)

    @staticmethod
    def _each(work: Callable[[Member], T], members: Sequence[Member]) -> list[T]:
        if len(members) <= FEW:
            return [work(member) for member in members]
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(work, members))


def evidence(there: Stored, member: Member) -> Lost | None:
    """Return how the store knows that *member*'s life is over; ``None`` where it does not."""
    if there.is_here and life_of(there.member) == life_of(member):
        return None
    if there.member.incarnation < member.incarnation:
        return None
    if life_of(there.member) == life_of(member):
        return Lost(member, Loss.REMOVED)
    return Lost(member, Loss.SUPERSEDED, there.member if there.is_here else None)


def chunks(labels: Sequence[str], size: int) -> list[Sequence[str]]:
    """Return all of them, some at a time."""
    return [labels[at : at + size] for at in range(0, len(labels), size)]
