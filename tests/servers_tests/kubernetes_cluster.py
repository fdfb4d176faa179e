"""A namespace of its own in a cluster: our test server, or the real one of a kubeconfig."""

import contextlib
import itertools
import json
import os
import time
import uuid

import yaml
from lightkube.config.client_adapter import Client, ConnectionParams
from lightkube.config.kubeconfig import KubeConfig

#: Names the kubeconfig of a real cluster, whose API is then what the suite looks at.
VARIABLE = "SERVICEGROUP_TEST_KUBECONFIG"
LEASES = "/apis/coordination.k8s.io/v1"
#: The content type of a patch that is merged.
MERGE = "application/merge-patch+json"
_numbers = itertools.count()


class Cluster:
    """Raw requests, as a client sends them that knows nothing of Kubernetes."""

    def __init__(self, kubeconfig, server=None):
        self.kubeconfig = kubeconfig
        self.server = server
        self.http = Client(KubeConfig.from_file(kubeconfig).get(), ConnectionParams())
        self.namespace = f"sgt-{next(_numbers)}-{uuid.uuid4().hex[:6]}"
        self.ask("POST", "/api/v1/namespaces", named("Namespace", "v1", self.namespace), expect=201)

    def close(self):
        with contextlib.suppress(Exception):
            self.http.delete(f"/api/v1/namespaces/{self.namespace}")
        self.http.close()

    @property
    def leases(self):
        return f"{LEASES}/namespaces/{self.namespace}/leases"

    @property
    def pods(self):
        return f"/api/v1/namespaces/{self.namespace}/pods"

    def ask(self, method, path, body=None, *, expect=200, kind="application/json", **query):
        """Send a request; check the status; return what came."""
        headers = {"Content-Type": kind}
        content = body if isinstance(body, bytes) else None
        if content is None and body is not None:
            content = json.dumps(body).encode()
        answer = self.http.request(method, path, content=content, headers=headers, params=query)
        assert answer.status_code == expect, answer.text
        return answer.json()

    def watch(self, path, seconds=1, **query):
        """Yield the events of a watch until its end."""
        query = {"watch": "1", "timeoutSeconds": str(seconds), **query}
        with self.http.stream("GET", path, params=query, timeout=seconds + 10) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                yield json.loads(line)

    def eventually(self, path, expect, within=30):
        """Wait until a GET is answered with this status."""
        until = time.monotonic() + within
        while (status := self.http.get(path).status_code) != expect:
            assert time.monotonic() < until, f"{path} still answers {status}"
            time.sleep(0.05)


def named(kind, api_version, name, **more):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **more}


def lease(name, spec=None, **metadata):
    body = named("Lease", "coordination.k8s.io/v1", name, spec=spec or {})
    body["metadata"].update(metadata)
    return body


def pod(name, **spec):
    container = {"name": "main", "image": "registry.invalid/none"}
    return named("Pod", "v1", name, spec={"containers": [container], **spec})


def names(listed):
    return [one["metadata"]["name"] for one in listed["items"]]


def real_kubeconfig():
    return os.environ.get(VARIABLE)


def manifest(path):
    """Return the objects of a file of manifests."""
    return [one for one in yaml.safe_load_all(path.read_text()) if one]
