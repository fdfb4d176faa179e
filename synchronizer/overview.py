"""What can be said without running anything: installed plugins, and what a baseline holds."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import NamedTuple

from oslo_config import cfg

from servicegroup.exceptions import ConfigurationError

from . import finding
from .errors import PluginError, PluginNotFound
from .options import settings, values_without_demands
from .plugin import Context
from .tables import VERSION


class PluginRow(NamedTuple):
    """One plugin: installed, configured, or both; ``status`` says what is wrong if anything is."""

    name: str
    kind: str
    types: tuple[str, ...]
    status: str


class BaselineRow(NamedTuple):
    """One source, consumer or entity type of a baseline; times in seconds since 1970."""

    kind: str
    name: str
    types: tuple[str, ...]
    state: str
    reason: str
    since: float | None
    entities: int | None


def plugins(conf: cfg.ConfigOpts) -> list[PluginRow]:
    """Return the plugins that are installed or configured, sorted."""
    chosen = settings(conf).plugins
    return [_row(conf, name, name in chosen) for name in sorted({*finding.installed(), *chosen})]


def _row(conf: cfg.ConfigOpts, name: str, chosen: bool) -> PluginRow:
    try:
        kind = finding.load(name)
    except (PluginError, PluginNotFound) as error:
        return PluginRow(name, "", (), str(error))
    types = tuple(kind.entity_types) if isinstance(kind.entity_types, list | tuple) else ()
    status = "configured" if chosen else "installed"
    try:
        made = kind(Context(name, values_without_demands(conf, name, kind), conf=conf))
        types = tuple(made.entity_types)
    except Exception as error:  # noqa: BLE001 - it is the plugin's
        if chosen:
            status = f"cannot work: {error}"
    return PluginRow(name, kind.kind, types, status)


def baseline(conf: cfg.ConfigOpts) -> list[BaselineRow]:
    """Return what the configured baseline says of sources, consumers and types, running or not.

    :raises ConfigurationError: there is none, or none that can be read
    """
    path = settings(conf).baseline_path
    if path is None or not path.exists():
        raise ConfigurationError(
            f"[synchronizer] baseline_path={path or ''}: there is no such file; 'servicegroup "
            f"synchronizer run' makes it"
        )
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                raise ConfigurationError(f"{path} is of version {version}, this is {VERSION}")
            return _rows(connection)
    except sqlite3.DatabaseError as error:
        raise ConfigurationError(f"[synchronizer] baseline_path={path}: {error}") from error


def _rows(connection: sqlite3.Connection) -> list[BaselineRow]:
    rows = []
    query = "SELECT name, state, reason, types, succeeded FROM sources ORDER BY name"
    for name, state, reason, types, succeeded in connection.execute(query):
        told = tuple(json.loads(types))
        rows.append(BaselineRow("source", name, told, state, reason, succeeded, None))
    (seq,) = connection.execute("SELECT value FROM meta WHERE name = 'seq'").fetchone()
    query = "SELECT name, seq, types, seen FROM consumers ORDER BY name"
    for name, position, types, seen in connection.execute(query):
        behind = f"{seq - position} changes behind" if seq > position else "up to date"
        rows.append(BaselineRow("consumer", name, tuple(json.loads(types)), behind, "", seen, None))
    query = (
        "SELECT type, count(data), max(observed), type IN (SELECT type FROM types) "
        "FROM entities GROUP BY type ORDER BY type"
    )
    for type_, count, observed, ready in connection.execute(query):
        state = "complete" if ready else "as notified"
        rows.append(BaselineRow("type", type_, (type_,), state, "", observed, count))
    return rows
