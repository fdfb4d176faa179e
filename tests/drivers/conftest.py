"""Stores of each kind; a database is made once for the tests of a module, and emptied by each."""

import uuid

import pytest

from servicegroup.db import dialect
from servicegroup.testing import DatabaseStore, FakeClock, MemoryStore, Store

#: Microseconds at which a stopped clock of a database stands.
STOPPED = 1_700_000_000_000_000


@pytest.fixture(scope="module")
def sqlite_database(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/test.sqlite"


@pytest.fixture(scope="module")
def postgresql_database(postgresql):
    url = postgresql.create_database()
    yield url
    postgresql.drop_database(url)


@pytest.fixture(scope="module")
def mariadb_database(mariadb):
    url = mariadb.create_database()
    yield url
    mariadb.drop_database(url)


DATABASES = [
    pytest.param("sqlite_database", id="sqlite"),
    pytest.param("postgresql_database", id="postgresql", marks=pytest.mark.server("postgresql")),
    pytest.param("mariadb_database", id="mariadb", marks=pytest.mark.server("mariadb")),
]


@pytest.fixture(params=DATABASES)
def database_url(request):
    """Run the test once for each kind of database."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def database_store(database_url):
    with DatabaseStore(database_url) as store:
        store.lose()
        yield store


@pytest.fixture
def memory_store():
    name = str(uuid.uuid4())
    memory, clock = MemoryStore.named(name), FakeClock()
    memory.clock = clock
    options = {"servicegroup_memory": {"store": name}}
    with Store("memory", options, age=clock.advance, lose=memory.lose, exact=True) as store:
        yield store


@pytest.fixture
def stopped_clocks(monkeypatch):
    """Make the databases' clock a constant in every statement, so that ages are exact."""
    for kind in (dialect.Dialect, dialect.PostgreSQL, dialect.MySQL):
        monkeypatch.setattr(kind, "now", str(STOPPED))


@pytest.fixture(params=[pytest.param(None, id="memory"), *DATABASES])
def exact_store(request):
    """Run the test once on each kind of store, with ages to the microsecond."""
    if request.param is None:
        yield request.getfixturevalue("memory_store")
        return
    request.getfixturevalue("stopped_clocks")
    with DatabaseStore(request.getfixturevalue(request.param), exact=True) as store:
        store.lose()
        yield store
