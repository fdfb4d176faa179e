"""The inventory in tables of ours: nodes and hypervisors for whoever has no tables of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from servicegroup import intake
from servicegroup.db import node_pages
from servicegroup.db.engine import Database
from servicegroup.db.tables import Identifier, hypervisors, nodes
from servicegroup.exceptions import EntryExists, InvalidMember
from servicegroup.hashring import position
from servicegroup.inventory import (
    Hypervisor,
    Inventory,
    Kind,
    Node,
    Progress,
    Query,
    no_such_hypervisor,
    no_such_node,
)
from servicegroup.model import check_text

T = TypeVar("T")

#: What the class itself would do, in half the time.
_made = tuple.__new__

#: Rows written, or looked for, by one statement.
CHUNK = 400
MICROSECONDS = 1_000_000

_n, _h = nodes.c, hypervisors.c
_TIMES = 2  # the last columns of a node
_HYPERVISOR = [_h[name] for name in Hypervisor._fields]
_JSON = ("cpu_info", "pci_stats")
#: Characters of a uuid.
_UUID = 36
#: An id in the one way that it is written; whatever is longer or begins with 0 may be a name.
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")


class SqlInventory(Inventory):
    """Nodes and hypervisors in the database of the service records. Usable from any thread.

    Every call may raise :exc:`servicegroup.DriverUnavailable`. Each change is one transaction.

    :param run: runs a function that talks to the database, and translates its errors
    """

    def __init__(self, database: Database, run: Callable[[Callable[[], Any]], Any]) -> None:
        self._database = database
        self._run = run
        self._wall = sa.literal_column(database.dialect.wall, sa.BigInteger)
        # Texts as they are: a page has thousands of them.
        self._node = [
            database.dialect.text(column).label(name)
            if isinstance(column.type, Identifier)
            else column
            for name, column in ((name, _n[name]) for name in Node._fields)
        ]

    # -- nodes ----------------------------------------------------------------------------------

    def node(self, ident: str) -> Node | None:
        """See :meth:`Inventory.node`. One SELECT."""
        return self._database_read(lambda connection: self._node_of(connection, ident))

    def nodes(self, query: Query) -> list[Node]:
        """See :meth:`Inventory.nodes`. One SELECT, and one for its marker."""
        query.checked()
        if query.places is not None and not any(query.places.values()):
            return []
        after = None if query.marker is None else self._marker(query.marker, query.sort_key)
        selection = node_pages.Selection(self._database.dialect, query, after)
        return [_node(row) for row in self._rows(selection.page(self._node))]

    def count(self, query: Query) -> int:
        """See :meth:`Inventory.count`. One SELECT."""
        query.checked()
        if query.places is not None and not any(query.places.values()):
            return 0
        selection = node_pages.Selection(self._database.dialect, query._replace(marker=None), None)
        ((count,),) = self._rows(selection.count())
        return int(count)

    def kinds(self) -> dict[Kind, int]:
        """See :meth:`Inventory.kinds`. One SELECT."""
        columns = (_n.conductor_group, _n.driver)
        statement = sa.select(*columns, sa.func.count()).group_by(*columns)
        return {Kind(group, driver): count for group, driver, count in self._rows(statement)}

    def keys(self, kind: Kind) -> tuple[Sequence[str], Sequence[bytes]]:
        """See :meth:`Inventory.keys`. One SELECT."""
        statement = sa.select(_n.uuid, _n.position).where(
            _n.conductor_group == kind.conductor_group, _n.driver == kind.driver
        )
        rows = self._rows(statement)
        if not rows:
            return (), ()
        uuids, places = zip(*rows, strict=True)
        return uuids, places

    def create_node(self, **fields: Any) -> Node:
        """Add a node.

        :raises InvalidInventory: a field that cannot be so
        :raises EntryExists: a uuid or name that is taken
        """
        one = intake.node(fields)
        self.add_nodes([one])
        found = self.node(one.uuid)
        assert found is not None
        return found

    def add_nodes(self, wanted: Sequence[Node], progress: Progress | None = None) -> None:
        """Add many nodes: all of them, or none.

        SQLite lets nobody else write meanwhile, beats included: 100,000 nodes take a few seconds.

        :param progress: called now and then, on this thread
        :raises EntryExists: a uuid or name that is taken
        """

        def write(connection: sa.Connection) -> None:
            if connection.execute(sa.select(_n.id).limit(1)).first() is not None:
                names = [node.name for node in wanted if node.name is not None]
                _refuse_taken(connection, _n.uuid, [node.uuid for node in wanted])
                _refuse_taken(connection, _n.name, names)
            now = connection.scalar(sa.select(self._wall))
            for start in range(0, len(wanted), CHUNK):
                rows = [_row(node, now) for node in wanted[start : start + CHUNK]]
                connection.execute(sa.insert(nodes), rows)
                if progress is not None:
                    progress(start + len(rows), len(wanted))

        self._database_write(write)

    def update_node(self, ident: str, **fields: Any) -> Node:
        """See :meth:`Inventory.update_node`."""
        changes = intake.changed_node(fields)
        name = changes.get("name")

        def write(connection: sa.Connection) -> Node:
            found = self._node_of(connection, ident)
            if found is None:
                raise no_such_node(ident)
            if not changes:
                return found
            if name is not None and name != found.name:
                _refuse_taken(connection, _n.name, [name])
            mine = sa.update(nodes).where(_n.uuid == found.uuid)
            connection.execute(mine.values({**changes, "updated_at": self._wall}))
            changed = self._node_of(connection, found.uuid)
            assert changed is not None
            return changed

        return self._database_write(write)

    def delete_node(self, ident: str) -> None:
        """Remove the node of this uuid or name.

        :raises NoSuchNode: there is none
        """

        def write(connection: sa.Connection) -> None:
            found = self._node_of(connection, ident)
            if found is None:
                raise no_such_node(ident)
            connection.execute(sa.delete(nodes).where(_n.uuid == found.uuid))

        self._database_write(write)

    # -- hypervisors ----------------------------------------------------------------------------

    def hypervisors(self) -> list[Hypervisor]:
        """See :meth:`Inventory.hypervisors`. One SELECT."""
        statement = sa.select(*_HYPERVISOR).order_by(_h.id)
        return [_hypervisor(row) for row in self._rows(statement)]

    def hypervisor(self, ident: str) -> Hypervisor | None:
        """See :meth:`Inventory.hypervisor`. One SELECT."""
        return self._database_read(lambda connection: _hypervisor_of(connection, ident))

    def create_hypervisor(self, **fields: Any) -> Hypervisor:
        """Add a hypervisor; ``hypervisor_hostname`` is enough, ``host`` is the same by default.

        :raises InvalidInventory: a field that cannot be so
        :raises EntryExists: a uuid or name that is taken
        """
        one = intake.hypervisor(fields)

        def write(connection: sa.Connection) -> Hypervisor:
            _refuse_hypervisor(connection, one.hypervisor_hostname, one.uuid)
            connection.execute(sa.insert(hypervisors), _new(one))
            found = _hypervisor_of(connection, one.uuid)
            assert found is not None
            return found

        return self._database_write(write)

    def update_hypervisor(self, ident: str, **fields: Any) -> Hypervisor:
        """See :meth:`Inventory.update_hypervisor`."""
        changes = _stored(intake.changed_hypervisor(fields))
        name = changes.get("hypervisor_hostname")

        def write(connection: sa.Connection) -> Hypervisor:
            found = _hypervisor_of(connection, ident)
            if found is None:
                raise no_such_hypervisor(ident)
            if name is not None and name != found.hypervisor_hostname:
                _refuse_hypervisor(connection, name)
            if changes:
                connection.execute(sa.update(hypervisors).where(_h.id == found.id).values(changes))
            changed = _hypervisor_of(connection, found.uuid)
            assert changed is not None
            return changed

        return self._database_write(write)

    def report_hypervisor(self, hypervisor_hostname: str, **fields: Any) -> None:
        """See :meth:`Inventory.report_hypervisor`. One UPDATE, outside any transaction.

        Only where that finds none, a transaction adds it. One statement that does either, as all
        these databases have it, takes a number for a new row each time, in PostgreSQL and MariaDB
        also where there is one: they would run out of them within a year.
        """
        named = {"hypervisor_hostname": hypervisor_hostname}
        new = _new(intake.hypervisor({**fields, **named}))
        changes = _stored(intake.changed_hypervisor({**fields, **named}))
        change = (
            sa.update(hypervisors)
            .where(_h.hypervisor_hostname == hypervisor_hostname)
            .values(changes)
        )

        def write(connection: sa.Connection) -> bool:
            return bool(connection.execute(change).rowcount)

        def add(connection: sa.Connection) -> None:
            if not write(connection):
                connection.execute(sa.insert(hypervisors), new)

        if not self._database_read(write):
            self._database_write(add)

    def delete_hypervisor(self, ident: str) -> None:
        """Remove the hypervisor of this id, uuid or ``hypervisor_hostname``.

        :raises NoSuchHypervisor: there is none
        """

        def write(connection: sa.Connection) -> None:
            found = _hypervisor_of(connection, ident)
            if found is None:
                raise no_such_hypervisor(ident)
            connection.execute(sa.delete(hypervisors).where(_h.id == found.id))

        self._database_write(write)

    # -- within ---------------------------------------------------------------------------------

    def _database_read(self, look: Callable[[sa.Connection], T]) -> T:
        found: T = self._run(lambda: self._database.read(look))
        return found

    def _database_write(self, write: Callable[[sa.Connection], T]) -> T:
        written: T = self._run(lambda: self._database.transaction(write))
        return written

    def _rows(self, statement: sa.Executable) -> Sequence[Any]:
        return self._database_read(lambda connection: connection.execute(statement).all())

    def _node_of(self, connection: sa.Connection, ident: str) -> Node | None:
        named = sa.or_(_n.uuid == _uuid(ident), _n.name == _name(ident))
        statement = sa.select(*self._node).where(named)
        found = [_node(row) for row in connection.execute(statement)]
        return min(found, key=lambda one: one.uuid != ident, default=None)

    def _marker(self, uuid: str, sort_key: str) -> tuple[int, Any]:
        statement = sa.select(_n.id, node_pages.key(sort_key)).where(_n.uuid == _uuid(uuid))
        for number, value in self._rows(statement):
            return number, value
        raise no_such_node(uuid)


def _refuse_taken(connection: sa.Connection, column: sa.Column[Any], values: Sequence[str]) -> None:
    some: sa.BindParameter[Any] = sa.bindparam("some", expanding=True)
    statement = sa.select(_n.uuid, column.label("taken")).where(column.in_(some))
    for start in range(0, len(values), CHUNK):
        for uuid, taken in connection.execute(statement, {"some": values[start : start + CHUNK]}):
            raise EntryExists(
                f"{column.name} {taken!r} is taken, by node {uuid}: delete that one first, or "
                f"choose another"
            )


def _row(node: Node, now: int | None) -> Mapping[str, Any]:
    created = now if node.created_at is None else round(node.created_at * MICROSECONDS)
    updated = None if node.updated_at is None else round(node.updated_at * MICROSECONDS)
    fields = {"position": position(node.uuid), "created_at": created, "updated_at": updated}
    return node._asdict() | fields


def _node(row: Any) -> Node:
    created, updated = row[-_TIMES:]
    return _made(
        Node,
        (
            *row[:-_TIMES],
            None if created is None else created / MICROSECONDS,
            None if updated is None else updated / MICROSECONDS,
        ),
    )


def _hypervisor_of(connection: sa.Connection, ident: str) -> Hypervisor | None:
    conditions = [_h.uuid == _uuid(ident), _h.hypervisor_hostname == _name(ident)]
    if _NUMBER.fullmatch(ident) and int(ident) < 2**31:
        conditions.append(_h.id == int(ident))
    statement = sa.select(*_HYPERVISOR).where(sa.or_(*conditions))
    found = [_hypervisor(row) for row in connection.execute(statement)]
    return min(found, key=lambda one: (str(one.id) != ident, one.uuid != ident), default=None)


def _refuse_hypervisor(connection: sa.Connection, name: str, uuid: str = "") -> None:
    condition = sa.or_(_h.uuid == uuid, _h.hypervisor_hostname == name)
    taken = connection.execute(sa.select(_h.uuid).where(condition)).scalars().first()
    if taken is not None:
        words = f"hypervisor {name!r} or uuid {uuid!r}" if uuid else f"hypervisor {name!r}"
        raise EntryExists(
            f"{words} is there already, with uuid {taken}: delete it first, or choose another name"
        )


def _new(one: Hypervisor) -> dict[str, Any]:
    values = one._asdict()
    del values["id"]
    return _stored(values)


def _stored(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: json.dumps(value) if name in _JSON and value is not None else value
        for name, value in values.items()
    }


def _hypervisor(row: Any) -> Hypervisor:
    found = Hypervisor(*row)
    cpu_info, pci_stats = (
        None if text is None else json.loads(text) for text in (found.cpu_info, found.pci_stats)
    )
    return found._replace(cpu_info=cpu_info, pci_stats=pci_stats)


def _uuid(ident: str) -> str:
    """Return *ident* if a uuid column can be asked for it, else what none is called.

    With a blank behind it MariaDB would take it for the uuid itself.
    """
    return ident if ident.isascii() and len(ident) == _UUID else ""


def _name(ident: str) -> str:
    """Return *ident* if it may be a name, else what none is called: no store keeps the others."""
    try:
        return check_text("name", ident)
    except InvalidMember:
        return ""
