"""The memcache driver on real servers: the whole contract."""

import itertools
from contextlib import ExitStack

import pytest
from servers.fixtures import requirements
from servers.hole import Hole
from servers.memcached import Memcached

from servicegroup.drivers.memcache.classic import Classic
from servicegroup.drivers.memcache.servers import Servers
from servicegroup.testing import DriverConformance, Store
from servicegroup.testing.scene import join

_names = itertools.count()
#: How requests begin that older servers do not know.
META = (b"mn", b"mg ", b"ms ", b"md ")


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
    walks = 20
    steps = 25

    @pytest.fixture
    def store(self, memcached):
        memcached.flush()
        with make_store([memcached]) as store:
            yield store


class TestSealed(DriverConformance):
    """Everything carries an HMAC."""

    walks = 8
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

    walks = 8
    steps = 20

    @pytest.fixture
    def store(self, three):
        for server in three:
            server.flush()
        with make_store(three) as store:
            yield store


class TestFindings:
    """What the driver has to say of its servers."""

    def test_a_server_with_room_is_well(self, memcached):
        with make_store([memcached]) as store:
            driver = store.driver()
            join(driver)
            [finding] = driver.findings()
        assert finding.well, finding
        assert finding.check == f"memcached {memcached.address}"
        assert "threw away 0 for want of room" in finding.result

    def test_a_server_that_evicts_or_takes_only_small_values(self, memcached_server):
        server = memcached_server(memory=16, settings=["-I", "128k", "-o", "slab_chunk_max=65536"])
        junk = b"".join(b"ms junk%d 1000\r\n%b\r\n" % (one, b"x" * 1000) for one in range(500))
        for start in range(60):
            server.ask(junk.replace(b"junk", b"junk%d-" % start) + b"mn\r\n", b"MN\r\n")
        with make_store([server]) as store:
            memory, size = store.driver().findings()
        assert not memory.well
        assert "-m" in memory.remedy
        assert not size.well
        assert size.result.startswith("keeps values of 131072 bytes at most")

    def test_a_server_that_is_away_hides_nothing_of_the_others(self, memcached, memcached_server):
        away = memcached_server()
        with make_store([memcached, away]) as store:
            driver = store.driver()
            away.kill()
            found = {one.check: one for one in driver.findings()}
        assert found[f"memcached {memcached.address}"].well
        assert not found[f"memcached {away.address}"].well
        assert found[f"memcached {away.address}"].result.startswith("does not answer: ")


class TestClassic(DriverConformance):
    """A server that has no meta commands."""

    walks = 8
    steps = 20

    @pytest.fixture
    def store(self, memcached, monkeypatch):
        now, passed = Classic.now, []
        monkeypatch.setattr(Classic, "now", lambda classic: now(classic) + round(sum(passed)))
        memcached.flush()
        with Hole((memcached.host, memcached.port), lacks=META) as old:
            namespace = f"test-{next(_names)}"
            values = {"servers": [old.address], "namespace": namespace}
            options = {"servicegroup_memcache": values}
            # As above, in the form in which values that never end are kept here.
            memcached.ask(f"set {namespace}:z: 0 0 2\r\n0 \r\n".encode())

            def age(seconds):
                passed.append(seconds)
                Clock.ahead += seconds

            with Store("memcache", options, age=age, lose=memcached.flush) as store:
                yield store
