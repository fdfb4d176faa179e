"""A Kubernetes API server to measure on: that of the tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import places
from benchmarks.k8s.bare import BareKubernetes
from benchmarks.k8s.fleet import KubernetesFleet
from benchmarks.rivals import Rival

_WRITES = ("create", "update", "patch", "delete")


class Kubernetes(places.Place):
    """One API server; its address is the kubeconfig by which clients enter it."""

    name = "k8s"
    driver = "k8s"
    libraries = ("lightkube", "httpx2", "msgspec")
    looks_again = True
    one_life = True
    connections = 2
    _server: Any = None

    @classmethod
    @contextlib.contextmanager
    def serve(cls) -> Iterator[Kubernetes]:
        with places.servers() as home:
            from servers.kubernetes import Kubernetes as Server

            with Server(home) as server:
                kubeconfig = server.kubeconfig(server.folder / "config")
                title = "Kubernetes (the API server of the tests, over HTTP)"
                place = cls(str(kubeconfig), title, server.pid)
                place._server = server
                yield place

    def options(self) -> Mapping[str, Mapping[str, Any]]:
        return {"servicegroup_k8s": {"kubeconfig": self.address}}

    def told_within(self, down_time: float, poll: float) -> float:  # noqa: ARG002
        return down_time + 2

    def writes(self) -> int | None:
        if self._server is None:
            return None
        return sum(verb in _WRITES for verb, _ in self._server.tell("requests"))

    def fleet(self) -> KubernetesFleet:
        return KubernetesFleet(self)

    def rivals(self) -> list[Rival]:
        return [BareKubernetes(self.address)]


PLACES = {Kubernetes.name: Kubernetes}
