"""The db driver on each database: the whole contract, and its ages to the last microsecond."""

import pytest

from servicegroup.db import dialect
from servicegroup.testing import DatabaseStore, DriverConformance
from servicegroup.testing.promises.ages import Ages, Witnesses

#: Microseconds at which a stopped clock of a database stands.
STOPPED = 1_700_000_000_000_000


@pytest.fixture
def store(url):
    with DatabaseStore(url) as store:
        store.lose()
        yield store


@pytest.fixture(scope="class")
def sqlite_database(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/test.sqlite"


@pytest.fixture(scope="class")
def postgresql_database(postgresql):
    url = postgresql.create_database()
    yield url
    postgresql.drop_database(url)


@pytest.fixture(scope="class")
def mariadb_database(mariadb):
    url = mariadb.create_database()
    yield url
    mariadb.drop_database(url)


class OnSQLite:
    @pytest.fixture
    def url(self, sqlite_database):
        return sqlite_database


class OnPostgreSQL:
    @pytest.fixture
    def url(self, postgresql_database):
        return postgresql_database


class OnMariaDB:
    @pytest.fixture
    def url(self, mariadb_database):
        return mariadb_database


class DbConformance(DriverConformance):
    @pytest.fixture
    def store(self, url):
        with DatabaseStore(url) as store:
            store.lose()
            yield store


class TestSQLite(OnSQLite, DbConformance):
    pass


class TestPostgreSQL(OnPostgreSQL, DbConformance):
    pass


class TestMariaDB(OnMariaDB, DbConformance):
    pass


class WithStoppedClock(Ages, Witnesses):
    """The database's clock is a constant in every statement, so that ages are exact."""

    @pytest.fixture
    def store(self, url, monkeypatch):
        for kind in (dialect.Dialect, dialect.PostgreSQL, dialect.MySQL):
            monkeypatch.setattr(kind, "now", str(STOPPED))
        with DatabaseStore(url, exact=True) as store:
            store.lose()
            yield store


class TestSQLiteToTheMicrosecond(OnSQLite, WithStoppedClock):
    pass


class TestPostgreSQLToTheMicrosecond(OnPostgreSQL, WithStoppedClock):
    pass


class TestMariaDBToTheMicrosecond(OnMariaDB, WithStoppedClock):
    pass
