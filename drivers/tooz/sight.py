"""Sightings: who is in a group, as far as the caller asks. Presence is the proof of life."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from servicegroup.driver import Sightings
from servicegroup.model import Ending, EndKind, Member, Sighting

from . import layout
from .view import Life, View

LOG = logging.getLogger(__name__)


def sightings(
    view: View,
    member_ids: Collection[str] | None,
    known: Mapping[str, Member],
    *,
    attributes: bool,
) -> Sightings:
    """Return what a view shows; see :meth:`servicegroup.driver.Driver.sightings`."""
    there, left = view.members, view.left
    if member_ids is not None:
        wanted = set(member_ids)
        there = {one: life for one, life in there.items() if one in wanted}
        asked = wanted & left.keys()
    else:
        asked = known.keys() & left.keys()
    seen = []
    for member_id, life in there.items():
        try:
            member = _member(view, life, known.get(member_id), attributes=attributes)
        except (ValueError, TypeError) as error:
            LOG.warning(
                "member %r of group %r is not written by us and left out: %s",
                member_id,
                view.group_id,
                error,
            )
            continue
        seen.append(Sighting(member, None, _ending(view, member)))
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


def _member(view: View, life: Life, held: Member | None, *, attributes: bool) -> Member:
    row = life.row
    assert row is not None
    same = held is not None and (held.incarnation, held.instance_id) == life[:2]
    if same and held is not None and held.revision == row[2]:
        return held
    return layout.member(view.group_id, life.instance_id, row, attributes=attributes)


def _ending(view: View, member: Member) -> Ending | None:
    reason = view.ended(member.instance_id)
    if reason is not None:
        return Ending(EndKind.ENDED, reason)
    if member.withdrawn is not None:
        return Ending(EndKind.WITHDRAWN, member.withdrawn)
    return None
