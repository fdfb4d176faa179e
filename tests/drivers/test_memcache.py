"""The memcache driver on real servers: the whole contract."""

import itertools

import pytest

from servicegroup.testing import DriverConformance, Store

_names = itertools.count()


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
            server.age(seconds, f"{namespace}:s:".encode())

    def lose():
        for server in servers:
            server.flush()

    # Ages are whole seconds, and a test may take some: see Store's tolerance.
    return Store("memcache", {"servicegroup_memcache": values}, age=age, lose=lose)


class TestMemcache(DriverConformance):
    walks = 8
    steps = 25

    @pytest.fixture
    def store(self, memcached):
        memcached.flush()
        with make_store([memcached]) as store:
            yield store
