"""Fixtures that start private servers, and the account of what was left out for want of one."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, Protocol, TypeVar

import pytest
from servers.database import DatabaseServer
from servers.etcd import Etcd
from servers.home import Home
from servers.ironic import Ironic
from servers.keystone import Keystone
from servers.kubernetes import Kubernetes
from servers.mariadb import MariaDB
from servers.memcached import Memcached
from servers.nagios import Nagios
from servers.postgresql import PostgreSQL
from servers.process import Server
from servers.rabbitmq import RabbitMQ
from servers.redis import Redis
from servers.requirement import REQUIRE_VARIABLE, MissingError, servers_required
from servers.zookeeper import Ensemble, ZooKeeper

S = TypeVar("S", bound=Server)
S_co = TypeVar("S_co", bound=Server, covariant=True)

#: Each kind of server, by the name of its fixture.
SHARED = (
    "postgresql",
    "mariadb",
    "zookeeper",
    "memcached",
    "kubernetes",
    "rabbitmq",
    "nagios",
    "redis",
    "etcd",
)


class Factory(Protocol[S_co]):
    """Starts one more server, as its class says how; ended after the test."""

    def __call__(self, *arguments: Any, **how: Any) -> S_co: ...


@contextmanager
def requirements() -> Iterator[None]:
    """Skip the test where something is missing, or fail it where all servers are required."""
    try:
        yield
    except MissingError as error:
        if servers_required():
            pytest.fail(f"{error} ({REQUIRE_VARIABLE}=1)", pytrace=False)
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def server_home() -> Iterator[Home]:
    """Keep the folder in which this run's servers live."""
    with Home() as home:
        yield home


def _shared(kind: Callable[[Home], S], scope: Literal["session", "module"] = "session") -> Any:
    @pytest.fixture(scope=scope)
    def shared(server_home: Home) -> Iterator[S]:
        with requirements():
            server = kind(server_home)
        with server:
            yield server

    return shared


def _factory(kind: Callable[..., S]) -> Any:
    @pytest.fixture
    def factory(server_home: Home) -> Iterator[Factory[S]]:
        with ExitStack() as started:

            def make(*arguments: Any, **how: Any) -> S:
                with requirements():
                    server = kind(server_home, *arguments, **how)
                started.enter_context(server)
                return server

            yield make

    return factory


# One of each for the whole session. Tests take databases, roots, namespaces, topics or groups of
# their own in it; a test that takes memcached or Redis may flush it, keystone is
# there for one module, the last test of which may stop it.
postgresql = _shared(PostgreSQL)
mariadb = _shared(MariaDB)
zookeeper = _shared(ZooKeeper)
memcached = _shared(Memcached)
kubernetes = _shared(Kubernetes)
rabbitmq = _shared(RabbitMQ)
redis = _shared(Redis)
etcd = _shared(Etcd)
ironic = _shared(Ironic)
keystone = _shared(Keystone, "module")

# To start those that a test may kill, pause or restart.
postgresql_server = _factory(PostgreSQL)
mariadb_server = _factory(MariaDB)
zookeeper_server = _factory(ZooKeeper)
memcached_server = _factory(Memcached)
kubernetes_server = _factory(Kubernetes)
redis_server = _factory(Redis)
nagios_server = _factory(Nagios)


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> Iterator[str]:
    """Make a fresh, empty PostgreSQL database and remove it after the test."""
    yield from _database(postgresql)


@pytest.fixture
def mariadb_url(mariadb: MariaDB) -> Iterator[str]:
    """Make a fresh, empty MariaDB database and remove it after the test."""
    yield from _database(mariadb)


@pytest.fixture
def zookeeper_ensemble(server_home: Home) -> Iterator[Ensemble]:
    """Start three ZooKeeper servers that keep one set of data."""
    with requirements():
        ensemble = Ensemble(server_home)
    with ensemble:
        yield ensemble


def _database(server: DatabaseServer) -> Iterator[str]:
    url = server.create_database()
    yield url
    server.drop_database(url)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that name a server's fixture, so that ``-m 'not server'`` needs none.

    Whoever asks for it by ``request.getfixturevalue`` is marked where its name is a parameter.
    """
    for item in items:
        callspec = getattr(item, "callspec", None)
        parameters = callspec.params.values() if callspec else ()
        for name in (*getattr(item, "fixturenames", ()), *parameters):
            server = name.removesuffix("_url").removesuffix("_server") if type(name) is str else ""
            if server in SHARED:
                item.add_marker(pytest.mark.server(server))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was left out for want of a server, and how to get it."""
    left_out: Counter[str] = Counter()
    for report in terminalreporter.getreports("skipped"):
        if isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            if reason.startswith("needs "):
                left_out[reason.removeprefix("needs ")] += 1
    if left_out:
        terminalreporter.section("left out")
        for reason, count in sorted(left_out.items()):
            what, _, remedy = reason.partition(": ")
            terminalreporter.line(f"{count} tests that need {what} ({remedy})")
        terminalreporter.line(
            "tools/install-servers, as root, installs all servers; make test then runs every test"
        )
