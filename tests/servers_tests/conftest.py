"""A cluster for each test of the API."""

import sys
from pathlib import Path

import pytest
from servers.fixtures import requirements
from servers.kubernetes import Kubernetes

sys.path.insert(0, str(Path(__file__).parent))

from kubernetes_cluster import Cluster, real_kubeconfig


@pytest.fixture(scope="session")
def _place(server_home, tmp_path_factory):
    real = real_kubeconfig()
    if real:
        yield real, None
        return
    # By TLS: kubectl shows its token to nobody else.
    with requirements():
        server = Kubernetes(server_home, tls=True)
    with server:
        yield server.kubeconfig(tmp_path_factory.mktemp("kube") / "config"), server


@pytest.fixture
def cluster(_place):
    """A namespace of its own: on our server, or on the real one that the environment names."""
    kubeconfig, server = _place
    made = Cluster(kubeconfig, server)
    yield made
    made.close()


@pytest.fixture
def control(cluster):
    """What only our own server can be told."""
    if cluster.server is None:
        pytest.skip("a real cluster takes no faults on demand")
    yield cluster.server.tell
    cluster.server.tell("normal")
    cluster.server.tell("freeze_watches", frozen=False)
    cluster.server.tell("bookmarks", interval=1.0)
