"""Faults on demand, and what outlives a restart: of our own server only."""

import httpx2
import pytest
from kubernetes_cluster import LEASES, lease, names

pytestmark = pytest.mark.server("kubernetes")


def test_answers_on_demand(cluster, control):
    headers = {"Retry-After": "1"}
    control("fault", kind="status", verb="list", code=429, headers=headers, times=1)
    answer = cluster.http.get(cluster.leases)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert cluster.http.get(cluster.leases).status_code == 200
    control("fault", kind="reset", verb="get", times=1)
    with pytest.raises(httpx2.TransportError):
        cluster.http.get(f"{cluster.leases}/a")
    control("fault", kind="black_hole", path=".*/leases/b", times=1)
    with pytest.raises(httpx2.ReadTimeout):
        cluster.http.get(f"{cluster.leases}/b", timeout=0.2)
    control("fault", kind="lost", verb="create", times=1)
    with pytest.raises(httpx2.TransportError):
        cluster.http.post(cluster.leases, json=lease("c"))
    assert names(cluster.ask("GET", cluster.leases)) == ["c"]


def test_watches_that_fall_silent_and_end(cluster, control):
    version = cluster.ask("GET", cluster.leases)["metadata"]["resourceVersion"]
    events = cluster.watch(cluster.leases, 10, resourceVersion=version)
    control("freeze_watches", frozen=True)
    cluster.ask("POST", cluster.leases, lease("a"), expect=201)
    query = {"watch": "1", "resourceVersion": version}
    with (
        pytest.raises(httpx2.ReadTimeout),
        cluster.http.stream("GET", cluster.leases, params=query, timeout=0.2) as answer,
    ):
        next(answer.iter_lines())
    control("freeze_watches", frozen=False)
    assert next(events)["object"]["metadata"]["name"] == "a"
    control("drop_watches")
    assert list(events) == []


def test_everything_is_kept_over_a_restart(kubernetes_server):
    server = kubernetes_server()
    place = f"{LEASES}/namespaces/default/leases"
    for name in "abc":
        assert server.request("POST", place, lease(name))[0] == 201
    server.request("DELETE", f"{place}/b")
    before = server.request("GET", place)[1]
    server.kill()
    server.start()
    assert server.request("GET", place)[1] == before
    status, _ = server.request("GET", f"{place}?limit=1&continue=WzIsICIiXQ==")
    assert status == 410, "what was watched or paged before is too old now"
