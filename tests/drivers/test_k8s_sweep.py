"""Graves are cleared away when nobody can need them any more, and no sooner."""

import itertools

from servers.kubernetes import Kubernetes

from servicegroup.testing import Store
from servicegroup.testing.scene import join

DAY = 86400.0
_numbers = itertools.count()


def graves(server: Kubernetes, namespace: str) -> set[str]:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    _, found = server.request("GET", f"{path}?labelSelector=servicegroup/kind%3Dgrave")
    return {one["metadata"]["annotations"]["servicegroup/member"] for one in found["items"]}


def test_old_graves_are_removed_by_a_join(kubernetes, tmp_path):
    namespace = kubernetes.create_namespace(f"sweep-{next(_numbers)}")
    config = kubernetes.kubeconfig(tmp_path / "config", namespace=namespace)
    with Store("k8s", {"servicegroup_k8s": {"kubeconfig": str(config)}}) as store:
        driver, operator = store.driver(), store.driver()
        held = [join(driver, one) for one in ("own", "removed", "stays")]
        driver.leave(held[:1])
        operator.leave(held[1:2])
        for days, left in ((0.5, {"own", "removed"}), (1, {"removed"}), (31, set())):
            kubernetes.tell("step_clock", seconds=days * DAY)
            newcomer = store.driver()
            joined = join(newcomer, "newcomer")
            assert graves(kubernetes, namespace) == left
            newcomer.update([joined])
        kubernetes.tell("step_clock", seconds=-32.5 * DAY)
