"""The tables in the configured database: which version they have, and bringing them up to date."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from alembic.util.exc import CommandError
from oslo_config import cfg

from servicegroup import config
from servicegroup.db import migrate, tables
from servicegroup.db.engine import CLIENT_ERRORS, Database, first_line
from servicegroup.exceptions import ConfigurationError, DriverUnavailable


class Schema(NamedTuple):
    """A database and the version of its tables; ``None`` where it has none of ours.

    ``makes_itself``: they are made, or upgraded, at first use, as in the default SQLite database.
    """

    place: str
    version: str | None
    needed: str = tables.HEAD
    makes_itself: bool = False

    @property
    def is_current(self) -> bool:
        """Whether this library can work with them."""
        return self.version == self.needed


def read(conf: cfg.ConfigOpts) -> Schema:
    """Return what the configured database holds.

    :raises ConfigurationError: no database is in use, or it cannot be opened
    :raises DriverUnavailable: it did not answer
    """
    with _database(conf) as database:
        return _read(database)


def upgrade(conf: cfg.ConfigOpts) -> tuple[Schema, Schema]:
    """Apply all missing migrations, and return what was there before and after.

    All or none, where the database can undo changes of tables; may run while services beat.

    :raises ConfigurationError: no database is in use, it cannot be opened, or is newer than we
    :raises DriverUnavailable: it did not answer
    """
    with _database(conf) as database:
        before = _read(database)
        try:
            migrate.upgrade(database)
        except CommandError as error:
            raise database.too_new(before.version) from error
        except CLIENT_ERRORS as error:
            raise DriverUnavailable(
                f"the database {before.place} could not be upgraded: {first_line(error)}"
            ) from error
        return before, _read(database)


@contextlib.contextmanager
def _database(conf: cfg.ConfigOpts) -> Iterator[Database]:
    settings = config.settings(conf)
    if not settings.use_records:
        raise ConfigurationError(
            f"no database is in use beside driver={settings.driver}: set [servicegroup_database] "
            f"connection, or [servicegroup] use_records=true"
        )
    try:
        database = Database(conf, settings)
    except cfg.ConfigSourceValueError as error:
        raise config.invalid(error, config.DATABASE_GROUP) from error
    try:
        yield database
    finally:
        database.close()


def _read(database: Database) -> Schema:
    version = database.checked_version()
    return Schema(database.place, version, makes_itself=database.makes_itself(version))
