"""The k8s driver on the test server: the whole contract."""

import contextlib
import itertools
import threading
import time
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from servers.kubernetes import Kubernetes

from servicegroup.driver import Capability
from servicegroup.drivers.k8s import KubernetesDriver
from servicegroup.drivers.k8s.clock import Clock
from servicegroup.drivers.k8s.layout import beat_name
from servicegroup.exceptions import ConfigurationError
from servicegroup.model import State
from servicegroup.testing import DriverConformance, Store
from servicegroup.testing.scene import beat_on, join, silence, state, states

_numbers = itertools.count()


class Passed:
    """How far our own clock is ahead, for time that passes by hand."""

    seconds = 0.0


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    now = Clock.now
    monkeypatch.setattr(Clock, "now", staticmethod(lambda: now() + Passed.seconds))


def make_namespace(server: Kubernetes) -> str:
    return server.create_namespace(f"test-{next(_numbers)}")


def make_store(server: Kubernetes, folder, kind="k8s", namespace=None, **options):
    """An empty namespace on this server, whose time passes by hand."""
    namespace = namespace or make_namespace(server)
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
    shrink = False  # within the time that one test may take

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


def test_who_is_not_there_is_no_namespace_that_is_not_there(kubernetes, tmp_path):
    """What the API server misses it names: by names that are made of ids."""
    with make_store(kubernetes, tmp_path) as store:
        reader, driver = store.driver(), store.driver()
        assert reader.sightings("namespaces", ["namespaces"], attributes=True).members == []
        held = join(driver, "namespaces")
        store.lose()
        assert driver.update([held]) == []
        assert state(store, reader, "namespaces") is State.UP


def test_a_beat_that_was_stored_late_is_no_witness(kubernetes, tmp_path):
    """A server that hung stores what was sent to it before: a change that nobody made just now."""
    namespace = make_namespace(kubernetes)
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    with make_store(kubernetes, tmp_path, namespace=namespace) as store:
        silent, witness, observer = store.driver(), store.driver(), store.driver()
        beating = {one: [join(one, who)] for one, who in ((silent, "silent"), (witness, "witness"))}
        beat_on(store, beating, 1.1 * store.settings.service_down_time)
        path = f"{leases}/{beat_name(witness.context.instance_id)}"
        _, lease = kubernetes.request("GET", path)
        sent = datetime.fromisoformat(lease["spec"]["renewTime"]) + timedelta(seconds=10)
        store.pass_time(silence(store) - 1)
        assert state(store, observer, "silent") is State.UNKNOWN
        store.pass_time(1)
        lease["spec"]["renewTime"] = sent.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        assert kubernetes.request("PUT", path, lease)[0] == 200
        assert states(store, observer) == {"silent": State.UNKNOWN, "witness": State.UP}


@contextlib.contextmanager
def stranger(code):
    """Serve one page whatever is asked for; gives the address."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            page = b"<html>Welcome</html>"
            self.send_response(code)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("code", [200, 404])
def test_what_is_no_api_server(kubernetes, tmp_path, code):
    with stranger(code) as address, make_store(kubernetes, tmp_path) as store:
        config = tmp_path / "config"
        config.write_text(config.read_text().replace(kubernetes.address, address))
        with pytest.raises(ConfigurationError, match="is it the API server"):
            store.driver()


def test_a_watch_that_is_over_has_no_connection_to_cut(kubernetes, tmp_path):
    with make_store(kubernetes, tmp_path) as store:
        driver = store.driver()
        driver.watch("compute", lambda _: None)
        follower = driver._watches._follower
        kubernetes.tell("fault", kind="status", verb="watch", code=503)
        kubernetes.tell("drop_watches")
        until = time.monotonic() + 30
        while follower._lines is not None:
            assert time.monotonic() < until
            time.sleep(0.01)
        kubernetes.tell("normal")
