"""The operator's word: disabled, forced down, deleted. Joins and beats never touch it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from servicegroup.db.engine import Database
from servicegroup.db.membership import Membership
from servicegroup.db.notices import Notices
from servicegroup.db.tables import removed, services
from servicegroup.exceptions import NoSuchService

_s = services.c


class Operator:
    """Changes what an operator may say of a service record. Each call is one transaction."""

    def __init__(self, database: Database, membership: Membership) -> None:
        self._database = database
        self._membership = membership
        self._notices = Notices(database.dialect)
        self._wall = sa.literal_column(database.dialect.wall, sa.BigInteger)
        self._now = sa.literal_column(database.dialect.now, sa.BigInteger)

    def set(
        self,
        group_id: str,
        member_id: str,
        *,
        disabled: bool | None = None,
        disabled_reason: str | None = None,
        forced_down: bool | None = None,
        forced_down_reason: str | None = None,
    ) -> None:
        """Disable or enable, declare down or take that back: all that is not ``None``, or nothing.

        An old reason never stays.
        """
        values: dict[str, Any] = {"updated_at": self._wall}
        if disabled is not None:
            values |= {"disabled": disabled, "disabled_reason": disabled_reason}
        if forced_down is not None:
            values |= {"forced_down": forced_down, "forced_down_reason": forced_down_reason}
            values["forced_down_at"] = self._wall if forced_down else None
        if forced_down is False:
            values["up_since"] = self._now
        statement = (
            sa.update(services)
            .where(_s.group_id == group_id, _s.member_id == member_id)
            .values(values)
        )

        def write(connection: sa.Connection) -> None:
            if not connection.execute(statement).rowcount:
                raise no_such_service(group_id, member_id)
            self._notices.members(connection, [(group_id, member_id)])

        self._database.transaction(write)

    def delete(self, group_id: str, member_id: str) -> None:
        """Remove the record; a process that lives under it finds its member removed."""

        def write(connection: sa.Connection) -> None:
            row = self._membership.locked_row(connection, group_id, member_id)
            if row is None:
                raise no_such_service(group_id, member_id)
            self._membership.unbind(connection, [row])
            grave = {
                "group_id": group_id,
                "member_id": member_id,
                "instance_id": row.instance_id or "",
            }
            conditions = [removed.c[name] == value for name, value in grave.items()]
            connection.execute(sa.delete(removed).where(*conditions))
            connection.execute(
                sa.insert(removed).values(
                    **grave, incarnation=row.incarnation, removed_at=self._wall
                )
            )
            connection.execute(sa.delete(services).where(_s.id == row.id))
            self._notices.members(connection, [(group_id, member_id)])

        self._database.transaction(write)

    def version_range(self, group_id: str) -> tuple[int, int] | None:
        """Return the lowest and highest version of a group's members; ``None`` if it has none."""
        statement = sa.select(sa.func.min(_s.version), sa.func.max(_s.version)).where(
            _s.group_id == group_id, _s.left_at.is_(None), _s.forced_down.is_(sa.false())
        )
        lowest, highest = self._database.read(
            lambda connection: connection.execute(statement).one()
        )
        return None if lowest is None else (lowest, highest)


def no_such_service(group_id: str, member_id: str) -> NoSuchService:
    """Return the error for a record that is not there, with what to do."""
    return NoSuchService(
        f"no service record for member {member_id!r} of group {group_id!r}; 'servicegroup service "
        f"list --all --group {group_id}' shows those there are"
    )
