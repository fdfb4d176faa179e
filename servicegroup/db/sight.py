"""Reading members: one SELECT for description, life, operator's word and witness together."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from servicegroup.config import Settings
from servicegroup.db.dialect import Dialect
from servicegroup.db.engine import Database
from servicegroup.db.tables import instances, removed, services
from servicegroup.driver import Sightings
from servicegroup.model import Ending, EndKind, Member, Record, Sighting

LOG = logging.getLogger(__name__)

#: Most bound parameters in one statement: SQLite before 3.32 allows 999.
CHUNK = 900
MICROSECONDS = 1_000_000

_s, _i = services.c, instances.c
_LIFE = (_s.instance_id, _s.incarnation, _s.revision)
_DESCRIPTION = (
    _s.name,
    _s.hostname,
    _s.process_id,
    _s.started_at,
    _s.attributes,
    _s.version,
    _s.withdrawn,
)
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


class Sight:
    """Turns the two tables into sightings. Stateless but for its prepared statements."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._interval = settings.report_interval
        head = _head(database.dialect, settings)
        source = services.outerjoin(instances, _i.instance_id == _s.instance_id)
        group = _s.group_id == sa.bindparam("group")
        current = sa.and_(group, _s.left_at.is_(None))
        wanted = sa.and_(group, _s.member_id.in_(sa.bindparam("members", expanding=True)))
        whole = sa.select(*head, *_DESCRIPTION).select_from(source)
        narrow = sa.select(*head).select_from(source)
        self._group = {True: whole.where(current), False: narrow.where(current)}
        self._members = {True: whole.where(wanted), False: narrow.where(wanted)}
        self._records = whole.add_columns(_s.group_id)
        self._groups = sa.select(_s.group_id).where(_s.left_at.is_(None)).distinct()

    def sightings(
        self,
        group_id: str,
        member_ids: Collection[str] | None = None,
        *,
        known: Mapping[str, Member] | None = None,
        attributes: bool = True,
    ) -> Sightings:
        """See :meth:`servicegroup.driver.Driver.sightings`. One SELECT, two if *known* misses."""
        if known:
            return self._compared(group_id, member_ids, known)
        return self._seen(group_id, self._rows(group_id, member_ids, attributes), attributes)

    def groups(self) -> list[str]:
        """Names of the groups that have members."""
        rows = self._database.read(lambda connection: connection.scalars(self._groups).all())
        return sorted(rows)

    def records(self, group_id: str | None, *, left: bool) -> Sightings:
        """Every record, of one group or all, as a sighting; with *left* also those that left."""
        statement = self._records
        if group_id is not None:
            statement = statement.where(_s.group_id == group_id)
        if not left:
            statement = statement.where(_s.left_at.is_(None))
        statement = statement.order_by(_s.group_id, _s.member_id)
        rows = self._database.read(lambda connection: connection.execute(statement).all())
        seen: list[Sighting] = []
        for start, end in _runs([row[-1] for row in rows]):
            seen += self._seen(rows[start][-1], rows[start:end], whole=True).members
        return Sightings(seen, any(row.witnessed for row in rows))

    def _rows(
        self, group_id: str, member_ids: Collection[str] | None, whole: bool
    ) -> Sequence[Any]:
        if member_ids is None:
            statement = self._group[whole]
            return self._database.read(
                lambda connection: connection.execute(statement, {"group": group_id}).all()
            )
        statement = self._members[whole]

        def chunks(connection: sa.Connection) -> list[Any]:
            rows: list[Any] = []
            for chunk in chunked(member_ids):
                rows += connection.execute(statement, {"group": group_id, "members": chunk}).all()
            return rows

        return self._database.read(chunks)

    def _compared(
        self, group_id: str, member_ids: Collection[str] | None, known: Mapping[str, Member]
    ) -> Sightings:
        narrow = self._seen(group_id, self._rows(group_id, member_ids, False), whole=False)
        seen: list[Sighting] = []
        unknown: list[str] = []
        for sighting in narrow.members:
            held = known.get(sighting.member.member_id)
            if held is None or not same_life(held, sighting.member):
                unknown.append(sighting.member.member_id)
            else:
                seen.append(sighting._replace(member=held))
        present = {sighting.member.member_id for sighting in narrow.members}
        asked = known if member_ids is None else set(known).intersection(member_ids)
        gone = [member_id for member_id in asked if member_id not in present]
        if unknown or gone:
            rows = self._rows(group_id, unknown + gone, True)
            again = self._seen(group_id, rows, whole=True).members
            seen += again
            found = {sighting.member.member_id for sighting in again}
            seen += self._tombstones(group_id, [known[one] for one in gone if one not in found])
        return narrow._replace(members=seen)

    def _tombstones(self, group_id: str, members: Sequence[Member]) -> list[Sighting]:
        if not members:
            return []
        r = removed.c
        statement = sa.select(r.member_id, r.instance_id).where(
            r.group_id == group_id, r.member_id.in_(sa.bindparam("members", expanding=True))
        )

        def chunks(connection: sa.Connection) -> set[tuple[str, str]]:
            found: set[tuple[str, str]] = set()
            for chunk in chunked([member.member_id for member in members]):
                found.update(map(tuple, connection.execute(statement, {"members": chunk})))
            return found

        buried = self._database.read(chunks)
        return [
            Sighting(member, ended=Ending(EndKind.LEFT, "removed"))
            for member in members
            if (member.member_id, member.instance_id) in buried
        ]

    def _seen(self, group_id: str, rows: Sequence[Any], whole: bool) -> Sightings:
        if not rows:
            return Sightings([])
        descriptions: Iterable[Any] = (
            _descriptions(group_id, rows) if whole else _lives(group_id, rows)
        )
        seen = [_sighting(member, row) for member, row in zip(descriptions, rows, strict=True)]
        negative = min((s.age for s in seen if s.age is not None), default=0.0)
        if negative < 0:
            LOG.warning(
                "the clock of the database stepped back by %.1f s or more: beats from its future "
                "count as fresh",
                -negative,
            )
            seen = [s._replace(age=max(s.age, 0.0)) if s.age is not None else s for s in seen]
        witnessed = any(row.witnessed for row in rows)
        return Sightings(seen, witnessed, rows[0].now / MICROSECONDS)


def same_life(held: Member, seen: Member) -> bool:
    """Whether what is *held* still describes the member that was *seen*."""
    return (
        held.revision == seen.revision
        and held.instance_id == seen.instance_id
        and held.incarnation == seen.incarnation
    )


def chunked(values: Collection[str]) -> Iterator[list[str]]:
    """Cut *values* into lists that fit into one statement."""
    listed = list(values)
    for start in range(0, len(listed), CHUNK):
        yield listed[start : start + CHUNK]


def _head(dialect: Dialect, settings: Settings) -> list[sa.ColumnElement[Any]]:
    """Return the columns of the narrow list: life, beat, ending, operator's word, witness."""
    now = sa.literal_column(dialect.now, sa.BigInteger)
    boot = sa.literal_column(dialect.boot, sa.String)
    limit = round(settings.service_down_time * MICROSECONDS)
    steady = round(settings.steady_gap * MICROSECONDS)
    w = instances.alias("w").c
    heard = sa.exists().where(
        w.beat_at >= now - steady,
        w.steady_since <= now - limit,
        w.ended_at.is_(None),
        w.boot_id == boot,
    )
    witnessed = sa.case((now - _i.beat_at > limit, heard.correlate(None)))
    return [
        _s.member_id,
        *_LIFE,
        *_RECORD,
        _i.beat_at,
        _i.steady_since,
        (_i.boot_id != boot).label("rebooted"),
        _i.ended_at,
        _i.ended_reason,
        _s.up_since,
        _s.withdrawn.label("withdrawn_reason"),
        _s.withdrawn_at,
        now.label("now"),
        sa.literal_column(dialect.wall, sa.BigInteger).label("wall"),
        witnessed.label("witnessed"),
    ]


def _sighting(member: Member, row: Any) -> Sighting:
    now = row.now
    age = since = None
    if row.beat_at is not None:
        age = (now - row.beat_at) / MICROSECONDS
        since = (now - max(row.up_since, row.steady_since)) / MICROSECONDS
    record = Record(
        row.id,
        row.uuid,
        row.created_at / MICROSECONDS,
        _seconds(row.updated_at),
        _seconds(row.left_at),
        bool(row.disabled),
        row.disabled_reason,
        bool(row.forced_down),
        row.forced_down_reason,
        _seconds(row.forced_down_at),
    )
    return Sighting(member, age, _ending(row), since, record)


def _ending(row: Any) -> Ending | None:
    if row.left_at is not None:
        return Ending(EndKind.LEFT, "left", _between(row.left_at, row.wall))
    if row.ended_at is not None:
        return Ending(EndKind.ENDED, row.ended_reason, _between(row.ended_at, row.now))
    if row.rebooted:
        return Ending(EndKind.ENDED, "its host was restarted")
    if row.beat_at is None:
        return Ending(EndKind.VANISHED, "the database lost the row of its process")
    if row.withdrawn_reason is not None:
        return Ending(EndKind.WITHDRAWN, row.withdrawn_reason, _between(row.withdrawn_at, row.wall))
    return None


def _lives(group_id: str, rows: Sequence[Any]) -> Iterator[Member]:
    for row in rows:
        yield Member(
            group_id,
            row.member_id,
            instance_id=row.instance_id or "",
            incarnation=row.incarnation,
            revision=row.revision,
        )


def _descriptions(group_id: str, rows: Sequence[Any]) -> Iterator[Member]:
    for row, attributes in zip(rows, _decoded([row.attributes for row in rows]), strict=True):
        yield Member(
            group_id,
            row.member_id,
            row.name,
            row.hostname,
            row.process_id,
            row.started_at / MICROSECONDS,
            attributes,
            row.version,
            row.instance_id or "",
            row.incarnation,
            row.revision,
            row.withdrawn,
        )


def _decoded(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Decode all attributes at once, which takes half the time of one by one."""
    try:
        together: list[dict[str, Any]] = json.loads(f"[{','.join(texts)}]")
    except ValueError:
        return [_decoded_alone(text) for text in texts]
    if len(together) != len(texts):  # a damaged text can look like two
        return [_decoded_alone(text) for text in texts]
    return together


def _decoded_alone(text: str) -> dict[str, Any]:
    try:
        alone = json.loads(text)
    except ValueError:
        alone = None
    if not isinstance(alone, dict):
        LOG.error("attributes in the database are damaged and were left out: %.60r", text)
        return {}
    return alone


def _runs(values: Sequence[str]) -> Iterator[tuple[int, int]]:
    start = 0
    for index in range(1, len(values) + 1):
        if index == len(values) or values[index] != values[start]:
            yield start, index
            start = index


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / MICROSECONDS


def _between(earlier: int | None, now: int) -> float | None:
    return None if earlier is None else max(0.0, (now - earlier) / MICROSECONDS)
