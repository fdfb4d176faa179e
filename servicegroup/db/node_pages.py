"""The SELECT of a page of nodes: those at certain positions of the ring, by index, then in order.

The positions are a few dozen ranges for each kind of node. No database finds them by index when
they are joined by OR; as one small SELECT each, all do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from servicegroup.db.dialect import Dialect
from servicegroup.db.tables import nodes
from servicegroup.hashring import Span
from servicegroup.inventory import Kind, Query

_n = nodes.c

#: SQLite allows 500 SELECTs in one; beyond that the ranges are joined as a table.
MOST_BRANCHES = 400

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
        return self._text(f"SELECT count(*) FROM ({self._found()}) AS found")  # noqa: S608

    def page(self, columns: Sequence[sa.ColumnElement[Any]]) -> sa.Select[Any]:
        """Return the SELECT of these columns of the nodes, in their order."""
        way = " DESC" if self._query.descending else ""
        limit = "" if self._query.limit is None else f" LIMIT {int(self._query.limit)}"
        words = (
            f"SELECT id FROM ({self._found()}) AS found "  # noqa: S608
            f"ORDER BY sort_key{way}, id{way}{limit}"
        )
        ids = self._text(words).columns(sa.column("id", sa.Integer)).subquery("page")
        by = key(self._query.sort_key)
        order: list[sa.ColumnElement[Any]] = (
            [by, _n.id] if self._query.sort_key != "id" else [_n.id]
        )
        if self._query.descending:
            order = [one.desc() for one in order]
        return sa.select(*columns).join(ids, ids.c.id == _n.id).order_by(*order)

    def _found(self) -> str:
        places = self._query.places
        name = self._query.sort_key
        head = f"nodes.id AS id, {_key_words(name)} AS sort_key"
        if places is None:
            return f"SELECT {head} FROM nodes WHERE 1 = 1{self._conditions}"  # noqa: S608
        ranges = [(kind, span) for kind, spans in places.items() for span in spans]
        if len(ranges) > MOST_BRANCHES and self._dialect.name == "sqlite":
            return self._joined(head, ranges)
        numbers = {kind: number for number, kind in enumerate(places)}
        branches = []
        for kind, span in ranges:
            between = f"{self._literal(span.first)} AND {self._literal(span.last)}"
            where = f"{self._kind(kind, numbers[kind])} AND nodes.position BETWEEN {between}"
            branches.append(f"SELECT {head} FROM nodes WHERE {where}{self._conditions}")  # noqa: S608
        return " UNION ALL ".join(branches)

    def _joined(self, head: str, ranges: Sequence[tuple[Kind, Span]]) -> str:
        kinds = list(dict.fromkeys(kind for kind, _ in ranges))
        numbers = {kind: number for number, kind in enumerate(kinds)}
        for kind, number in numbers.items():
            self._kind(kind, number)
        listed = ", ".join(
            f"(:group_{number}, :driver_{number}, {number})" for number in range(len(kinds))
        )
        rows = ", ".join(
            f"({numbers[kind]}, {self._literal(span.first)}, {self._literal(span.last)})"
            for kind, span in ranges
        )
        return (
            f"WITH kinds(grp, driver, number) AS (VALUES {listed}), "  # noqa: S608
            f"ranges(number, first, last) AS (VALUES {rows}) "
            f"SELECT {head} FROM ranges CROSS JOIN kinds CROSS JOIN nodes "
            f"WHERE kinds.number = ranges.number AND nodes.conductor_group = kinds.grp "
            f"AND nodes.driver = kinds.driver "
            f"AND nodes.position BETWEEN ranges.first AND ranges.last{self._conditions}"
        )

    def _kind(self, kind: Kind, number: int) -> str:
        group = self._bind(f"group_{number}", _n.conductor_group, kind.conductor_group)
        driver = self._bind(f"driver_{number}", _n.driver, kind.driver)
        return f"nodes.conductor_group = {group} AND nodes.driver = {driver}"

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

    def _literal(self, place: bytes) -> str:
        """Write a position: 16 bytes of our own making, and so nothing that could do harm."""
        digits = place.hex()
        return (
            f"decode('{digits}', 'hex')" if self._dialect.name == "postgresql" else f"X'{digits}'"
        )

    def _text(self, words: str) -> sa.TextClause:
        return sa.text(words).bindparams(*self._binds.values())


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
