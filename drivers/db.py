"""The ``db`` driver: members and their signs of life as service records in SQL.

A thin view over :mod:`servicegroup.db`, which keeps the records beside the other drivers too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from servicegroup import driver
from servicegroup.config import DATABASE_GROUP, database_options
from servicegroup.db.engine import CLIENT_ERRORS
from servicegroup.db.records import Records
from servicegroup.exceptions import NotSupported
from servicegroup.model import Member
from servicegroup.will import LastWill

if TYPE_CHECKING:  # it needs PostgreSQL's client library
    from servicegroup.db.listen import Listener


class DbDriver(driver.Driver):
    """SQLite, PostgreSQL, MySQL or MariaDB, chosen by ``[servicegroup_database] connection``."""

    capabilities = driver.Capability.REMEMBERS | driver.Capability.RECORDS
    client_errors: ClassVar[tuple[type[Exception], ...]] = CLIENT_ERRORS
    options_group = DATABASE_GROUP
    options = database_options()

    def __init__(self, context: driver.Context) -> None:
        super().__init__(context)
        self.records = Records(context.conf, context.settings, context.instance_id)
        self._listener: Listener | None = None
        if self.records.database.dialect.notifies:
            from servicegroup.db.listen import Listener

            self.capabilities |= driver.Capability.WATCH
            self._listener = Listener(self.records.database)

    def start(self) -> None:
        self.records.start()

    def stop(self) -> None:
        if self._listener is not None:
            self._listener.stop()
        self.records.stop()

    def join(self, members: Sequence[Member]) -> list[Member]:
        return self.records.membership.join(members)

    def update(self, members: Sequence[Member]) -> list[driver.Lost]:
        return self.records.membership.update(members)

    def heartbeat(self, instance_id: str, members: Sequence[Member]) -> list[driver.Lost]:
        return self.records.membership.heartbeat(instance_id, members)

    def leave(self, members: Sequence[Member]) -> None:
        self.records.membership.leave(members)

    def end(self, instance_id: str, reason: str) -> None:
        self.records.ends.end(instance_id, reason)

    def last_will(self, reason: str) -> LastWill:
        return self.records.ends.last_will(self.context.instance_id, reason)

    def sightings(
        self,
        group_id: str,
        member_ids: Collection[str] | None = None,
        *,
        known: Mapping[str, Member] | None = None,
        attributes: bool = True,
    ) -> driver.Sightings:
        return self.records.sight.sightings(
            group_id, member_ids, known=known, attributes=attributes
        )

    def ages(self, group_id: str) -> driver.Ages:
        return self.records.sight.ages(group_id)

    def groups(self) -> list[str]:
        return self.records.sight.groups()

    def watch(
        self, group_id: str, changed: Callable[[Collection[str] | None], None]
    ) -> Callable[[], None]:
        if self._listener is None:
            raise NotSupported("only PostgreSQL can call back; this database is polled")
        return self._listener.watch(group_id, changed)
