"""Reading members: their Leases, the signs of life that these name, and what follows."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from servicegroup.config import Settings
from servicegroup.driver import Sightings
from servicegroup.exceptions import ConfigurationError
from servicegroup.model import Ending, EndKind, Member, Sighting

from . import layout, leases
from .beats import is_alive, number, up_since_of
from .client import CLIENT_ERRORS, LEASES, Answer, Client, Conflict, Missing
from .ending import Others
from .history import History
from .layout import Key, Reader, Stored, instance_label, key_of
from .leases import Lease
from .members import SELECTED, chunks

LOG = logging.getLogger(__name__)

#: Of more members or instances than these, all are listed: that is fewer requests.
MANY = 3 * SELECTED
#: What may keep us from noting what we saw.
FAILURES: tuple[type[Exception], ...] = (ConfigurationError, Conflict, *CLIENT_ERRORS)
GONE = "its sign of life is no longer in the cluster"


class Beat(NamedTuple):
    """A sign of life, and the bounds of its age in seconds."""

    lease: Lease
    least: float
    most: float


class Sight:
    """What members there are, and how they are. Usable from any thread."""

    def __init__(
        self, client: Client, reader: Reader, history: History, settings: Settings
    ) -> None:
        self._client = client
        self._reader = reader
        self._history = history
        self._limit = settings.service_down_time
        self._steady_gap = settings.steady_gap
        self._others = Others(client)
        self._foreign: set[str] = set()

    def sightings(
        self,
        group_id: str,
        member_ids: Collection[str] | None,
        known: Mapping[str, Member],
        *,
        attributes: bool,
    ) -> Sightings:
        """See :meth:`servicegroup.driver.Driver.sightings`."""
        held = {(group_id, one): member for one, member in known.items()}
        wanted = None if member_ids is None else set(member_ids)
        if wanted is not None and len(wanted) > MANY:
            found = self._group(group_id, held, attributes=attributes)
            found = {one: stored for one, stored in found.items() if one in wanted}
        elif wanted is not None:
            found = self._some(group_id, wanted, held, attributes=attributes)
        else:
            found = self._group(group_id, held, attributes=attributes)
        asked = set(known) if wanted is None else wanted
        missing = asked - set(found)
        if missing and (wanted is None or len(wanted) > MANY):
            found.update(self._some(group_id, missing, held, attributes=attributes))
        here = [one for one in found.values() if one.is_here]
        beats, everybody = self._beats_of(here)
        if any(one.member.instance_id not in beats for one in here):
            here, beats, everybody = self._again(group_id, held, found, beats)
        silent = any(beat.least > self._limit for beat in beats.values())
        if silent and not everybody:
            witnessed = self._witnessed(self._all_beats().values())
        else:
            witnessed = not silent or self._witnessed(beats.values())
        now = self._client.clock.now()
        low, high = self._client.clock.bounds(now)
        clock = (low + high) / 2 if self._client.clock.known else None
        members = self._sightings(here, beats, now, clock)
        for stored in found.values():
            if not stored.is_here and stored.member.member_id in asked:
                age = None if clock is None or stored.since is None else clock - stored.since
                members.append(
                    Sighting(
                        _held(held, stored.member),
                        ended=Ending(EndKind.LEFT, "left", None if age is None else max(0.0, age)),
                    )
                )
        return Sightings(members, witnessed)  # its clock is too coarse to be shown

    def _again(
        self,
        group_id: str,
        held: dict[Key, Member],
        found: dict[str, Stored],
        beats: Mapping[str, Beat],
    ) -> tuple[list[Stored], dict[str, Beat], bool]:
        """Look again at members whose instance has no sign of life, and at all signs of life.

        Between the two looks one may have left, or another life may have taken its place.
        """
        doubtful = {
            one.member.member_id
            for one in found.values()
            if one.is_here and one.member.instance_id not in beats
        }
        newer = self._some(group_id, doubtful, held, attributes=True)
        for one in doubtful:
            found.pop(one, None)
        found.update(newer)
        here = [one for one in found.values() if one.is_here]
        now, everybody = self._beats_of(here)
        self._note_absence(here, now)
        return here, now, everybody

    def groups(self) -> list[str]:
        """See :meth:`servicegroup.driver.Driver.groups`."""
        place = self._client.objects(LEASES, "leases")
        names: set[str] = set()
        selector = layout.selected(layout.HERE)
        for page, _ in self._client.pages(place, selector, leases.decode_list):
            for one in self._reader.all(page.items, {}, attributes=False):
                if one is not None:
                    names.add(one.member.group_id)
        return sorted(names)

    # -- members ------------------------------------------------------------------------------

    def _group(
        self, group_id: str, held: dict[Key, Member], *, attributes: bool
    ) -> dict[str, Stored]:
        selector = layout.selected(layout.HERE, group=layout.group_label(group_id))
        return self._listed(selector, group_id, held, attributes=attributes)

    def _some(
        self, group_id: str, wanted: Collection[str], held: dict[Key, Member], *, attributes: bool
    ) -> dict[str, Stored]:
        if len(wanted) == 1:
            (one,) = wanted
            name = layout.member_name(group_id, one)
            try:
                answer = self._client.get(f"{self._client.objects(LEASES, 'leases')}/{name}")
            except Missing:
                return {}
            return self._made([leases.decode_lease(answer.data)], group_id, held, attributes)
        labels = [layout.member_label(group_id, one) for one in wanted]
        found: dict[str, Stored] = {}
        for some in chunks(labels, SELECTED):
            selector = layout.selected("", member=some)
            found.update(self._listed(selector, group_id, held, attributes=attributes))
        return found

    def _listed(
        self, selector: str, group_id: str, held: dict[Key, Member], *, attributes: bool
    ) -> dict[str, Stored]:
        found: dict[str, Stored] = {}
        place = self._client.objects(LEASES, "leases")
        for page, _ in self._client.pages(place, selector, leases.decode_list):
            found.update(self._made(page.items, group_id, held, attributes))
        return found

    def _made(
        self, found: list[Lease], group_id: str, held: dict[Key, Member], attributes: bool
    ) -> dict[str, Stored]:
        stored = self._reader.all(found, held, attributes=attributes)
        made = {}
        for lease, one in zip(found, stored, strict=True):
            if one is not None and one.member.group_id == group_id:
                made[one.member.member_id] = one
            else:
                self._skip(lease.metadata.name)
        return made

    # -- signs of life ------------------------------------------------------------------------

    def _beats_of(self, here: Iterable[Stored]) -> tuple[dict[str, Beat], bool]:
        """Return the signs of life that members name, by instance; and whether these are all."""
        wanted = {one.member.instance_id for one in here}
        if not wanted:
            return {}, False
        if len(wanted) > MANY:
            return self._all_beats(), True
        place = self._client.objects(LEASES, "leases")
        beats: dict[str, Beat] = {}
        if len(wanted) == 1:
            (one,) = wanted
            with contextlib.suppress(Missing):
                answer = self._client.get(f"{place}/{layout.beat_name(one)}")
                self._take(beats, [leases.decode_lease(answer.data)], answer)
            return beats, False
        for labels in chunks([instance_label(one) for one in wanted], SELECTED):
            selector = layout.selected(layout.BEAT, instance=labels)
            for page, answer in self._client.pages(place, selector, leases.decode_list):
                self._take(beats, page.items, answer)
        return beats, False

    def _all_beats(self) -> dict[str, Beat]:
        beats: dict[str, Beat] = {}
        place = self._client.objects(LEASES, "leases")
        selector = layout.selected(layout.BEAT)
        for page, answer in self._client.pages(place, selector, leases.decode_list):
            self._take(beats, page.items, answer)
        self._history.forget({instance_label(one) for one in beats})
        return beats

    def _take(self, beats: dict[str, Beat], found: Iterable[Lease], answer: Answer) -> None:
        history, now = self._history, self._client.clock.now()
        for lease in found:
            instance_id, renewed = lease.metadata.notes.instance, lease.spec.renewed
            label = lease.metadata.labels.instance
            if not instance_id or instance_label(instance_id) != label:
                self._skip(lease.metadata.name)
                continue
            history.saw(label, renewed, answer.sent, answer.received)
            beats[instance_id] = Beat(lease, *history.age(label, renewed, now))

    def _note_absence(self, here: Iterable[Stored], beats: dict[str, Beat]) -> None:
        """Have everybody know since when a sign of life is gone that members name."""
        for instance_id in {one.member.instance_id for one in here} - beats.keys():
            try:
                lease = self._others.note_absence(instance_id)
            except FAILURES as error:
                LOG.debug("that %s is gone is not noted: %s", instance_id, error)
                continue
            if lease is not None:
                beats[instance_id] = Beat(lease, 0.0, 0.0)

    def _witnessed(self, beats: Iterable[Beat]) -> bool:
        """Whether one of them was heard throughout the limit, and still is.

        By what it wrote itself, too: a server that hung stores, when it is back, what was sent to
        it before. Then a sign of life changes that is as old as those that it would vouch against.
        """
        limit, gap, clock = self._limit, self._steady_gap, self._client.clock
        latest = clock.bounds(clock.now())[1] if clock.known else float("-inf")
        for lease, least, most in beats:
            renewed, steady = (
                leases.seconds(lease.spec.renewed),
                leases.seconds(lease.spec.acquired),
            )
            if renewed is None or steady is None or not is_alive(lease):
                continue
            if max(most, latest - renewed) <= gap and renewed - steady + least >= limit:
                return True
        return False

    # -- sightings ----------------------------------------------------------------------------

    def _sightings(
        self, here: Iterable[Stored], beats: Mapping[str, Beat], now: float, clock: float | None
    ) -> list[Sighting]:
        sightings: list[Sighting] = []
        lives: dict[str, tuple[float | None, Ending | None, float | None]] = {}
        for member, came, _ in here:
            life = lives.get(member.instance_id)
            if life is None:
                life = lives[member.instance_id] = self._life(
                    member.instance_id, beats.get(member.instance_id), now, clock
                )
            age, ended, up_since = life
            since = None
            if clock is not None and came is not None:
                since = max(0.0, clock - (came if up_since is None else max(came, up_since)))
            if member.withdrawn is not None and (ended is None or ended.kind is not EndKind.ENDED):
                ended = Ending(EndKind.WITHDRAWN, member.withdrawn, since)
            sightings.append(_new(Sighting, (member, age, ended, since, None)))
        return sightings

    def _life(
        self, instance_id: str, beat: Beat | None, now: float, clock: float | None
    ) -> tuple[float | None, Ending | None, float | None]:
        """Return the age of an instance's sign of life, how it ended and since when it is up."""
        if beat is None:
            age = self._history.missed(instance_label(instance_id), now)
            ended = None if age > self._limit else Ending(EndKind.VANISHED, GONE)
            return age, ended, None
        notes = beat.lease.metadata.notes
        age = self._history.judged(beat.least, beat.most)
        if notes.ended is not None:
            at = number(notes.ended_at)
            ended_for = None if at is None or clock is None else max(0.0, clock - at)
            return age, Ending(EndKind.ENDED, notes.ended, ended_for), None
        if notes.absent is not None and age <= self._limit:
            return age, Ending(EndKind.VANISHED, GONE), None
        return age, None, up_since_of(beat.lease)

    def _skip(self, name: str) -> None:
        """Leave out a Lease that is none of ours; tell it once, with how many there are."""
        if name not in self._foreign:
            self._foreign.add(name)
            LOG.warning(
                "Lease %r carries our labels but is none of ours or was damaged, and is left out "
                "(%d such by now); remove it or its labels",
                name,
                len(self._foreign),
            )


def _held(held: Mapping[Key, Member], left: Member) -> Member:
    """Return who left as its reader held it, if that is the same life."""
    member = held.get(key_of(left))
    same = member is not None and layout.life_of(member) == layout.life_of(left)
    return member if same and member is not None else left


#: What the class itself would do, in half the time: there are tens of thousands.
_new = tuple.__new__
