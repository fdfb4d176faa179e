"""Fixtures that start private servers, and the account of what was left out for want of one."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol, TypeVar

import pytest
from servers.database import DatabaseServer
from servers.etcd import Etcd
from servers.home import Home
from servers.ironic import Ironic
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
D = TypeVar("D", bound=DatabaseServer)
D_co = TypeVar("D_co", bound=DatabaseServer, covariant=True)

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


class DatabaseFactory(Protocol[D_co]):
    """Starts one more database server, ended after the test."""

    def __call__(
        self, *, skewable: bool = False, settings: Mapping[str, str] | None = None
    ) -> D_co: ...


class KubernetesFactory(Protocol):
    """Starts one more API server, ended after the test."""

    def __call__(self, **how: Any) -> Kubernetes: ...


class MemcachedFactory(Protocol):
    """Starts one more memcached, ended after the test."""

    def __call__(self, **how: Any) -> Memcached: ...


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


@pytest.fixture(scope="session")
def postgresql(server_home: Home) -> Iterator[PostgreSQL]:
    """Run one PostgreSQL server for the whole session; tests take databases of their own."""
    yield from _shared(lambda: PostgreSQL(server_home))


@pytest.fixture(scope="session")
def mariadb(server_home: Home) -> Iterator[MariaDB]:
    """Run one MariaDB server for the whole session; tests take databases of their own."""
    yield from _shared(lambda: MariaDB(server_home))


@pytest.fixture(scope="session")
def zookeeper(server_home: Home) -> Iterator[ZooKeeper]:
    """Run one ZooKeeper server for the whole session; tests take roots of their own."""
    yield from _shared(lambda: ZooKeeper(server_home))


@pytest.fixture(scope="session")
def memcached(server_home: Home) -> Iterator[Memcached]:
    """Run one memcached for the whole session; a test that takes it may flush it."""
    yield from _shared(lambda: Memcached(server_home))


@pytest.fixture(scope="session")
def kubernetes(server_home: Home) -> Iterator[Kubernetes]:
    """Run one API server for the whole session; tests take namespaces of their own."""
    yield from _shared(lambda: Kubernetes(server_home))


@pytest.fixture(scope="session")
def rabbitmq(server_home: Home) -> Iterator[RabbitMQ]:
    """Run one RabbitMQ broker for the whole session; tests take topics and pools of their own."""
    yield from _shared(lambda: RabbitMQ(server_home))


@pytest.fixture(scope="session")
def redis(server_home: Home) -> Iterator[Redis]:
    """Run one Redis for the whole session; a test that takes it may flush it."""
    yield from _shared(lambda: Redis(server_home))


@pytest.fixture(scope="session")
def etcd(server_home: Home) -> Iterator[Etcd]:
    """Run one etcd for the whole session; tests take groups of their own."""
    yield from _shared(lambda: Etcd(server_home))


@pytest.fixture(scope="session")
def ironic(server_home: Home) -> Iterator[Ironic]:
    """Run one ironic for the whole session; a test ends the nodes that it made."""
    yield from _shared(lambda: Ironic(server_home))


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> Iterator[str]:
    """Make a fresh, empty PostgreSQL database and remove it after the test."""
    yield from _database(postgresql)


@pytest.fixture
def mariadb_url(mariadb: MariaDB) -> Iterator[str]:
    """Make a fresh, empty MariaDB database and remove it after the test."""
    yield from _database(mariadb)


@pytest.fixture
def postgresql_server(server_home: Home) -> Iterator[DatabaseFactory[PostgreSQL]]:
    """Start PostgreSQL servers that the test may kill, pause or restart."""
    yield from _factory(PostgreSQL, server_home)


@pytest.fixture
def mariadb_server(server_home: Home) -> Iterator[DatabaseFactory[MariaDB]]:
    """Start MariaDB servers that the test may kill, pause or restart."""
    yield from _factory(MariaDB, server_home)


@pytest.fixture
def zookeeper_server(server_home: Home) -> Iterator[Callable[..., ZooKeeper]]:
    """Start ZooKeeper servers that the test may kill, pause or restart."""
    with ExitStack() as started:

        def make(**settings: str) -> ZooKeeper:
            with requirements():
                server = ZooKeeper(server_home, settings)
            started.enter_context(server)
            return server

        yield make


@pytest.fixture
def zookeeper_ensemble(server_home: Home) -> Iterator[Ensemble]:
    """Start three ZooKeeper servers that keep one set of data."""
    with requirements():
        ensemble = Ensemble(server_home)
    with ensemble:
        yield ensemble


@pytest.fixture
def redis_server(server_home: Home) -> Iterator[Callable[[], Redis]]:
    """Start Redis servers that the test may kill, pause or restart."""
    with ExitStack() as started:

        def make() -> Redis:
            with requirements():
                server = Redis(server_home)
            started.enter_context(server)
            return server

        yield make


@pytest.fixture
def memcached_server(server_home: Home) -> Iterator[MemcachedFactory]:
    """Start memcached servers that the test may kill, pause or restart."""
    with ExitStack() as started:

        def make(**how: Any) -> Memcached:
            with requirements():
                server = Memcached(server_home, **how)
            started.enter_context(server)
            return server

        yield make


@pytest.fixture
def kubernetes_server(server_home: Home) -> Iterator[KubernetesFactory]:
    """Start API servers that the test may kill, pause or restart."""
    with ExitStack() as started:

        def make(**how: Any) -> Kubernetes:
            with requirements():
                server = Kubernetes(server_home, **how)
            started.enter_context(server)
            return server

        yield make


@pytest.fixture
def nagios_server(server_home: Home) -> Iterator[Callable[..., Nagios]]:
    """Start Nagios servers that the test may kill, pause or reload."""
    with ExitStack() as started:

        def make(hosts: Mapping[str, Iterable[str]], **how: Any) -> Nagios:
            with requirements():
                server = Nagios(server_home, hosts, **how)
            return started.enter_context(server)

        yield make


def _shared(make: Callable[[], S]) -> Iterator[S]:
    with requirements():
        server = make()
    with server:
        yield server


def _database(server: DatabaseServer) -> Iterator[str]:
    url = server.create_database()
    yield url
    server.drop_database(url)


def _factory(kind: type[D], home: Home) -> Iterator[DatabaseFactory[D]]:
    with ExitStack() as started:

        def make(*, skewable: bool = False, settings: Mapping[str, str] | None = None) -> D:
            with requirements():
                server = kind(home, skewable=skewable, settings=settings)
            started.enter_context(server)
            return server

        yield make


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
