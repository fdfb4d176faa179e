"""Members that are pods: what the cluster says of them, as it says it."""

import itertools
import threading

import pytest
from oslo_config import cfg

import servicegroup
from servicegroup import EventType, config, doctor, loading
from servicegroup.cli import events
from servicegroup.drivers.k8s import KubernetesDriver
from servicegroup.exceptions import ConfigurationError, NotSupported

MERGE = "application/merge-patch+json"
_numbers = itertools.count()


class Cluster:
    """A namespace with pods, and what a kubelet would do to them."""

    def __init__(self, server, folder):
        self.server = server
        self.namespace = server.create_namespace(f"pods-{next(_numbers)}")
        self.kubeconfig = server.kubeconfig(folder / "config", namespace=self.namespace)
        self.pods = f"/api/v1/namespaces/{self.namespace}/pods"

    def group(self, **options):
        conf = cfg.ConfigOpts()
        conf([], project="servicegroup", default_config_files=[], default_config_dirs=[])
        return made(conf, {"kubeconfig": str(self.kubeconfig), "mode": "pod", **options})

    def create(self, name, node="node-1", **labels):
        metadata = {"name": name, "labels": {"app": "compute", **labels}}
        spec = {"containers": [{"name": "main", "image": "registry.invalid/none"}]}
        if node:
            spec["nodeName"] = node
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        assert self.server.request("POST", self.pods, body)[0] == 201

    def status(self, name, phase="Running", ready="True", **more):
        condition = {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-02T03:04:05Z"}
        for field in ("reason", "message"):
            if field in more:
                condition[field] = more.pop(field)
        status = {"phase": phase, "conditions": [condition] if ready else [], **more}
        answer = self.server.request(
            "PATCH", f"{self.pods}/{name}/status", {"status": status}, Content_Type=MERGE
        )
        assert answer[0] == 200, answer

    def delete(self, name, grace=0):
        body = {"gracePeriodSeconds": grace}
        assert self.server.request("DELETE", f"{self.pods}/{name}", body)[0] == 200


def made(conf, options):
    config.register(conf)
    loading.register_options(conf, KubernetesDriver)
    conf.set_override("driver", "k8s", group="servicegroup")
    conf.set_override("use_records", False, group="servicegroup")
    for name, value in options.items():
        conf.set_override(name, value, group="servicegroup_k8s")
    return servicegroup.ServiceGroup(conf)


@pytest.fixture
def cluster(kubernetes, tmp_path):
    return Cluster(kubernetes, tmp_path)


@pytest.fixture
def sg(cluster):
    with cluster.group(label_selector="app={group}") as group:
        yield group


def reasons(sg):
    return {
        one.member_id: "up" if one.is_up else one.liveness.reason
        for one in sg.get_members("compute")
    }


def test_ready_is_up_and_everything_else_is_a_member_that_is_down(cluster, sg):
    for name in ("ready", "unready", "bare", "young", "image", "ending", "done", "evicted"):
        cluster.create(name)
    cluster.create("unplaced", node="")
    cluster.create("other", app="else")
    cluster.status("ready")
    why = "containers with unready status: [main]"
    cluster.status("unready", ready="False", reason="ContainersNotReady", message=why)
    cluster.status("bare", ready="")
    waiting = [{"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]
    cluster.status("image", phase="Pending", ready="", containerStatuses=waiting)
    placed = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    cluster.status("unplaced", phase="Pending", ready="", conditions=[placed])
    cluster.status("ending")
    cluster.delete("ending", grace=30)
    cluster.status("done", phase="Succeeded", ready="False", reason="PodCompleted")
    cluster.status("evicted", phase="Failed", ready="")
    assert reasons(sg) == {
        "ready": "up",
        "unready": f"not ready: ContainersNotReady: {why}",
        "bare": "not ready: it has no Ready condition",
        "young": "pending",
        "image": "pending: ImagePullBackOff",
        "unplaced": "pending: Unschedulable",
        "ending": "terminating: the pod is being deleted",
    }
    assert sg.is_up("compute", "ready")
    assert not sg.is_up("compute", "ending")
    assert not sg.is_up("compute", "nobody")


def test_completed_pods_are_listed_where_that_is_asked(cluster):
    cluster.create("evicted")
    cluster.status("evicted", phase="Failed", ready="", message="The node was low on memory")
    how = {"label_selector": "app={group}", "completed_pods": True}
    with cluster.group(**how) as sg:
        assert set(reasons(sg)) == {"evicted"}
        assert reasons(sg)["evicted"].startswith("failed")


def test_what_a_pod_is_shown_with(cluster, sg):
    cluster.create("p", **{"app.kubernetes.io/name": "nova-compute"})
    started = "2026-01-02T03:00:00Z"
    restarted = [{"name": "main", "restartCount": 2}]
    cluster.status("p", startTime=started, podIP="10.0.0.7", containerStatuses=restarted)
    (one,) = sg.get_members("compute")
    assert (one.member_id, one.name, one.hostname) == ("p", "nova-compute", "node-1")
    assert one.member.created_at.isoformat() == "2026-01-02T03:00:00+00:00"
    assert one.member.attributes == {
        "namespace": cluster.namespace,
        "node": "node-1",
        "ip": "10.0.0.7",
        "restarts": 2,
    }
    assert one.member.incarnation == 3
    with cluster.group(label_selector="app={group}", pod_hostname="pod") as by_pod:
        assert [one.hostname for one in by_pod.get_members("compute")] == ["p"]


def test_groups_are_the_values_of_the_label(cluster, sg):
    cluster.create("a")
    cluster.create("b", app="conductor")
    assert {one.group_id for one in sg.roster.list()} == {"compute", "conductor"}
    assert sg.get_members("no label has this value") == []
    with cluster.group(label_selector="app in (compute,conductor)") as every:
        assert [one.member_id for one in every.get_members("any")] == ["a", "b"]
        assert {one.group_id for one in every.roster.list()} == {cluster.namespace}


def test_nobody_joins_or_leaves(cluster, sg):
    cluster.create("p")
    cluster.status("p")
    with pytest.raises(NotSupported, match="only reads"):
        sg.join("compute", "me")
    assert reasons(sg) == {"p": "up"}


def test_the_doctor_sends_nobody_to_delete_pods(cluster, sg):
    cluster.create("p")
    cluster.status("p", ready="False", reason="ContainersNotReady")
    found = {one.check: one for one in doctor.examine(lambda: sg._conf)}["members"]
    assert "not ready: ContainersNotReady" in found.result
    assert found.remedy == "look after them where they come from"


def test_a_watch_tells_what_happens_to_pods(cluster, sg):
    cluster.create("p")
    cluster.status("p")
    with sg.watch("compute") as watch:
        joined, ready = watch.next_event(10), watch.next_event(10)
        assert (joined.type, ready.type) == (EventType.JOINED, EventType.READY)
        assert events.reason(joined) == "compute on node-1", "no process is known"
        cluster.status("p", ready="False", reason="ContainersNotReady")
        assert watch.next_event(10).type is EventType.DOWN
        assert not watch.is_up("p")
        cluster.status("p")
        assert watch.next_event(10).type is EventType.UP
        cluster.create("q", node="")
        event = watch.next_event(10)
        assert (event.type, event.member_id) == (EventType.JOINED, "q")
        cluster.delete("p")
        event = watch.next_event(10)
        assert (event.type, event.member_id) == (EventType.LEFT, "p")


def test_a_selector_that_cannot_work_is_refused(cluster):
    for selector, words in (("", "needs label_selector"), ("{group}", "value of a label")):
        with pytest.raises(ConfigurationError, match=words):
            cluster.group(label_selector=selector).get_members("compute")
    with pytest.raises(ConfigurationError, match="400"):
        cluster.group(label_selector="app in").get_members("compute")


def test_threads_end_with_the_group(cluster):
    with cluster.group(label_selector="app={group}") as sg, sg.watch("compute"):
        assert "servicegroup-k8s" in [one.name for one in threading.enumerate()]
    assert "servicegroup-k8s" not in [one.name for one in threading.enumerate()]
