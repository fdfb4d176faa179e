"""The k8s driver on the test server: the whole contract."""

import itertools

import pytest
from servers.kubernetes import Kubernetes

from servicegroup.drivers.k8s.clock import Clock
from servicegroup.testing import DriverConformance, Store

_numbers = itertools.count()


class Passed:
    """How far our own clock is ahead, for time that passes by hand."""

    seconds = 0.0


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    now = Clock.now
    monkeypatch.setattr(Clock, "now", staticmethod(lambda: now() + Passed.seconds))


def make_store(server: Kubernetes, folder, **options):
    """An empty namespace on this server, whose time passes by hand."""
    namespace = server.create_namespace(f"test-{next(_numbers)}")
    config = server.kubeconfig(folder / "config", namespace=namespace)

    def age(seconds):
        server.tell("step_clock", seconds=seconds)
        Passed.seconds += seconds

    def lose():
        server.tell("lose", namespace=namespace)

    return Store(
        "k8s", {"servicegroup_k8s": {"kubeconfig": str(config), **options}}, age=age, lose=lose
    )


class TestLeases(DriverConformance):
    walks = 6
    steps = 20

    @pytest.fixture
    def store(self, kubernetes, tmp_path):
        with make_store(kubernetes, tmp_path) as store:
            yield store
