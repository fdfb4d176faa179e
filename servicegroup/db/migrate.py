"""Bringing a database to the version that this library needs, with Alembic."""

from __future__ import annotations

import pathlib

import sqlalchemy as sa

from servicegroup.db import tables
from servicegroup.db.engine import Database

SCRIPTS = pathlib.Path(__file__).parent / "migrations"


def upgrade(database: Database) -> tuple[str | None, str]:
    """Apply all missing migrations; several processes may do so at once.

    :returns: the version before and the version after
    """
    from alembic import command
    from alembic.config import Config

    before = database.version()
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))

    def run(connection: sa.Connection) -> None:
        with database.dialect.exclusive(connection):
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    database.transaction(run)
    return before, tables.HEAD
