"""The SELECT of a page of nodes: those at certain positions of the ring, by index, then in order.

The positions are a few dozen ranges for each kind of node. SQLite does not find them by index when
they are joined by OR; as one small SELECT each, all do. PostgreSQL takes longer to plan these than
to run them, and gets one SELECT that it runs for each range.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from servicegroup.db.dialect import Dialect
from servicegroup.db.tables import nodes
from servicegroup.hashring import Span
from servicegroup.inventory import Kind, Places, Query

_n = nodes.c

#: Ranges, and the kinds of one group that all have these.
_Alike = Sequence[tuple[Sequence[Span], Sequence[Kind]]]

#: SQLite allows 500 SELECTs in one; beyond that the ranges are joined as a table.
MOST_BRANCHES = 400

#: The largest number that all databases take.
LARGEST = 2**63 - 1

#: What stands for an unknown value when sorting.
_UNKNOWN = {"created_at": "0", "updated_at": "0", "maintenance": None, "id": None}


class Selection:
    """One query as SQL: which ids, and in which order.

    :param after: the marker's id and its value of the sort key, from :func:`key`
    """

    def __init__(self, dialect: Dialect, query: Query, after: tuple[int, Any] | None) -> None:
        self._dialect = dialect
        self._query = query
        self._binds: dict[str, sa.BindParameter[Any]] = {}
        conditions = [self._condition(name, value) for name, value in query.where.items()]
        if after is not None:
            conditions.append(self._after(*after))
        self._conditions = "".join(f" AND {one}" for one in conditions)

    def count(self) -> sa.TextClause:
        """Return the SELECT of the number of nodes, whatever their order."""
        return self._text(f"SELECT count(*) FROM ({self._found(self._head)}) AS found")  # noqa: S608

    def page(self, columns: Sequence[sa.Label[Any] | sa.Column[Any]]) -> sa.Executable:
        """Return the SELECT of these columns of the nodes, in their order."""
        way = " DESC" if self._query.descending else ""
        most = self._query.limit
        limit = "" if most is None else f" LIMIT {min(int(most), LARGEST)}"
        order_by = f"ORDER BY sort_key{way}, id{way}{limit}"
        if self._dialect.name == "postgresql":
            # Its index does not hold the ids: who reads these has read the rows.
            names = ", ".join(one.name for one in columns)
            head = f"{self._head}, {', '.join(f'nodes.{one.name}' for one in columns)}"
            words = f"SELECT {names} FROM ({self._found(head)}) AS found {order_by}"  # noqa: S608
            return self._text(words).columns(*(sa.column(one.name, one.type) for one in columns))
        words = f"SELECT id FROM ({self._found(self._head)}) AS found {order_by}"  # noqa: S608
        ids = self._text(words).columns(sa.column("id", sa.Integer)).subquery("page")
        by = key(self._query.sort_key)
        order: list[sa.ColumnElement[Any]] = (
            [by, _n.id] if self._query.sort_key != "id" else [_n.id]
        )
        if self._query.descending:
            order = [one.desc() for one in order]
        return sa.select(*columns).join(ids, ids.c.id == _n.id).order_by(*order)

    @property
    def _head(self) -> str:
        return f"nodes.id AS id, {_key_words(self._query.sort_key)} AS sort_key"

    def _found(self, head: str) -> str:
        places = self._query.places
        if places is None:
            return f"SELECT {head} FROM nodes WHERE 1 = 1{self._conditions}"  # noqa: S608
        alike = _alike(places)
        if self._dialect.name == "postgresql":
            return self._each(head, alike)
        if sum(len(spans) for spans, _ in alike) > MOST_BRANCHES and self._dialect.name == "sqlite":
            return self._joined(head, alike)
        branches = []
        for number, (spans, kinds) in enumerate(alike):
            of_kinds = self._kinds(kinds, number)
            for index, span in enumerate(spans):
                where = f"{of_kinds} AND {self._within(span, f'{number}_{index}')}"
                branches.append(f"SELECT {head} FROM nodes WHERE {where}{self._conditions}")  # noqa: S608
        return " UNION ALL ".join(branches)

    def _joined(self, head: str, alike: _Alike) -> str:
        kinds, ranges = [], []
        for number, (spans, some) in enumerate(alike):
            for index, kind in enumerate(some):
                group = self._bind(f"group_{number}_{index}", _n.conductor_group, kind[0])
                driver = self._bind(f"driver_{number}_{index}", _n.driver, kind[1])
                kinds.append(f"({group}, {driver}, {number})")
            for first, last in spans:
                # Positions are bytes of our own making, and more than there may be parameters.
                ranges.append(f"({number}, X'{first.hex()}', X'{last.hex()}')")
        return (
            f"WITH kinds(grp, driver, number) AS (VALUES {', '.join(kinds)}), "  # noqa: S608
            f"ranges(number, first, last) AS (VALUES {', '.join(ranges)}) "
            f"SELECT {head} FROM ranges CROSS JOIN kinds CROSS JOIN nodes "
            f"WHERE kinds.number = ranges.number AND nodes.conductor_group = kinds.grp "
            f"AND nodes.driver = kinds.driver "
            f"AND nodes.position BETWEEN ranges.first AND ranges.last{self._conditions}"
        )

    def _each(self, head: str, alike: _Alike) -> str:
        selects = []
        for number, (spans, kinds) in enumerate(alike):
            ranges = ", ".join(
                f"(decode('{first.hex()}', 'hex'), decode('{last.hex()}', 'hex'))"
                for first, last in spans
            )
            # Planned once for all ranges. Without OFFSET 0 the ranges would be looked up for each
            # node, instead of the nodes for each range.
            selects.append(
                f"SELECT nodes.* FROM (VALUES {ranges}) AS ranges (first, last) "  # noqa: S608
                f"CROSS JOIN LATERAL (SELECT {head} FROM nodes WHERE {self._kinds(kinds, number)} "
                f"AND nodes.position BETWEEN ranges.first AND ranges.last{self._conditions} "
                f"OFFSET 0) AS nodes"
            )
        return " UNION ALL ".join(selects)

    def _kinds(self, kinds: Sequence[Kind], number: int) -> str:
        group = self._bind(f"group_{number}", _n.conductor_group, kinds[0].conductor_group)
        drivers = ", ".join(
            self._bind(f"driver_{number}_{index}", _n.driver, kind.driver)
            for index, kind in enumerate(kinds)
        )
        return f"nodes.conductor_group = {group} AND nodes.driver IN ({drivers})"

    def _within(self, span: Span, name: str) -> str:
        # Parameters rather than literals: so the statement is the same for all conductors that
        # have as many ranges, and is compiled once.
        first = self._bind(f"first_{name}", _n.position, span.first)
        last = self._bind(f"last_{name}", _n.position, span.last)
        return f"nodes.position BETWEEN {first} AND {last}"

    def _condition(self, name: str, value: Any) -> str:
        column = _n[name]
        if value is None:
            return f"nodes.{column.name} IS NULL"
        return f"nodes.{column.name} = {self._bind(f'where_{name}', column, value)}"

    def _after(self, marker_id: int, value: Any) -> str:
        name, sign = self._query.sort_key, "<" if self._query.descending else ">"
        beyond = f"nodes.id {sign} {int(marker_id)}"
        if name == "id":
            return beyond
        column, words = _n[name], _key_words(name)
        bound = self._bind("after", column, value)
        return f"({words} {sign} {bound} OR ({words} = {bound} AND {beyond}))"

    def _bind(self, name: str, column: sa.Column[Any], value: Any) -> str:
        self._binds[name] = sa.bindparam(name, value, type_=column.type)
        return f":{name}"

    def _text(self, words: str) -> sa.TextClause:
        return sa.text(words).bindparams(*self._binds.values())


def _alike(places: Places) -> _Alike:
    """Put the kinds of one group together that have the same ranges, as those of one ring have."""
    found: dict[tuple[str, tuple[Span, ...]], list[Kind]] = {}
    for kind, spans in places.items():
        found.setdefault((kind.conductor_group, tuple(spans)), []).append(kind)
    return [(spans, kinds) for (_, spans), kinds in found.items()]


def key(sort_key: str) -> sa.ColumnElement[Any]:
    """Return what nodes are sorted by, and a marker must tell of itself to begin after it."""
    column: sa.Column[Any] = _n[sort_key]
    if sort_key in _UNKNOWN:
        unknown = _UNKNOWN[sort_key]
        return column if unknown is None else sa.func.coalesce(column, sa.literal_column(unknown))
    return sa.func.coalesce(column, sa.literal_column("''"), type_=column.type)


def _key_words(sort_key: str) -> str:
    unknown = _UNKNOWN.get(sort_key, "''")
    return f"nodes.{sort_key}" if unknown is None else f"COALESCE(nodes.{sort_key}, {unknown})"
