"""The memcache driver on real servers: the whole contract."""

import itertools
from contextlib import ExitStack

import pytest
from servers.fixtures import requirements
from servers.memcached import Memcached

from servicegroup.drivers.memcache.servers import Servers
from servicegroup.testing import DriverConformance, Store

_names = itertools.count()


class Clock:
    """How far the servers' wall clocks are ahead, for time that passes by hand."""

    ahead = 0.0


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    now = Servers.now
    monkeypatch.setattr(Servers, "now", lambda servers: now(servers) + Clock.ahead)


def make_store(servers, **options):
    """An empty store on these servers, whose time passes by hand."""
    namespace = f"test-{next(_names)}"
    values = {
        "servers": [server.address for server in servers],
        "namespace": namespace,
        **options,
    }

    def age(seconds):
        for server in servers:
            server.age(seconds)
        Clock.ahead += seconds

    def lose():
        for server in servers:
            server.flush()

    for server in servers:  # a store that has been there for long: absence is no loss in it
        server.ask(f"ms {namespace}:z: 0\r\n\r\n".encode())
    # Ages are whole seconds, and a test may take some: see Store's tolerance.
    return Store("memcache", {"servicegroup_memcache": values}, age=age, lose=lose)


class TestMemcache(DriverConformance):
    walks = 30
    steps = 25

    @pytest.fixture
    def store(self, memcached):
        memcached.flush()
        with make_store([memcached]) as store:
            yield store


class TestSealed(DriverConformance):
    """Everything carries an HMAC."""

    walks = 15
    steps = 20

    @pytest.fixture
    def store(self, memcached):
        memcached.flush()
        with make_store([memcached], secret_key="0123456789abcdef") as store:
            yield store


@pytest.fixture(scope="class")
def three(server_home):
    with ExitStack() as started:
        with requirements():
            servers = [Memcached(server_home) for _ in range(3)]
        yield [started.enter_context(server) for server in servers]


class TestThreeServers(DriverConformance):
    """Every key is on two of three servers."""

    walks = 25
    steps = 20

    @pytest.fixture
    def store(self, three):
        for server in three:
            server.flush()
        with make_store(three) as store:
            yield store
