"""A ServiceGroup as tests want it: settings from nowhere but the test, and short times."""

from typing import Any

from oslo_config import cfg

import servicegroup
from servicegroup import config

#: Seconds, all of them.
INTERVAL = 0.2
DOWN = 1.0
POLL = 0.1
OPTIONS = {
    "report_interval": INTERVAL,
    "service_down_time": DOWN,
    "poll_interval": POLL,
    "stop_deadline": 2.0,
}


def configuration(connection: str | None, **options: Any) -> cfg.ConfigOpts:
    """Build a configuration with a database URL and options of ``[servicegroup]``."""
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    config.register(conf)
    config.register_database(conf)
    for name, value in {**OPTIONS, **options}.items():
        conf.set_override(name, value, config.GROUP)
    if connection is not None:
        conf.set_override("connection", connection, config.DATABASE_GROUP)
    return conf


def service_group(connection: str | None, **options: Any) -> servicegroup.ServiceGroup:
    """Build a ServiceGroup on the database at *connection*; ``None`` means the default one."""
    return servicegroup.ServiceGroup(configuration(connection, **options))
