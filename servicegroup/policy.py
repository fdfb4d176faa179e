"""How the nodes are shared among the conductors: what is configured, and whether that can be."""

from __future__ import annotations

import collections
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from servicegroup.exceptions import ConfigurationError, InvalidMember
from servicegroup.hashring import PARTITION_EXPONENT
from servicegroup.hostname import check_hostname

RING, RENDEZVOUS, BOUNDED, STATIC = "ring", "rendezvous", "bounded", "static"
POLICIES = (RING, RENDEZVOUS, BOUNDED, STATIC)
#: How many times its fair share of the nodes a conductor may have, with policy ``bounded``.
BOUNDED_LOAD = 1.25

_SECTION = "[servicegroup_conductor]"
_TABLE = 'a JSON object of {"uuid of a node": "host name of its conductor"}'


class Policy(NamedTuple):
    """One of ``POLICIES``, and what the options of that name say."""

    name: str = RING
    partition_exponent: int = PARTITION_EXPONENT
    bounded_load: float = BOUNDED_LOAD
    #: {uuid of a node: host name}
    table: Mapping[str, str] = {}
    otherwise: str | None = None

    @classmethod
    def read(cls, values: Any) -> Policy:
        """Take it from the values of the option group, and the table from its file.

        :raises ConfigurationError: they cannot be, or not together; or the file cannot
        """
        if not math.isfinite(values.bounded_load):
            raise ConfigurationError(
                f"{_SECTION} bounded_load={values.bounded_load} bounds nothing: use policy=ring"
            )
        static = {
            "static_table": values.static_table or None,
            "static_otherwise": values.static_otherwise or None,
        }
        given = [name for name, value in static.items() if value is not None]
        if values.policy != STATIC and given:
            raise ConfigurationError(
                f"{_SECTION} {given[0]} says nothing with policy={values.policy}: leave it out, or "
                f"set policy={STATIC}"
            )
        if values.policy == STATIC and not given:
            raise ConfigurationError(
                f"{_SECTION} policy={STATIC} leaves all nodes without a conductor: set "
                f"static_table, static_otherwise or both"
            )
        path, otherwise = static["static_table"], static["static_otherwise"]
        return cls(
            values.policy,
            values.partition_exponent,
            values.bounded_load,
            {} if path is None else read_table(path),
            None if otherwise is None else _host("static_otherwise", otherwise),
        )


def read_table(path: str) -> dict[str, str]:
    """Return {uuid of a node: host name of its conductor}, from a JSON file.

    :raises ConfigurationError: it cannot be read, or is no such table
    """
    option = f"static_table={path}"
    try:
        table = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise ConfigurationError(
            f"{_SECTION} {option} cannot be read: {error.strerror}; it must be {_TABLE}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{_SECTION} {option} is not {_TABLE}: {error or type(error).__name__}"
        ) from error
    if not isinstance(table, dict):
        raise ConfigurationError(f"{_SECTION} {option} is not {_TABLE}")
    return {uuid: _host(f"{option}, node {uuid!r}", host) for uuid, host in table.items()}


def _host(where: str, host: object) -> str:
    try:
        return check_hostname(host)
    except InvalidMember as error:
        raise ConfigurationError(f"{_SECTION} {where}: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for name, times in collections.Counter(name for name, _ in pairs).items():
        if times > 1:
            raise ValueError(f"node {name!r} is in it {times} times")
    return dict(pairs)
