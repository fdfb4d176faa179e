"""The statements that a database server received are counted at the server, and exactly."""

from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest
from servers.account import ServerError
from servers.mariadb import PASSWORD, PING
from servers.postgresql import PostgreSQL
from sqlalchemy import create_engine, text


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def url(server):
    url = server.create_database()
    yield url
    server.drop_database(url)


@contextmanager
def raw(url):
    """Connect with the bare client, beside SQLAlchemy's own statements."""
    parts = urlsplit(url)
    where = {"host": parts.hostname, "port": parts.port, "user": parts.username}
    name = parts.path.lstrip("/")
    if parts.scheme.startswith("postgresql"):
        connection = psycopg.connect(**where, dbname=name, autocommit=True)
    else:
        connection = pymysql.connect(**where, password=PASSWORD, database=name, autocommit=True)
    with closing(connection):
        yield connection


def test_a_transaction_is_every_statement_of_it(server, url):
    engine = create_engine(url)
    with engine.connect():
        pass  # what a first connection asks is not what is counted
    with server.statements(url) as statements, engine.begin() as connection:
        connection.execute(text("SELECT 1 + :n"), {"n": 2})
        connection.execute(text("SELECT 'two\n\tlines'"))
    engine.dispose()
    if isinstance(server, PostgreSQL):
        assert statements == ["BEGIN", "SELECT 1 + $1", "SELECT 'two\n\tlines'", "COMMIT"]
    else:  # its transactions begin by themselves, and the pool resets what it gets back
        assert statements == ["SELECT 1 + 2", "SELECT 'two\n\tlines'", "COMMIT", "ROLLBACK"]


def test_autocommit_is_one_statement(server, url):
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        with server.statements(url) as statements:
            connection.execute(text("SELECT 7"))
        assert statements == ["SELECT 7"]
    engine.dispose()


def test_nothing_is_nothing(server, url):
    with raw(url), server.statements(url) as statements:
        pass
    assert statements == []


def test_prepared_statements_count_each_time_they_run(postgresql, postgresql_url):
    with raw(postgresql_url) as connection:
        with postgresql.statements(postgresql_url) as statements:
            for number in range(20):
                connection.execute("SELECT %s::integer", [number])
        assert statements == ["SELECT $1::integer"] * 20


def test_pipelined_and_repeated_statements_count_one_by_one(postgresql, postgresql_url):
    with raw(postgresql_url) as connection:
        connection.execute("CREATE TABLE t (id integer)")
        insert = "INSERT INTO t VALUES (%s)"
        with postgresql.statements(postgresql_url) as statements, connection.cursor() as cursor:
            cursor.executemany(insert, [[number] for number in range(20)])
        assert statements[0] == "BEGIN" or len(statements) == 20, statements
        assert statements.count("INSERT INTO t VALUES ($1)") == 20


def test_pings_count(mariadb, mariadb_url):
    with raw(mariadb_url) as connection, mariadb.statements(mariadb_url) as statements:
        connection.ping()
        connection.query("SELECT 7")
        connection.ping()
    assert statements == ["SELECT 7", PING, PING]


def test_closing_and_connecting_are_no_statements(server, url):
    with server.statements(url) as statements, raw(url):
        pass
    # What the client says when it connects is a statement, where it says anything.
    assert statements == ([] if isinstance(server, PostgreSQL) else ["SET NAMES utf8mb4"])


def test_other_databases_are_left_out_unless_all_are_asked_for(server, url):
    other = server.create_database()
    with raw(url) as first, raw(other) as second:
        with server.statements(url) as mine, server.statements() as everybodys:
            first.cursor().execute("SELECT 1")
            second.cursor().execute("SELECT 2")
            server.execute("SELECT 3")
            server.drop_database(server.create_database())
        assert mine == ["SELECT 1"]
        assert everybodys == ["SELECT 1", "SELECT 2"]
    server.drop_database(other)


def test_a_connection_made_meanwhile_belongs_to_its_database(server, url):
    other = server.create_database()
    with server.statements(url) as statements, raw(url) as first, raw(other) as second:
        first.cursor().execute("SELECT 1")
        second.cursor().execute("SELECT 2")
    assert statements[-1] == "SELECT 1"
    assert "SELECT 2" not in statements
    server.drop_database(other)


def test_a_failing_statement_counts_too(server, url):
    refusal = pytest.raises((psycopg.Error, pymysql.Error))
    with raw(url) as connection, server.statements(url) as statements, refusal:
        connection.cursor().execute("SELECT * FROM nowhere")
    assert statements == ["SELECT * FROM nowhere"]


def test_counting_says_when_it_cannot(postgresql_server):
    server = postgresql_server(settings={"log_statement": "none"})
    with pytest.raises(ServerError, match="log_statement=none"), server.statements():
        pass
