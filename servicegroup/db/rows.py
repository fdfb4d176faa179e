"""Rows of members: the columns of a look in their order, and the sightings made of them.

A listing makes tens of thousands of sightings. So each kind of look selects just what it needs,
the database does the arithmetic, and rows are taken apart by position: here, and nowhere else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from servicegroup.config import Settings
from servicegroup.db.dialect import Dialect
from servicegroup.db.tables import instances, services
from servicegroup.driver import Ages
from servicegroup.flaps import Flaps, remade
from servicegroup.model import Ending, EndKind, Member, Record, Sighting

LOG = logging.getLogger(__name__)

MICROSECONDS = 1_000_000

#: A row as the client library or SQLAlchemy returns it.
Row = Sequence[Any]

_s, _i = services.c, instances.c

_LIFE = (_s.instance_id, _s.incarnation, _s.revision)
_RECORD = (
    _s.id,
    _s.uuid,
    _s.created_at,
    _s.updated_at,
    _s.left_at,
    _s.disabled,
    _s.disabled_reason,
    _s.forced_down,
    _s.forced_down_reason,
    _s.forced_down_at,
)
_DESCRIPTION = (
    _s.name,
    _s.hostname,
    _s.process_id,
    _s.started_at,
    _s.attributes,
    _s.version,
    _s.withdrawn.label("withdrawn_reason"),
    _s.flaps,
)
# The row: member id and life, the record, seven signs of life, in a whole one the description.
MEMBER_ID = 0
_LIFE_PART = slice(0, 1 + len(_LIFE))
_SIGNS_PART = slice(_LIFE_PART.stop, _LIFE_PART.stop + len(_RECORD) + 7)
_DESCRIPTION_PART = slice(_SIGNS_PART.stop, None)
WITNESSED, NOW = _SIGNS_PART.stop - 2, _SIGNS_PART.stop - 1

#: How a life ended, by the number that stands for it in a row.
_ENDINGS: Final = {
    1: (EndKind.LEFT, "left"),
    2: (EndKind.ENDED, None),
    3: (EndKind.ENDED, "its host was restarted"),
    4: (EndKind.VANISHED, "the database lost the row of its process"),
    5: (EndKind.WITHDRAWN, None),
}
_TIMELESS = (3, 4)
#: In a bare row in place of an ending: the operator forced the member down, whatever its end.
_FORCED = 0


class Columns:
    """What is selected: ``narrow`` names a member and its life, ``whole`` also describes it.

    ``bare`` is what a verdict takes: the id, the age, whatever overrules it, and the witness.
    """

    def __init__(self, dialect: Dialect, settings: Settings) -> None:
        now = sa.literal_column(dialect.now, sa.BigInteger)
        wall = sa.literal_column(dialect.wall, sa.BigInteger)
        boot = sa.literal_column(dialect.boot, sa.String)
        member_id = dialect.text(_s.member_id)
        up_since = sa.case((_s.up_since > _i.steady_since, _s.up_since), else_=_i.steady_since)
        ending = sa.case(
            (_s.left_at.is_not(None), _number(1)),
            (_i.ended_at.is_not(None), _number(2)),
            (_i.boot_id != boot, _number(3)),
            (_i.beat_at.is_(None), _number(4)),
            (_s.withdrawn.is_not(None), _number(5)),
        )
        since_the_end = sa.case(
            (_s.left_at.is_not(None), wall - _s.left_at),
            (_i.ended_at.is_not(None), now - _i.ended_at),
            else_=wall - _s.withdrawn_at,
        )
        witnessed = _witnessed(now, boot, settings)
        self.bare: Sequence[sa.ColumnElement[Any]] = (
            member_id,
            now - _i.beat_at,
            sa.case((_s.forced_down, _number(_FORCED)), else_=ending),
            witnessed,
        )
        self.narrow: Sequence[sa.ColumnElement[Any]] = (
            member_id,
            *_LIFE,
            *_RECORD,
            now - _i.beat_at,
            now - up_since,
            ending,
            sa.case((_i.ended_at.is_not(None), _i.ended_reason), else_=_s.withdrawn),
            since_the_end,
            witnessed,
            now,
        )
        self.whole: Sequence[sa.ColumnElement[Any]] = (*self.narrow, *_DESCRIPTION)


def sighting(member: Member, row: Row) -> Sighting:
    """Return what a narrow or whole row says of *member*."""
    (
        record_id,
        uuid,
        created_at,
        updated_at,
        left_at,
        disabled,
        disabled_reason,
        forced_down,
        forced_down_reason,
        forced_down_at,
        age,
        since,
        ending,
        reason,
        since_the_end,
        _witnessed,
        _now,
    ) = row[_SIGNS_PART]
    record = Record(
        record_id,
        uuid,
        created_at / MICROSECONDS,
        None if updated_at is None else updated_at / MICROSECONDS,
        None if left_at is None else left_at / MICROSECONDS,
        bool(disabled),
        disabled_reason,
        bool(forced_down),
        forced_down_reason,
        None if forced_down_at is None else forced_down_at / MICROSECONDS,
    )
    return Sighting(
        member,
        None if age is None else age / MICROSECONDS,
        None if ending is None else _ending(ending, reason, since_the_end),
        None if since is None else since / MICROSECONDS,
        record,
    )


def ages(group_id: str, rows: Iterable[Row]) -> Ages:
    """Return what bare rows say of a group."""
    by_id: dict[str, float | None] = {}
    others = []
    witnessed = False
    for member_id, age, verdict, heard in rows:
        if heard:
            witnessed = True
        if verdict is None:
            by_id[member_id] = age / MICROSECONDS
        else:
            others.append(_overruled(Member(group_id, member_id), verdict))
    return Ages(by_id, others, witnessed)


def lives(group_id: str, rows: Sequence[Row]) -> Iterator[Member]:
    """Return the members of narrow rows: who they are and which life, nothing else."""
    for row in rows:
        member_id, instance_id, incarnation, revision = row[_LIFE_PART]
        yield Member(
            group_id,
            member_id,
            instance_id=instance_id or "",
            incarnation=incarnation,
            revision=revision,
        )


def same_life(held: Member, row: Row) -> bool:
    """Whether what is *held* still describes the member of a row."""
    _, instance_id, incarnation, revision = row[_LIFE_PART]
    return (
        held.revision == revision
        and held.instance_id == (instance_id or "")
        and held.incarnation == incarnation
    )


def members(group_id: str, rows: Sequence[Row]) -> Iterator[Member]:
    """Return the members of whole rows."""
    descriptions = [row[_DESCRIPTION_PART] for row in rows]
    decoded = _decoded([description[4] for description in descriptions])
    for row, description, attributes in zip(rows, descriptions, decoded, strict=True):
        member_id, instance_id, incarnation, revision = row[_LIFE_PART]
        name, hostname, process_id, started_at, _, version, withdrawn, flaps = description
        yield Member(
            group_id,
            member_id,
            name,
            hostname,
            process_id,
            started_at / MICROSECONDS,
            attributes,
            version,
            instance_id or "",
            incarnation,
            revision,
            withdrawn,
            unpacked_flaps(flaps),
        )


def unpacked_flaps(text: str | None) -> Flaps | None:
    """Return what the column ``flaps`` holds: a JSON list; ``None`` where it is damaged."""
    try:
        return None if text is None else remade(json.loads(text))
    except (ValueError, RecursionError):
        LOG.error("the count of a member's returns is damaged and was left out: %.60r", text)
        return None


def _overruled(member: Member, number: int) -> Sighting:
    if number == _FORCED:
        return Sighting(member, record=Record(0, "", forced_down=True))
    return Sighting(member, ended=_ending(number, None, None))


def _ending(number: int, reason: str | None, microseconds: int | None) -> Ending:
    kind, words = _ENDINGS[number]
    age = None
    if microseconds is not None and number not in _TIMELESS:
        age = max(0.0, microseconds / MICROSECONDS)
    return Ending(kind, (reason or "") if words is None else words, age)


def _witnessed(
    now: sa.ColumnElement[int], boot: sa.ColumnElement[str], settings: Settings
) -> sa.ColumnElement[bool]:
    """Return whether somebody was heard throughout the limit; asked for the silent ones only."""
    limit = _number(round(settings.service_down_time * MICROSECONDS))
    steady = _number(round(settings.steady_gap * MICROSECONDS))
    w = instances.alias("w").c
    heard = sa.exists().where(
        w.beat_at >= now - steady,
        w.steady_since <= now - limit,
        w.ended_at.is_(None),
        w.boot_id == boot,
    )
    return sa.case((now - _i.beat_at > limit, heard.correlate(None)))


def _number(number: int) -> sa.ColumnElement[int]:
    return sa.literal_column(str(number), sa.BigInteger)


def _decoded(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Decode all attributes at once, which takes half the time of one by one."""
    try:
        together: list[dict[str, Any]] = json.loads(f"[{','.join(texts)}]")
    except (ValueError, RecursionError):
        return [_decoded_alone(text) for text in texts]
    if len(together) != len(texts) or not {dict}.issuperset(map(type, together)):
        return [_decoded_alone(text) for text in texts]
    return together


def _decoded_alone(text: str) -> dict[str, Any]:
    try:
        alone = json.loads(text)
    except (ValueError, RecursionError):
        alone = None
    if not isinstance(alone, dict):
        LOG.error("attributes in the database are damaged and were left out: %.60r", text)
        return {}
    return alone
