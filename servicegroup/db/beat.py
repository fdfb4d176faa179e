"""The beat: one UPDATE of one row a process, whatever the number of its members."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from servicegroup.clock import boottime
from servicegroup.config import Settings
from servicegroup.db.engine import Database
from servicegroup.db.notices import Notices
from servicegroup.db.tables import instances, removed, services
from servicegroup.model import Member

_i, _s = instances.c, services.c
#: Seconds between two removals of rows that nobody needs any more, per process.
SWEEP_EVERY = 600.0
#: Seconds for which tombstones are kept: a process paused for longer may rise again.
BURIED_FOR = 30 * 86400.0
#: Looks that may be spared in a row where the tally is as it was: no tally tells everything.
SPARED = 10
_FIRST_GENERATION = 1

#: How many rows, and the sums of their ids, incarnations and revisions.
Tally = tuple[int, int, int, int]


class Standing(NamedTuple):
    """What a row of ``instances`` says before it is renewed; *alive*: neither ended nor silent."""

    generation: int
    alive: bool


class Looked(NamedTuple):
    """When all members were looked at, by our clock, and what their rows added up to then.

    ``spared``: how often the tally alone was looked at since.
    """

    at: float
    tally: Tally | None = None
    spared: int = 0


class Beat:
    """Renews rows of ``instances`` and remembers the generation that each had last."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._seen: dict[str, int | None] = {}
        self._made: set[str] = set()
        self._looked: dict[str, Looked] = {}
        self._swept = float("-inf")
        #: Whose name a row without members bears.
        self._nobody = Member("", "", hostname=settings.host, process_id=os.getpid())
        dialect = database.dialect
        self._notices = Notices(dialect)
        self._now = sa.literal_column(dialect.now, sa.BigInteger)
        self._wall = sa.literal_column(dialect.wall, sa.BigInteger)
        self._boot = sa.literal_column(dialect.boot, sa.String)
        limit = round(1_000_000 * settings.service_down_time)
        self._alive = sa.and_(_i.ended_at.is_(None), _i.beat_at >= self._now - limit)
        unmoved = _i.generation == sa.bindparam("seen")
        self._renew = database.prepared_beat(self._continuation())
        self._renew_alive = self._renewal().where(self._alive)
        self._revive = self._renewal(revive=True)
        self._tally = database.prepared_beat(
            sa.select(
                sa.func.count(),
                *(sa.func.sum(column) for column in (_s.id, _s.incarnation, _s.revision)),
            ).where(_s.instance_id == sa.bindparam("me"))
        )
        self._renew_after = database.prepared_beat(self._revive.where(unmoved))

    def renewed(self, instance_id: str) -> bool:
        """Beat; False if a look is due: the row is absent or its beat broken, or generation moved.

        A look is due once a ``service_down_time`` in any case: a database restored from a backup
        may lack members without anybody having raised the generation. Where their rows add up to
        what they did at the last look, that is enough.
        """
        seen = self._seen.get(instance_id)
        if seen is None or (self._due(instance_id) and not self._untouched(instance_id)):
            return False
        return bool(self._renew.count({"me": instance_id, "seen": seen}))

    def standing(self, instance_id: str) -> Standing | None:
        """Read the state of a row; ``None`` where it is absent."""
        statement = sa.select(_i.generation, self._alive).where(_i.instance_id == instance_id)
        row = self._database.read(lambda connection: connection.execute(statement).first())
        return None if row is None else Standing(row[0], bool(row[1]))

    def renew(
        self,
        instance_id: str,
        standing: Standing | None,
        members: Sequence[Member],
        tally: Tally | None,
    ) -> None:
        """Beat after a look, or make the row anew; an ended instance is alive.

        :param standing: as it was read *before* the look; if it moved since, the next beat looks
        :param tally: what the rows of all *members* add up to; ``None`` where the look found some
            not in place: then the next beat looks again, until they are stored or given up
        """
        self._looked[instance_id] = Looked(boottime())
        self._seen[instance_id] = None
        if standing is None or not standing.alive:
            member = members[0] if members else self._nobody
            self._database.transaction(
                lambda connection: self.revive(connection, instance_id, member)
            )
            self._made.discard(instance_id)
            return
        rows = self._renew_after.count({"me": instance_id, "seen": standing.generation})
        if rows and tally is not None:
            self._seen[instance_id] = standing.generation
            self._looked[instance_id] = Looked(boottime(), tally)

    def revive(self, connection: sa.Connection, instance_id: str, member: Member) -> None:
        """Beat within a transaction, whatever the generation; make the row where it is absent.

        Watchers are told of all members of an instance that was ended or silent. A row made anew
        in place of one that was lost has no generation that was seen: the next beat looks at all
        members.
        """
        me = {"me": instance_id}
        if connection.execute(self._renew_alive, me).rowcount:
            return
        if connection.execute(self._revive, me).rowcount:
            held = sa.select(services.c.group_id, services.c.member_id).where(
                services.c.instance_id == instance_id
            )
            self._notices.members(
                connection, [(row[0], row[1]) for row in connection.execute(held)]
            )
            return
        connection.execute(
            sa.insert(instances).values(
                instance_id=instance_id,
                generation=_FIRST_GENERATION,
                beat_at=self._now,
                steady_since=self._now,
                boot_id=self._boot,
                report_count=1,
                report_interval=self._settings.report_interval,
                hostname=member.hostname,
                process_id=member.process_id,
            )
        )
        self._made.add(instance_id)

    def started(self, members: Sequence[Member]) -> None:
        """Take note of instances that were written in a transaction that is now committed."""
        for instance_id in {member.instance_id for member in members}:
            first = instance_id not in self._seen
            if instance_id in self._made:
                self._made.discard(instance_id)
                self._seen[instance_id] = _FIRST_GENERATION if first else None
                self._looked[instance_id] = Looked(boottime())
            elif first:
                self._seen[instance_id] = None

    def dropped(self, connection: sa.Connection, owners: set[str]) -> None:
        """Remove rows of instances that hold no member any more, within a transaction."""
        for owner in owners:
            statement = sa.delete(instances).where(_i.instance_id == owner, ~self._holds_members())
            if connection.execute(statement).rowcount:
                self._seen.pop(owner, None)

    def sweep(self) -> None:
        """Remove, now and then, silent instances without members, and old tombstones."""
        if boottime() - self._swept < SWEEP_EVERY:
            return
        self._swept = boottime()
        silent = round(2_000_000 * self._settings.service_down_time)
        old = round(1_000_000 * BURIED_FOR)
        forgotten = sa.delete(instances).where(
            _i.beat_at < self._now - silent, ~self._holds_members()
        )
        graves = sa.delete(removed).where(removed.c.removed_at < self._wall - old)

        def write(connection: sa.Connection) -> None:
            connection.execute(forgotten)
            connection.execute(graves)

        self._database.transaction(write)

    def _due(self, instance_id: str) -> bool:
        looked = self._looked.get(instance_id)
        return looked is None or boottime() - looked.at > self._settings.service_down_time

    def _untouched(self, instance_id: str) -> bool:
        """Whether the members' rows add up to the same as at the last look; one statement."""
        looked = self._looked.get(instance_id)
        if looked is None or looked.tally is None or looked.spared >= SPARED:
            return False
        (row,) = self._tally.rows({"me": instance_id})
        if tuple(int(number or 0) for number in row) != looked.tally:
            return False
        self._looked[instance_id] = Looked(boottime(), looked.tally, looked.spared + 1)
        return True

    def _holds_members(self) -> Any:
        return sa.exists().where(services.c.instance_id == _i.instance_id).correlate(instances)

    def _continuation(self) -> sa.Update:
        """Return the beat that only continues a steady run: all that most beats are."""
        gap = sa.literal_column(str(round(self._settings.steady_gap * 1_000_000)), sa.BigInteger)
        zero, one = (sa.literal_column(text, sa.BigInteger) for text in "01")
        steady = sa.and_(
            _i.instance_id == sa.bindparam("me"),
            _i.generation == sa.bindparam("seen"),  # it moves also when an instance is ended
            _i.boot_id == self._boot,
            (self._now - _i.beat_at).between(zero, gap),
        )
        values = {"beat_at": self._now, "report_count": _i.report_count + one}
        return sa.update(instances).where(steady).values(values)

    def _renewal(self, *, revive: bool = False) -> sa.Update:
        now = self._now
        broken = sa.or_(
            now - _i.beat_at > round(self._settings.steady_gap * 1_000_000),
            now < _i.beat_at,  # the store's clock stepped back
            _i.ended_at.is_not(None),
            _i.boot_id != self._boot,
        )
        # In this order: MySQL evaluates assignments from left to right, with the new values.
        values: list[tuple[Any, Any]] = [
            (_i.steady_since, sa.case((broken, now), else_=_i.steady_since)),
            (_i.beat_at, now),
            (_i.boot_id, self._boot),
            (_i.report_count, _i.report_count + 1),
        ]
        if revive:
            values += [(_i.ended_at, None), (_i.ended_reason, None)]
        mine = _i.instance_id == sa.bindparam("me")
        return sa.update(instances).where(mine).ordered_values(*values)
