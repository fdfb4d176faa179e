"""Reading members: one SELECT for description, life, operator's word and witness together."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa

from servicegroup.clock import boottime
from servicegroup.config import Settings
from servicegroup.db import rows
from servicegroup.db.engine import Database
from servicegroup.db.rows import MICROSECONDS, Columns, Row
from servicegroup.db.tables import instances, removed, services
from servicegroup.driver import Ages, Sightings
from servicegroup.model import Ending, EndKind, Member, Sighting

LOG = logging.getLogger(__name__)

#: Most bound parameters in one statement: SQLite before 3.32 allows 999.
CHUNK = 900

#: Seconds; a beat may come between the start of a look, which is its "now", and its reading.
NOTICEABLE = 1.0

_s, _i = services.c, instances.c


class Sight:
    """Turns the two tables into sightings. Usable from any thread."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._ahead = _Ahead(settings.service_down_time)
        columns = Columns(database.dialect, settings)
        source = services.outerjoin(instances, _i.instance_id == _s.instance_id)
        group = _s.group_id == sa.bindparam("group")
        current = sa.and_(group, _s.left_at.is_(None))
        one = sa.and_(group, _s.member_id == sa.bindparam("member"))
        some = sa.and_(group, _s.member_id.in_(sa.bindparam("members", expanding=True)))
        whole = sa.select(*columns.whole).select_from(source)
        narrow = sa.select(*columns.narrow).select_from(source)
        bare = sa.select(*columns.bare).select_from(source)
        prepared = database.prepared
        self._group = {True: prepared(whole.where(current)), False: prepared(narrow.where(current))}
        self._one = {True: prepared(whole.where(one)), False: prepared(narrow.where(one))}
        self._some = {True: whole.where(some), False: narrow.where(some)}
        self._ages = prepared(bare.where(current))
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
        found = self._rows(group_id, member_ids, attributes)
        described = rows.members if attributes else rows.lives
        return _look(self._sightings(described(group_id, found), found), found)

    def ages(self, group_id: str) -> Ages:
        """See :meth:`servicegroup.driver.Driver.ages`. One SELECT."""
        look = rows.ages(group_id, self._ages.rows({"group": group_id}))
        self._ahead.seen(min(filter(None, look.ages.values()), default=0.0))
        return look

    def groups(self) -> list[str]:
        """Names of the groups that have members."""
        return sorted(
            self._database.read(lambda connection: connection.scalars(self._groups).all())
        )

    def records(self, group_id: str | None, *, left: bool) -> Sightings:
        """Every record, of one group or all, as a sighting; with *left* also those that left."""
        statement = self._records
        if group_id is not None:
            statement = statement.where(_s.group_id == group_id)
        if not left:
            statement = statement.where(_s.left_at.is_(None))
        statement = statement.order_by(_s.group_id, _s.member_id)
        found = self._database.read(lambda connection: connection.execute(statement).all())
        members: list[Member] = []
        for start, end in _runs([row[-1] for row in found]):
            members += rows.members(found[start][-1], [row[:-1] for row in found[start:end]])
        return _look(self._sightings(members, found), found)

    def _rows(
        self, group_id: str, member_ids: Collection[str] | None, whole: bool
    ) -> Sequence[Row]:
        if member_ids is None:
            return self._group[whole].rows({"group": group_id})
        if len(member_ids) == 1:
            (member_id,) = member_ids
            return self._one[whole].rows({"group": group_id, "member": member_id})
        statement = self._some[whole]

        def chunks(connection: sa.Connection) -> list[Row]:
            found: list[Row] = []
            for chunk in chunked(member_ids):
                found += connection.execute(statement, {"group": group_id, "members": chunk}).all()
            return found

        return self._database.read(chunks)

    def _compared(
        self, group_id: str, member_ids: Collection[str] | None, known: Mapping[str, Member]
    ) -> Sightings:
        found = self._rows(group_id, member_ids, False)
        same: list[Member] = []
        rows_of_same: list[Row] = []
        again: list[str] = []
        for row in found:
            held = known.get(row[rows.MEMBER_ID])
            if held is not None and rows.same_life(held, row):
                same.append(held)
                rows_of_same.append(row)
            else:
                again.append(row[rows.MEMBER_ID])
        present = {row[rows.MEMBER_ID] for row in found}
        asked = known if member_ids is None else set(known).intersection(member_ids)
        gone = [member_id for member_id in asked if member_id not in present]
        seen = self._sightings(same, rows_of_same)
        if again or gone:
            read = self._rows(group_id, again + gone, True)
            seen += self._sightings(rows.members(group_id, read), read)
            there = {row[rows.MEMBER_ID] for row in read}
            seen += self._tombstones(group_id, [known[one] for one in gone if one not in there])
        return _look(seen, found)

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

    def _sightings(self, members: Iterable[Member], found: Sequence[Row]) -> list[Sighting]:
        seen = [rows.sighting(member, row) for member, row in zip(members, found, strict=True)]
        youngest = min((one.age for one in seen if one.age is not None), default=0.0)
        if youngest < 0:
            self._ahead.seen(youngest)
            seen = [one if one.age is None else one._replace(age=max(one.age, 0.0)) for one in seen]
        return seen


class _Ahead:
    """Tells when the database's clock stepped back: once a step, not at every look after it."""

    def __init__(self, apart: float) -> None:
        self._apart = apart
        self._until = float("-inf")

    def seen(self, age: float) -> None:
        """Take note of the youngest beat in a look; *age* is negative for one of the future."""
        if age > -NOTICEABLE:
            return
        until = boottime() - age
        if until > self._until + self._apart:
            LOG.warning(
                "the clock of the database stepped back by %.1f s or more: beats from its future "
                "count as fresh",
                -age,
            )
        self._until = max(self._until, until)


def _look(seen: Sequence[Sighting], found: Sequence[Row]) -> Sightings:
    if not found:
        return Sightings(seen)
    witnessed = any(row[rows.WITNESSED] for row in found)
    return Sightings(seen, witnessed, found[0][rows.NOW] / MICROSECONDS)


def chunked(values: Collection[str]) -> Iterator[list[str]]:
    """Cut *values* into lists that fit into one statement."""
    listed = list(values)
    for start in range(0, len(listed), CHUNK):
        yield listed[start : start + CHUNK]


def _runs(values: Sequence[str]) -> Iterator[tuple[int, int]]:
    start = 0
    for index in range(1, len(values) + 1):
        if index == len(values) or values[index] != values[start]:
            yield start, index
            start = index
