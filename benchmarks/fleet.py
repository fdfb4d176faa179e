"""A fleet to look at: members written straight into the tables, one process each or shared."""

from __future__ import annotations

import json
import uuid
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg

from servicegroup import config, loading
from servicegroup.db import migrate
from servicegroup.db.engine import Database
from servicegroup.db.tables import instances, services

GROUP = "compute"
#: Long enough that nobody who beat at the beginning goes down during a run.
DOWN_TIME = 6000.0
#: The seven fields that a daemon of a control plane publishes: 130 bytes of JSON.
ATTRIBUTES: dict[str, Any] = {
    "region": "RegionOne",
    "zone": "az-1",
    "rack": "r-17",
    "drivers": ["ipmi", "redfish"],
    "api": "1.82",
    "weight": 100,
    "url": "http://10.0.0.17",
}
_AT_ONCE = 1000


def configuration(url: str, **options: Any) -> cfg.ConfigOpts:
    """Return a configuration of the ``db`` driver; *options* are those of ``[servicegroup]``."""
    conf = cfg.ConfigOpts()
    conf([], project="servicegroup", default_config_files=[], default_config_dirs=[])
    config.register(conf)
    loading.register_options(conf, loading.load("db"))
    conf.set_override("connection", url, group=config.DATABASE_GROUP)
    for name, value in ({"service_down_time": DOWN_TIME} | options).items():
        conf.set_override(name, value, group=config.GROUP)
    return conf


class Fleet:
    """The rows of one group, whose processes all beat when it was made."""

    def __init__(self, url: str) -> None:
        conf = configuration(url)
        self._database = Database(conf, config.settings(conf))
        dialect = self._database.dialect
        self._clocks = sa.select(
            sa.literal_column(dialect.now, sa.BigInteger),
            sa.literal_column(dialect.wall, sa.BigInteger),
            sa.literal_column(dialect.boot, sa.String),
        )
        migrate.upgrade(self._database)

    def set_size(self, size: int) -> None:
        """Leave nothing in the tables but *size* members, each of a process of its own."""
        self.remove()
        self._database.transaction(lambda connection: self._fill(connection, size))
        if self._database.dialect.name == "postgresql":  # else autovacuum would, mid-run
            self._execute(sa.text("ANALYZE"))

    def share(self, processes: int) -> None:
        """Let the members be held by so many processes, in equal parts."""
        ids = self._database.read(lambda connection: connection.scalars(_SOME_INSTANCES).all())
        for index, instance_id in enumerate(ids[:processes]):
            part = services.c.id % processes == index
            self._execute(sa.update(services).where(part).values(instance_id=instance_id))

    def remove(self, group_id: str | None = None) -> None:
        """Remove the members of a group without a trace, or everything."""
        if group_id is not None:
            self._execute(sa.delete(services).where(services.c.group_id == group_id))
            return
        self._execute(sa.delete(services))
        self._execute(sa.delete(instances))

    def instance_of(self, member_id: str) -> str:
        """Return the life that holds a member."""
        statement = sa.select(services.c.instance_id).where(services.c.member_id == member_id)
        return str(self._database.read(lambda connection: connection.scalar(statement)))

    def close(self) -> None:
        self._database.close()

    def _execute(self, statement: sa.Executable) -> None:
        self._database.transaction(lambda connection: connection.execute(statement))

    def _fill(self, connection: sa.Connection, size: int) -> None:
        now, wall, boot = connection.execute(self._clocks).one()
        lives = [_instance(number, now, boot) for number in range(size)]
        members = [service(n, life["instance_id"], now, wall) for n, life in enumerate(lives)]
        for start in range(0, size, _AT_ONCE):
            connection.execute(sa.insert(instances), lives[start : start + _AT_ONCE])
            connection.execute(sa.insert(services), members[start : start + _AT_ONCE])


def member_id(number: int) -> str:
    return f"node-{number:05d}"


_SOME_INSTANCES = sa.select(instances.c.instance_id).order_by(instances.c.instance_id).limit(100)


def _instance(number: int, now: int, boot: str) -> dict[str, Any]:
    return {
        "instance_id": str(uuid.uuid4()),
        "generation": 1,
        "beat_at": now,
        "steady_since": now,
        "boot_id": boot,
        "report_count": 1,
        "report_interval": 10.0,
        "hostname": member_id(number),
        "process_id": 1000 + number,
    }


def service(
    number: int, instance_id: str, now: int, wall: int, group_id: str = GROUP
) -> dict[str, Any]:
    """Return a row of ``services`` as a join writes it."""
    return {
        "uuid": str(uuid.uuid4()),
        "group_id": group_id,
        "member_id": member_id(number),
        "name": "nova-compute",
        "hostname": member_id(number),
        "process_id": 1000 + number,
        "attributes": json.dumps(ATTRIBUTES, separators=(",", ":")),
        "revision": 0,
        "version": 1,
        "instance_id": instance_id,
        "incarnation": 1,
        "started_at": wall,
        "up_since": now,
        "disabled": False,
        "forced_down": False,
        "created_at": wall,
    }
