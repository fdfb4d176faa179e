"""Configurations of a cluster that cannot work: each is refused by name, with what to do."""

import json

import pytest

from servicegroup.drivers.k8s.client import Client
from servicegroup.drivers.k8s.clock import Clock
from servicegroup.drivers.k8s.options import OPTIONS
from servicegroup.drivers.k8s.settings import checked
from servicegroup.exceptions import ConfigurationError

CLUSTER = {"server": "https://127.0.0.1:1"}


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch, tmp_path):
    """Be no pod, and have no kubeconfig of one's own."""
    for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def values(**given):
    return {option.dest: option.default for option in OPTIONS} | given


def kubeconfig(folder, cluster=CLUSTER, user=None):
    file = folder / "config"
    config = {
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "users": [{"name": "test", "user": user or {"token": "secret"}}],
    }
    file.write_text(json.dumps(config))
    return str(file)


def test_no_cluster_is_configured():
    with pytest.raises(ConfigurationError, match=r"no cluster is configured: .*set kubeconfig"):
        checked(values())


def test_a_pod_without_a_service_account(monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    with pytest.raises(ConfigurationError, match="set automountServiceAccountToken, or kubeconfig"):
        checked(values())


@pytest.mark.parametrize("text", ["", "[]", "{", "current-context: test", "clusters: {}"])
def test_a_file_that_is_no_kubeconfig(tmp_path, text):
    (tmp_path / "config").write_text(text)
    with pytest.raises(ConfigurationError, match=r"kubeconfig='.*/config'"):
        checked(values(kubeconfig=str(tmp_path / "config")))


def test_a_server_that_is_no_url(tmp_path):
    with pytest.raises(ConfigurationError, match=r"names the server '10\.0\.0\.1'; .*https://"):
        checked(values(kubeconfig=kubeconfig(tmp_path, {"server": "10.0.0.1"})))


@pytest.mark.parametrize(
    ("cluster", "user"),
    [
        ({"certificate-authority": "gone.pem"}, {"token": "secret"}),
        ({}, {"client-certificate": "gone.pem", "client-key": "config"}),
        ({}, {"client-certificate": "config", "client-key": "gone.pem"}),
    ],
)
def test_a_certificate_that_is_not_there_is_named(tmp_path, cluster, user):
    file = kubeconfig(tmp_path, CLUSTER | cluster, user)
    client = Client(checked(values(kubeconfig=file)), Clock(), 1.0)
    with pytest.raises(ConfigurationError, match=f"cannot be used: {tmp_path}/gone.pem is not"):
        client.start()
