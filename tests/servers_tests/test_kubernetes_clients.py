"""The test server under clients that are not ours: kubectl, the official one, lightkube."""

import json
import subprocess
import threading

import pytest
from kubernetes_cluster import lease, named
from servers.fixtures import requirements
from servers.requirement import find_program

SPEC = {
    "holderIdentity": "me",
    "leaseDurationSeconds": 15,
    "renewTime": "2026-01-02T03:04:05.000006Z",
}

pytestmark = pytest.mark.server("kubernetes")


class TestKubectl:
    @pytest.fixture
    def kubectl(self, cluster, tmp_path):
        with requirements():
            program = str(find_program("kubectl", "kubernetes-client"))
        how = ["--kubeconfig", str(cluster.kubeconfig), "-n", cluster.namespace]
        how += ["--cache-dir", str(tmp_path)]

        def run(*words, given=None, fails=False):
            text = None if given is None else json.dumps(given)
            done = subprocess.run(
                [program, *how, *words],
                input=text,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert (done.returncode != 0) is fails, done.stderr
            return done.stderr if fails else done.stdout

        return run

    def test_the_life_of_a_lease(self, cluster, kubectl):
        create = ("create", "--validate=false", "-f", "-")
        kubectl(*create, given=lease("a", SPEC, labels={"app": "x"}))
        assert "already exists" in kubectl(*create, given=lease("a"), fails=True)
        kubectl(*create, given=lease("b", SPEC))
        assert kubectl("get", "leases", "-l", "app=x", "-o", "name").split() == [
            "lease.coordination.k8s.io/a"
        ]
        listed = kubectl("get", "leases", "--chunk-size=1", "-o", "name").split()
        assert len(listed) == 2
        got = json.loads(kubectl("get", "lease", "a", "-o", "json"))
        assert got["spec"] == SPEC
        kubectl("annotate", "lease", "a", "note=x")
        kubectl("patch", "lease", "a", "--type=merge", "-p", '{"spec":{"holderIdentity":"you"}}')
        refused = kubectl("replace", "--validate=false", "-f", "-", given=got, fails=True)
        assert "the object has been modified" in refused
        kubectl("delete", "lease", "a")
        assert "NotFound" in kubectl("get", "lease", "a", fails=True)
        kubectl("delete", "leases", "--all")
        assert cluster.ask("GET", cluster.leases)["items"] == []

    def test_apply_changes_what_it_made(self, cluster, kubectl):
        apply = ("apply", "--validate=false", "-f", "-")
        kubectl(*apply, given=lease("a", SPEC, labels={"app": "x", "old": "y"}))
        kubectl(*apply, given=lease("a", SPEC, labels={"app": "z"}))
        labels = cluster.ask("GET", f"{cluster.leases}/a")["metadata"]["labels"]
        assert labels == {"app": "z"}


class TestOfficialClient:
    @pytest.fixture
    def api(self, cluster):
        kubernetes = pytest.importorskip("kubernetes")
        client = kubernetes.config.new_client_from_config(str(cluster.kubeconfig))
        yield kubernetes, kubernetes.client.CoordinationV1Api(client)
        client.close()

    def test_objects_conflicts_and_pages(self, cluster, api):
        kubernetes, leases = api
        made = leases.create_namespaced_lease(cluster.namespace, lease("a", SPEC))
        assert made.spec.holder_identity == "me"
        made.spec.holder_identity = "you"
        body = json.loads(json.dumps(lease("a", {**SPEC, "holderIdentity": "you"})))
        body["metadata"]["resourceVersion"] = made.metadata.resource_version
        leases.replace_namespaced_lease("a", cluster.namespace, body)
        with pytest.raises(kubernetes.client.ApiException) as raised:
            leases.replace_namespaced_lease("a", cluster.namespace, body)
        assert raised.value.status == 409
        for name in "bc":
            leases.create_namespaced_lease(cluster.namespace, lease(name, SPEC))
        page = leases.list_namespaced_lease(cluster.namespace, limit=2)
        token = page.metadata.var_continue if hasattr(page.metadata, "var_continue") else None
        token = token or page.metadata._continue
        rest = leases.list_namespaced_lease(cluster.namespace, limit=2, _continue=token)
        assert [one.metadata.name for one in (*page.items, *rest.items)] == ["a", "b", "c"]

    def test_watching(self, cluster, api):
        kubernetes, leases = api
        version = leases.list_namespaced_lease(cluster.namespace).metadata.resource_version
        leases.create_namespaced_lease(cluster.namespace, lease("a", SPEC))
        leases.delete_namespaced_lease("a", cluster.namespace)
        events = kubernetes.watch.Watch().stream(
            leases.list_namespaced_lease,
            cluster.namespace,
            resource_version=version,
            timeout_seconds=1,
        )
        assert [one["type"] for one in events] == ["ADDED", "DELETED"]


class TestLightkube:
    @pytest.fixture
    def client(self, cluster):
        from lightkube import Client
        from lightkube.config.kubeconfig import KubeConfig

        with Client(KubeConfig.from_file(cluster.kubeconfig)) as client:
            yield client

    def test_objects_conflicts_and_selectors(self, cluster, client):
        from lightkube.core.exceptions import ApiError
        from lightkube.generic_resource import create_namespaced_resource

        kind = create_namespaced_resource("coordination.k8s.io", "v1", "Lease", "leases")
        made = client.create(kind(lease("a", SPEC, labels={"x": "1"})), namespace=cluster.namespace)
        made["spec"]["holderIdentity"] = "you"
        client.replace(made)
        with pytest.raises(ApiError) as raised:
            client.replace(made)
        assert (raised.value.status.code, raised.value.status.reason) == (409, "Conflict")
        found = list(client.list(kind, namespace=cluster.namespace, labels={"x": ["1", "2"]}))
        assert [one["spec"]["holderIdentity"] for one in found] == ["you"]
        client.delete(kind, "a", namespace=cluster.namespace)
        with pytest.raises(ApiError):
            client.get(kind, "a", namespace=cluster.namespace)

    def test_watching(self, cluster, client):
        from lightkube.resources.core_v1 import Pod

        seen, added = [], threading.Event()

        def watch():
            for kind, pod in client.watch(Pod, namespace=cluster.namespace):
                seen.append((kind, pod.metadata.name))
                added.set()
                if len(seen) == 2:
                    return

        thread = threading.Thread(target=watch)
        thread.start()
        body = named("Pod", "v1", "p", spec={"containers": [{"name": "m", "image": "i"}]})
        cluster.ask("POST", cluster.pods, body, expect=201)
        assert added.wait(10)
        cluster.ask("DELETE", f"{cluster.pods}/p", {"gracePeriodSeconds": 0})
        thread.join(10)
        assert seen == [("ADDED", "p"), ("DELETED", "p")]
