"""How the memcache driver reaches a memcached, and what it says when it cannot."""

import threading
import time
import uuid

import pytest
from pymemcache.client.base import Client
from servers.hole import Hole

from servicegroup.driver import Context
from servicegroup.model import State
from servicegroup.testing import Store
from servicegroup.testing.scene import GROUP, join, listed, seen, states

SECRET = "a secret that is long enough"


def make_store(address, **options):
    values = {"servers": [address], "namespace": f"reach-{uuid.uuid4()}", **options}
    return Store("memcache", {"servicegroup_memcache": values}, age=lambda _: None)


def failure(store):
    """Return the words in which a look fails."""
    driver = store.driver()
    with pytest.raises(driver.client_errors) as raised:
        driver.sightings(GROUP)
    return str(raised.value)


def test_tls(memcached_server):
    server = memcached_server(tls=True)
    with make_store(server.address, tls=True, tls_cafile=str(server.certificate)) as store:
        driver = store.driver()
        held = join(driver)
        assert driver.heartbeat(held.instance_id, [held]) == []
        assert states(store, store.driver()) == {"m": State.UP}


def test_a_certificate_that_nobody_vouches_for(memcached_server):
    server = memcached_server(tls=True)
    with make_store(server.address, tls=True) as store:
        assert "certificate verify failed" in failure(store)


def test_tls_with_a_server_that_has_none(memcached):
    with make_store(memcached.address, tls=True) as store:
        assert memcached.address in failure(store)


def test_no_tls_with_a_server_that_wants_it(memcached_server):
    server = memcached_server(tls=True)
    with make_store(server.address) as store:
        assert server.address in failure(store)


@pytest.mark.parametrize("prefix", ["", "unix:"])
def test_a_unix_socket(memcached_server, prefix):
    server = memcached_server(unix=True)
    with make_store(prefix + server.address) as store:
        held = join(store.driver())
        assert states(store, store.driver()) == {held.member_id: State.UP}


def test_whoever_has_another_secret_sees_nobody(memcached, caplog):
    namespace = f"secret-{uuid.uuid4()}"
    with (
        make_store(memcached.address, namespace=namespace, secret_key=SECRET) as store,
        make_store(memcached.address, namespace=namespace, secret_key=SECRET[::-1]) as other,
        make_store(memcached.address, namespace=namespace) as without,
    ):
        join(store.driver(), "sealed")
        assert listed(store.driver()) == {"sealed"}
        stranger = other.driver()
        for _ in range(3):
            assert seen(stranger) == {}
        assert stranger.codec.refusals >= 3
        assert sum("HMAC" in record.getMessage() for record in caplog.records) == 1
        assert seen(without.driver()) == {}


def test_a_server_without_meta_commands_is_known_before_anything_is_asked(memcached):
    with (
        Hole((memcached.host, memcached.port), lacks=(b"mg ", b"ms ", b"mn")) as old,
        make_store(old.address) as store,
    ):
        driver = store.driver()
        assert all(one.check for one in driver.findings())
        held = join(driver)
        assert driver.heartbeat(held.instance_id, [held]) == []
        assert states(store, store.driver()) == {"m": State.UP}


def test_what_is_no_memcached(postgresql):
    with make_store(postgresql.address) as store:
        assert postgresql.address in failure(store)


def test_a_server_that_drips_does_not_hold_a_call(memcached):
    with (
        Hole((memcached.host, memcached.port)) as hole,
        make_store(hole.address) as store,
    ):
        driver = store.driver()
        join(driver)
        hole.drips = 0.2
        done = threading.Event()

        def look():
            with pytest.raises(driver.client_errors, match="timed out"):
                driver.sightings(GROUP)
            done.set()

        thread = threading.Thread(target=look, daemon=True)
        driver._servers._servers[0].timeout = 1.0
        thread.start()
        # Byte by byte its reply would take minutes.
        assert done.wait(30)


def test_a_call_that_outlasts_the_driver_leaves_no_connection(memcached):
    with (
        Hole((memcached.host, memcached.port)) as hole,
        make_store(hole.address) as store,
    ):
        driver = store.driver()
        join(driver)
        [server] = driver._servers
        hole.delay = 0.2
        late = threading.Thread(target=driver.sightings, args=(GROUP,))
        late.start()
        while not server._pool.client_pool.used:
            time.sleep(0.01)
        driver.stop()
        late.join()
        assert not server.connected
        hole.delay = 0.0
        driver.start()
        assert listed(driver) == {"m"}
        assert server.connected


def test_what_pymemcache_lacks(memcached):
    """When this fails, pymemcache's own ``raw_command`` will do in place of ours."""
    client = Client((memcached.host, memcached.port), default_noreply=False)
    client.set("long", b"x" * 50_000)
    reply = client.raw_command(b"mg long v\r\nmn", b"MN\r\n")
    assert len(reply) < 50_000
    client.close()


def test_threads_that_look_at_once_share_no_connection(memcached):
    with make_store(memcached.address) as store:
        driver = store.driver()
        members = {f"m{number}" for number in range(50)}
        for one in members:
            join(driver, one)
        failures = []

        def look():
            for _ in range(20):
                if listed(driver) != members:
                    failures.append("somebody is missing")

        threads = [threading.Thread(target=look) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"servers": ["a b:1"]}, "no address"),
        ({"servers": ["h:x"]}, "'x' is no port"),
        ({"servers": ["h:70000"]}, "70000 is no port"),
        ({"servers": ["::1"]}, r"written \[address\]:port"),
        ({"servers": [":11211"]}, "use host:port"),
        ({"servers": []}, "servers is empty"),
        ({"servers": ["h:1", "h:1"]}, "twice"),
        ({"namespace": "a b"}, "namespace"),
        ({"secret_key": "short"}, "at least 16"),
        ({"tls_cafile": "/x"}, "tls=true"),
        ({"tls": True, "tls_cafile": "/nowhere/ca.pem"}, "tls_cafile='/nowhere/ca.pem'"),
    ],
)
def test_options_that_cannot_work_are_named(options, words):
    store = Store("memcache", {"servicegroup_memcache": options})
    with pytest.raises(ValueError, match=words):
        store.kind(Context(store.conf, store.settings, str(uuid.uuid4())))
