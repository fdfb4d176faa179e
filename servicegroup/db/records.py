"""The service records as a whole: reading, writing, the operator's word. What other floors use."""

from __future__ import annotations

from oslo_config import cfg

from servicegroup.config import Settings
from servicegroup.db import migrate
from servicegroup.db.ending import Ends
from servicegroup.db.engine import Database
from servicegroup.db.membership import Membership
from servicegroup.db.operator import Operator
from servicegroup.db.sight import Sight


class Records:
    """One process's access to the records; connects at first use."""

    def __init__(self, conf: cfg.ConfigOpts, settings: Settings, instance_id: str) -> None:
        self.database = Database(conf, settings)
        self.sight = Sight(self.database, settings)
        self.membership = Membership(self.database, settings, instance_id)
        self.ends = Ends(self.database)
        self.operator = Operator(self.database, self.membership)

    def start(self) -> None:
        """Check that the tables are there; the default SQLite file brings itself up to date.

        :raises DatabaseNotReady: tables are missing or of another version
        :raises DriverUnavailable: the database did not answer
        """
        database = self.database
        if database.is_default and database.makes_itself(database.checked_version()):
            with database.explained():
                migrate.upgrade(database)
        database.require_tables()

    def stop(self) -> None:
        """Close idle connections."""
        self.database.close()
