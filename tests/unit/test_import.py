"""Importing the library is cheap: what one driver or one face needs is loaded with it."""

import json
import subprocess
import sys

import pytest

import servicegroup

#: Loaded with the driver, the face or the database that needs them.
LATE = {
    *("sqlalchemy", "alembic", "oslo_db", "psycopg", "pymysql", "sqlite3"),
    *("cliff", "cmd2", "falcon", "cheroot", "oslo_policy", "oslo_middleware", "keystonemiddleware"),
    *("kazoo", "pymemcache", "lightkube", "httpx", "tooz", "etcd3gw", "redis", "numpy"),
    *("oslo_messaging", "futurist", "openstack"),
}
#: What the guardian must not have either, which keeps what it has in memory beside every daemon.
LARGE = LATE - {"sqlite3", "psycopg", "pymysql", "kazoo", "pymemcache"} | {
    *("oslo_config", "oslo_utils", "stevedore", "asyncio", "logging")
}
IMPORT = "import json, sys, {}; print(json.dumps(sorted(sys.modules)))"


def loaded(code: str) -> set[str]:
    """Run *code* in an interpreter of its own, away from the repository."""
    argv = [sys.executable, "-I", "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_importing_loads_no_client_no_database_and_no_command_line():
    modules = loaded(IMPORT.format("servicegroup.api"))
    assert modules & (LATE | {"subprocess"}) == set()  # the guardian's, if one is wanted


def test_what_is_loaded_is_seen():
    assert loaded(IMPORT.format("servicegroup.api, sqlite3")) & LATE == {"sqlite3"}


@pytest.mark.parametrize(
    "name",
    [
        *("servicegroup", "servicegroup.guardian.__main__", "servicegroup.db.last_will"),
        "servicegroup.drivers.zookeeper.layout",
        "servicegroup.drivers.memcache",
    ],
)
def test_what_the_guardian_is_made_of_is_light(name):
    assert loaded(IMPORT.format(name)) & (LATE | LARGE) == set()


def test_the_public_names_are_where_they_are_said_to_be():
    for name in servicegroup.__all__:
        assert getattr(servicegroup, name) is not None
        assert name in dir(servicegroup)
    with pytest.raises(AttributeError, match="no attribute 'Nobody'"):
        servicegroup.Nobody  # noqa: B018
