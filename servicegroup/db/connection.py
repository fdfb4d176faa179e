"""Which database is meant: the URL, checked, and the default one."""

from __future__ import annotations

import logging

from oslo_config import cfg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from servicegroup import config
from servicegroup.config import DATABASE_GROUP
from servicegroup.exceptions import ConfigurationError
from servicegroup.state_folder import state_folder

LOG = logging.getLogger(__name__)

OPTION = f"[{DATABASE_GROUP}] connection"

#: Our dialects by every scheme that users write for them: SQLAlchemy's driver and our extra.
SCHEMES = {
    "sqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_LIBRARIES = {
    "postgresql+psycopg": ("psycopg", "postgresql"),
    "mysql+pymysql": ("pymysql", "mysql"),
    "mariadb+pymysql": ("pymysql", "mysql"),
}


def resolve(conf: cfg.ConfigOpts) -> tuple[URL, bool]:
    """Return the checked URL of the configured database, and whether it is the default one.

    :raises ConfigurationError: an unusable URL, or a client library that is not installed
    """
    config.register_database(conf)
    configured = conf[DATABASE_GROUP].connection
    if not configured:
        return _default(), True
    try:
        url = make_url(configured)
    except (ArgumentError, ValueError):  # the latter for a port that is none
        raise ConfigurationError(
            f"{OPTION} is not a database URL; use for example "
            f"sqlite:////var/lib/servicegroup/servicegroup.sqlite or "
            f"postgresql://user:password@host/servicegroup"
        ) from None  # the error may show a part of the password
    _check_password(configured)
    return _checked(url), False


def _check_password(text: str) -> None:
    """Refuse what cuts a password in two: its rest would be a host, a database, or shown as one."""
    scheme, _, rest = text.partition("://")
    if not scheme.startswith("sqlite") and rest.partition(":")[2].count("@") > 1:
        raise ConfigurationError(
            f"{OPTION} has an @ too many; in a password, or after the ?, write it as %40"
        )


def _checked(url: URL) -> URL:
    family, _, library = url.drivername.partition("+")
    drivername = SCHEMES.get(family)
    if drivername is None or (library and library != drivername.partition("+")[2]):
        raise ConfigurationError(
            f"{OPTION} has the scheme {url.drivername!r}; use one of sqlite, postgresql, mysql, "
            f"mariadb"
        )
    if family == "sqlite" and url.database in (None, "", ":memory:"):
        raise ConfigurationError(
            f"{OPTION} names an SQLite database in memory, which no other process can see; name a "
            f"file: sqlite:////var/lib/servicegroup/servicegroup.sqlite"
        )
    _require_library(drivername)
    return url.set(drivername=drivername)


def _require_library(drivername: str) -> None:
    module, extra = _LIBRARIES.get(drivername, ("sqlite3", ""))
    try:
        __import__(module)
    except ImportError as error:
        raise ConfigurationError(
            f"{OPTION} needs the library {module}: pip install 'servicegroup[{extra}]'"
        ) from error


def _default() -> URL:
    try:
        folder = state_folder()
    except OSError as error:
        raise ConfigurationError(
            f"the default database cannot be kept in {error.filename}: {error.strerror}; set "
            f"{OPTION}"
        ) from error
    path = folder / "servicegroup.sqlite"
    LOG.info("%s is not set: keeping records in %s", OPTION, path)
    return URL.create("sqlite+pysqlite", database=str(path))
