"""The k8s driver on the test server: the whole contract."""

import itertools

import pytest
from servers.kubernetes import Kubernetes

from servicegroup.driver import Capability
from servicegroup.drivers.k8s import KubernetesDriver
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


def make_store(server: Kubernetes, folder, kind="k8s", **options):
    """An empty namespace on this server, whose time passes by hand."""
    namespace = server.create_namespace(f"test-{next(_numbers)}")
    config = server.kubeconfig(folder / "config", namespace=namespace)

    def age(seconds):
        server.tell("step_clock", seconds=seconds)
        Passed.seconds += seconds

    def lose():
        server.tell("lose", namespace=namespace)

    return Store(
        kind, {"servicegroup_k8s": {"kubeconfig": str(config), **options}}, age=age, lose=lose
    )


class TestLeases(DriverConformance):
    walks = 6
    steps = 20

    @pytest.fixture
    def store(self, kubernetes, tmp_path):
        with make_store(kubernetes, tmp_path) as store:
            yield store


class TestPods(DriverConformance):
    """Mode pod only reads: what it promises is to refuse the rest. More is in test_k8s_pods."""

    class Pods(KubernetesDriver):
        capabilities = Capability.WATCH | Capability.READ_ONLY

    @pytest.fixture
    def store(self, kubernetes, tmp_path):
        how = {"mode": "pod", "label_selector": "app={group}"}
        with make_store(kubernetes, tmp_path, kind=self.Pods, **how) as store:
            yield store
