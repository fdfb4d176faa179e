"""Writing members: join, update, heartbeat, leave. Every change is one transaction.

Locks are taken in one order everywhere: rows of ``services`` by group and member id, then rows of
``instances`` by id. What still deadlocks is repeated by :meth:`Database.transaction`.

The protocol of generations: an instance's row holds a number; whoever takes a member away from an
instance raises it in the same transaction; the beat names the number it saw last and matches no
row when it moved. Only then does the owner read what happened to its members.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from servicegroup.config import Settings
from servicegroup.db.beat import Beat, Tally
from servicegroup.db.engine import Database
from servicegroup.db.notices import Notices
from servicegroup.db.rows import MICROSECONDS, unpacked_flaps
from servicegroup.db.sight import chunked
from servicegroup.db.tables import instances, removed, services
from servicegroup.driver import Loss, Lost
from servicegroup.model import Member, encode_attributes

Key = tuple[str, str]

_s, _i = services.c, instances.c


class Membership:
    """The write side of the records. Usable from any thread."""

    def __init__(self, database: Database, settings: Settings, instance_id: str) -> None:
        self._database = database
        self._instance_id = instance_id
        self._notices = Notices(database.dialect)
        self.beat = Beat(database, settings)
        self._now = sa.literal_column(database.dialect.now, sa.BigInteger)
        self._wall = sa.literal_column(database.dialect.wall, sa.BigInteger)

    def join(self, members: Sequence[Member]) -> list[Member]:
        """See :meth:`servicegroup.driver.Driver.join`."""

        def write(connection: sa.Connection) -> list[Member]:
            rows = self._locked(connection, members)
            buried = self._buried(connection, members)
            now, wall = connection.execute(sa.select(self._now, self._wall)).one()
            stored = []
            for member in members:
                row, key = rows.get(_key(member)), _key(member)
                last = max(row.incarnation if row else 0, *buried.get(key, {"": 0}).values())
                before = _life(member, row) if row and row.left_at is None else None
                stored.append(member.joined(last + 1, wall / MICROSECONDS, before))
            self._bind(connection, stored, rows, now, wall)
            return stored

        joined = self._database.transaction(write)
        self.beat.started(members)
        self.beat.sweep()
        return joined

    def update(self, members: Sequence[Member]) -> list[Lost]:
        """See :meth:`servicegroup.driver.Driver.update`."""

        def write(connection: sa.Connection) -> list[Lost]:
            rows = self._locked(connection, members)
            buried = self._buried(connection, members)
            lost, kept = [], []
            for member in members:
                row = rows.get(_key(member))
                loss = _obstacle(member, row, buried.get(_key(member), {}))
                if loss is not None:
                    lost.append(loss)
                elif row is None or row.revision <= member.revision or not _same(member, row):
                    kept.append(member)
            if kept:
                now, wall = connection.execute(sa.select(self._now, self._wall)).one()
                self._bind(connection, kept, rows, now, wall)
            return lost

        lost = self._database.transaction(write)
        self.beat.started(members)
        return lost

    def heartbeat(self, instance_id: str, members: Sequence[Member]) -> list[Lost]:
        """See :meth:`servicegroup.driver.Driver.heartbeat`. One UPDATE, unless something moved."""
        if self.beat.renewed(instance_id):
            return []
        standing = self.beat.standing(instance_id)  # first: what comes later raises it again
        lost, tally = self._inspected(instance_id, members)
        self.beat.renew(instance_id, standing, members, None if lost else tally)
        return lost

    def leave(self, members: Sequence[Member]) -> None:
        """See :meth:`servicegroup.driver.Driver.leave`. The record stays."""

        def write(connection: sa.Connection) -> None:
            rows = self._locked(connection, members)
            gone = [m for m in members if _same(m, rows.get(_key(m)))]
            self.unbind(connection, [rows[_key(m)] for m in gone])
            if gone:
                self._notices.members(connection, map(_key, gone))

        self._database.transaction(write)

    def unbind(self, connection: sa.Connection, rows: Sequence[Any]) -> None:
        """End the membership of locked *rows* within a transaction, and tell their owners."""
        if not rows:
            return
        beat_at = sa.select(_i.beat_at).where(_i.instance_id == _s.instance_id).scalar_subquery()
        statement = (
            sa.update(services)
            .where(_s.id.in_(sa.bindparam("ids", expanding=True)))
            .values(
                last_seen_at=self._wall - (self._now - beat_at),
                left_at=self._wall,
                instance_id=None,
            )
        )
        for chunk in chunked([row.id for row in rows]):
            connection.execute(statement, {"ids": chunk})
        owners = {row.instance_id for row in rows if row.instance_id is not None}
        self._raise(connection, owners - {self._instance_id})
        self.beat.dropped(connection, owners & {self._instance_id})

    def locked_row(self, connection: sa.Connection, group_id: str, member_id: str) -> Any | None:
        """Lock one row within a transaction and return it, or ``None`` where there is none."""
        return self._locked(connection, [Member(group_id, member_id)]).get((group_id, member_id))

    def _locked(self, connection: sa.Connection, members: Sequence[Member]) -> dict[Key, Any]:
        statement = (
            sa.select(
                _s.id,
                _s.group_id,
                _s.member_id,
                _s.instance_id,
                _s.incarnation,
                _s.revision,
                _s.hostname,
                _s.process_id,
                _s.left_at,
                _s.flaps,
            )
            .where(
                _s.group_id == sa.bindparam("group"),
                _s.member_id.in_(sa.bindparam("members", expanding=True)),
            )
            .order_by(_s.group_id, _s.member_id)
        )
        if self._database.dialect.locks_rows:
            statement = statement.with_for_update(of=services)
        return _found(connection, statement, members)

    def _buried(
        self, connection: sa.Connection, members: Sequence[Member]
    ) -> dict[Key, dict[str, int]]:
        """Return the incarnations of removed lives: {key: {instance id: incarnation}}."""
        r = removed.c
        statement = sa.select(r.group_id, r.member_id, r.instance_id, r.incarnation).where(
            r.group_id == sa.bindparam("group"),
            r.member_id.in_(sa.bindparam("members", expanding=True)),
        )
        graves: dict[Key, dict[str, int]] = {}
        for group_id, ids in _by_group(members).items():
            for chunk in chunked(ids):
                for row in connection.execute(statement, {"group": group_id, "members": chunk}):
                    lives = graves.setdefault((row.group_id, row.member_id), {})
                    lives[row.instance_id] = row.incarnation
        return graves

    def _bind(
        self,
        connection: sa.Connection,
        members: Sequence[Member],
        rows: Mapping[Key, Any],
        now: int,
        wall: int,
    ) -> None:
        """Store *members* under their instances and tell those that held them before."""
        fresh, again = [], []
        for member in sorted(members, key=_key):
            values = _values(member, now, wall)
            row = rows.get(_key(member))
            if row is None:
                fresh.append(values | _new_record(wall))
            else:
                changed = {f"new_{name}": values[name] for name in _CHANGED}
                again.append(changed | {"row_id": row.id, "same": _same(member, row)})
        if fresh:
            connection.execute(sa.insert(services), fresh)
        if again:
            connection.execute(_rebind(), again)
        before = (rows.get(_key(member)) for member in members)
        held = {row.instance_id for row in before if row and row.instance_id is not None}
        mine = {member.instance_id for member in members}
        for instance_id in sorted(held | mine):
            if instance_id in mine:
                self.beat.revive(connection, instance_id, members[0])
            else:
                self._raise(connection, {instance_id})
        self._notices.members(connection, map(_key, members))

    def _raise(self, connection: sa.Connection, owners: set[str]) -> None:
        statement = (
            sa.update(instances)
            .where(_i.instance_id == sa.bindparam("owner"))
            .values(generation=_i.generation + 1)
        )
        for owner in sorted(owners):
            connection.execute(statement, {"owner": owner})

    def _inspected(self, instance_id: str, members: Sequence[Member]) -> tuple[list[Lost], Tally]:
        """Find which of *members* this instance no longer holds, and by what evidence.

        And what the rows of those that it holds add up to.
        """
        bound = sa.select(_s.group_id, _s.member_id, _s.id, _s.incarnation, _s.revision).where(
            _s.instance_id == instance_id
        )

        def look(connection: sa.Connection) -> tuple[list[Lost], Tally]:
            mine = connection.execute(bound).all()
            ids, incarnations, revisions = (sum(row[n] for row in mine) for n in (2, 3, 4))
            tally = (len(mine), ids, incarnations, revisions)
            held = {(row[0], row[1]): row[3] for row in mine}
            troubled = [m for m in members if held.get(_key(m)) != m.incarnation]
            if not troubled:
                return [], tally
            statement = sa.select(services).where(
                _s.group_id == sa.bindparam("group"),
                _s.member_id.in_(sa.bindparam("members", expanding=True)),
            )
            rows = _found(connection, statement, troubled)
            buried = self._buried(connection, troubled)
            lost = [
                _obstacle(member, rows.get(_key(member)), buried.get(_key(member), {}))
                or Lost(member, Loss.MISSING)
                for member in troubled
            ]
            return lost, tally

        return self._database.read(look)


def _found(
    connection: sa.Connection, statement: sa.Select[Any], members: Sequence[Member]
) -> dict[Key, Any]:
    rows: dict[Key, Any] = {}
    for group_id, ids in sorted(_by_group(members).items()):
        for chunk in chunked(sorted(ids)):
            for row in connection.execute(statement, {"group": group_id, "members": chunk}):
                rows[row.group_id, row.member_id] = row
    return rows


def _obstacle(member: Member, row: Any | None, buried: Mapping[str, int]) -> Lost | None:
    """Return the evidence that *member*'s life is over, or ``None`` where there is none."""
    if row is not None and row.incarnation > member.incarnation:
        return Lost(member, Loss.SUPERSEDED, _life(member, row))
    if member.instance_id in buried and buried[member.instance_id] >= member.incarnation:
        return Lost(member, Loss.REMOVED)
    if row is None or row.incarnation < member.incarnation:
        return None
    if row.instance_id is None and row.left_at is not None:
        return Lost(member, Loss.REMOVED)
    if row.instance_id not in (None, member.instance_id):
        return Lost(member, Loss.SUPERSEDED, _life(member, row))
    return None


def _life(member: Member, row: Any) -> Member:
    return Member(
        member.group_id,
        member.member_id,
        hostname=row.hostname,
        process_id=row.process_id,
        instance_id=row.instance_id or "",
        incarnation=row.incarnation,
        flaps=unpacked_flaps(row.flaps),
    )


def _same(member: Member, row: Any | None) -> bool:
    return (
        row is not None
        and row.instance_id == member.instance_id
        and row.incarnation == member.incarnation
    )


def _key(member: Member) -> Key:
    return (member.group_id, member.member_id)


def _by_group(members: Sequence[Member]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for member in members:
        grouped.setdefault(member.group_id, []).append(member.member_id)
    return grouped


def _values(member: Member, now: int, wall: int) -> dict[str, Any]:
    started = wall if member.started_at is None else round(member.started_at * MICROSECONDS)
    return {
        "group_id": member.group_id,
        "member_id": member.member_id,
        "name": member.name,
        "hostname": member.hostname,
        "process_id": member.process_id,
        "attributes": encode_attributes(member.attributes),
        "revision": member.revision,
        "version": member.version,
        "instance_id": member.instance_id,
        "incarnation": member.incarnation,
        "started_at": started,
        "up_since": now,
        "withdrawn": member.withdrawn,
        "withdrawn_at": None if member.withdrawn is None else wall,
        "flaps": None if member.flaps is None else json.dumps(member.flaps),
    }


def _new_record(wall: int) -> dict[str, Any]:
    return {
        "uuid": str(uuid.uuid4()),
        "disabled": False,
        "forced_down": False,
        "created_at": wall,
    }


#: What a join or an update writes over an existing record.
_CHANGED = (
    "up_since",
    "name",
    "hostname",
    "process_id",
    "attributes",
    "revision",
    "version",
    "instance_id",
    "incarnation",
    "started_at",
    "withdrawn",
    "withdrawn_at",
    "flaps",
)


def _rebind() -> sa.Update:
    """Store a member over its row; an operator's word, uuid and creation stay as they are.

    In the order of ``_CHANGED``: MySQL evaluates assignments from left to right, with the new
    values, and whether the member was well is read from its old row.
    """
    was_well = sa.and_(sa.bindparam("same", type_=sa.Boolean), _s.withdrawn.is_(None))
    values: list[tuple[Any, Any]] = [
        (_s[name], sa.bindparam(f"new_{name}", type_=_s[name].type)) for name in _CHANGED
    ]
    values[0] = (_s.up_since, sa.case((was_well, _s.up_since), else_=values[0][1]))
    values.append((_s.left_at, None))
    return sa.update(services).where(_s.id == sa.bindparam("row_id")).ordered_values(*values)
