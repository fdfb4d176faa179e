"""Sightings: who is in a group, as far as the caller asks. Presence is the proof of life."""

from __future__ import annotations

from collections.abc import Collection

from servicegroup.driver import Sightings
from servicegroup.model import Ending, EndKind, Member, Sighting

from .view import View


def sightings(view: View, member_ids: Collection[str] | None, known: Collection[str]) -> Sightings:
    """Return what a view shows; see :meth:`servicegroup.driver.Driver.sightings`."""
    there, left, over = view.members, view.left, view.over
    if member_ids is not None:
        wanted = set(member_ids)
        there = {one: seen for one, seen in there.items() if one in wanted}
        asked = wanted & left.keys()
    else:
        asked = left.keys() & known
    seen = list(there.values())
    if over:
        seen = [_ended(view, one) if one.member.instance_id in over else one for one in seen]
    for member_id in asked:
        life = left[member_id]
        gone = Member(
            view.group_id,
            member_id,
            instance_id=life.instance_id,
            incarnation=life.incarnation,
        )
        seen.append(Sighting(gone, None, Ending(EndKind.LEFT, "left")))
    return Sightings(seen)


def _ended(view: View, sighting: Sighting) -> Sighting:
    reason = view.ended(sighting.member.instance_id) or ""
    return sighting._replace(ended=Ending(EndKind.ENDED, reason))
