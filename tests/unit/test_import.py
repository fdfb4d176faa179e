"""Importing the library is cheap: what one driver or one face needs is loaded with it."""

import json
import subprocess
import sys

#: Loaded with the driver, the face or the database that needs them.
LATE = {
    *("sqlalchemy", "alembic", "oslo_db", "psycopg", "pymysql", "sqlite3"),
    *("cliff", "cmd2", "falcon", "cheroot", "oslo_policy", "oslo_middleware", "keystonemiddleware"),
    *("kazoo", "pymemcache", "lightkube", "httpx", "tooz", "etcd3gw", "redis", "numpy"),
    *("oslo_messaging", "futurist", "openstack"),
}
IMPORT = "import json, sys, servicegroup; print(json.dumps(sorted(sys.modules)))"


def loaded(code: str) -> set[str]:
    """Run *code* in an interpreter of its own, away from the repository."""
    argv = [sys.executable, "-I", "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_importing_loads_no_client_no_database_and_no_command_line():
    assert loaded(IMPORT) & LATE == set()


def test_what_is_loaded_is_seen():
    assert loaded(IMPORT.replace("servicegroup;", "servicegroup, sqlite3;")) & LATE == {"sqlite3"}
