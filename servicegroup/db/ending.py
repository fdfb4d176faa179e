"""The end of an instance: told by whoever saw its process die, or by its guardian later on."""

from __future__ import annotations

import sqlalchemy as sa

from servicegroup.db.engine import Database
from servicegroup.db.notices import NOTIFY, Notices
from servicegroup.db.tables import instances, services
from servicegroup.will import LastWill

_s, _i = services.c, instances.c


class Ends:
    """Ends instances; by statements that the guardian is given as texts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._notices = Notices(database.dialect)
        now = sa.literal_column(database.dialect.now, sa.BigInteger)
        self._end = (
            sa.update(instances)
            .where(_i.instance_id == sa.bindparam("me"), _i.ended_at.is_(None))
            .values(ended_at=now, ended_reason=sa.bindparam("reason"), generation=_i.generation + 1)
        )
        self._held = sa.select(_s.group_id, _s.member_id).where(
            _s.instance_id == sa.bindparam("me")
        )

    def end(self, instance_id: str, reason: str) -> None:
        """See :meth:`servicegroup.driver.Driver.end`."""
        me = {"me": instance_id}

        def write(connection: sa.Connection) -> None:
            if connection.execute(self._end, me | {"reason": reason}).rowcount:
                held = connection.execute(self._held, me)
                self._notices.members(connection, [(row[0], row[1]) for row in held])

        self._database.transaction(write)

    def last_will(self, instance_id: str, reason: str) -> LastWill:
        """See :meth:`servicegroup.driver.Driver.last_will`."""
        database = self._database
        arguments = {
            "kind": database.dialect.name,
            "timeout": database.dialect.timeout,
            "connecting": database.connecting(),
            "end": database.plain(self._end, me=instance_id, reason=reason),
        }
        if database.dialect.notifies:
            arguments["held"] = database.plain(self._held, me=instance_id)
            arguments["notify"] = database.plain(NOTIFY)
        return LastWill("servicegroup.db.last_will:prepared", arguments)
