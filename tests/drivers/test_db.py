"""The db driver on each database: the whole contract, and its ages to the last microsecond."""

import pytest

from servicegroup.testing import DatabaseStore, DriverConformance
from servicegroup.testing.promises.ages import Ages, Witnesses


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
    shrink = False  # within the time that one test may take

    @pytest.fixture
    def store(self, url):
        with DatabaseStore(url) as store:
            store.lose()
            yield store


class TestSQLite(OnSQLite, DbConformance):
    walks = 24


class TestPostgreSQL(OnPostgreSQL, DbConformance):
    walks = 12  # servers are slower, and most of the driver is the same


class TestMariaDB(OnMariaDB, DbConformance):
    walks = 12


class DbToTheMicrosecond(Ages, Witnesses):
    @pytest.fixture
    def store(self, url, stopped_clocks):
        with DatabaseStore(url, exact=True) as store:
            store.lose()
            yield store


class TestSQLiteToTheMicrosecond(OnSQLite, DbToTheMicrosecond):
    pass


class TestPostgreSQLToTheMicrosecond(OnPostgreSQL, DbToTheMicrosecond):
    pass


class TestMariaDBToTheMicrosecond(OnMariaDB, DbToTheMicrosecond):
    pass
