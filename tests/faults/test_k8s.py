"""What goes wrong between a fleet and its cluster: whoever lives is never dead, and comes back."""

import contextlib
import itertools
import json
import re
import time

import pytest
from fleet.onlooker import Onlooker

from servicegroup import DriverUnavailable, EventType, State, doctor
from servicegroup.exceptions import ConfigurationError

#: Seconds.
INTERVAL = 0.3
DOWN = 2.0
MERGE = "application/merge-patch+json"
NOBODY = "00000000-0000-4000-8000-000000000000"
NEVER = {EventType.DOWN, EventType.LEFT}
_numbers = itertools.count()


class Cluster:
    """One namespace of one server, and groups on it."""

    def __init__(self, server, make, folder, monkeypatch):
        self.server = server
        self.namespace = server.create_namespace(f"faults-{next(_numbers)}")
        self.kubeconfig = server.kubeconfig(folder / self.namespace, namespace=self.namespace)
        self.leases = f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"
        self._make = make
        self._monkeypatch = monkeypatch

    def group(self, **options):
        for name, value in {"kubeconfig": str(self.kubeconfig), **options}.items():
            self._monkeypatch.setenv(f"OS_SERVICEGROUP_K8S__{name.upper()}", value)
        times = {"report_interval": INTERVAL, "service_down_time": DOWN}
        group = self._make(None, driver="k8s", **times)
        for name in options:
            self._monkeypatch.delenv(f"OS_SERVICEGROUP_K8S__{name.upper()}")
        return group

    def ask(self, method, path, body=None, **headers):
        status, answer = self.server.request(method, path, body, **headers)
        assert status < 300, answer
        return answer

    def all(self, kind):
        selector = f"labelSelector=servicegroup/kind%3D{kind}"
        return self.ask("GET", f"{self.leases}?{selector}")["items"]

    def account(self, name, *verbs):
        """Make a service account that may do these things to Leases; returns its token."""
        core, rbac = f"/api/v1/namespaces/{self.namespace}", "rbac.authorization.k8s.io"
        metadata = {"metadata": {"name": name}}
        self.ask("POST", f"{core}/serviceaccounts", metadata)
        if not verbs:
            return self.token(name)
        rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs}
        roles = f"/apis/{rbac}/v1/namespaces/{self.namespace}"
        self.ask("POST", f"{roles}/roles", {**metadata, "rules": [rule]})
        who = {"kind": "ServiceAccount", "name": name, "namespace": self.namespace}
        role = {"apiGroup": rbac, "kind": "Role", "name": name}
        self.ask("POST", f"{roles}/rolebindings", {**metadata, "roleRef": role, "subjects": [who]})
        return self.token(name)

    def token(self, name):
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{name}/token"
        return self.ask("POST", path, {})["status"]["token"]


@pytest.fixture
def cluster(kubernetes, make, tmp_path, monkeypatch):
    yield Cluster(kubernetes, make, tmp_path, monkeypatch)
    kubernetes.tell("normal")
    kubernetes.tell("freeze_watches", frozen=False)


@pytest.fixture
def fleet(eventually):
    """Make a fleet: three members of three processes, and who looks at them."""
    with contextlib.ExitStack() as closing:

        def fleet(cluster, **options):
            members = [cluster.group(**options).join("g", one) for one in ("a", "b", "c")]
            onlooker = Onlooker(cluster.group(), "g", ["a", "b", "c"])
            closing.callback(onlooker.close)
            for one in ("a", "b", "c"):
                eventually(lambda one=one: onlooker.latest(one) == {State.UP})
            return members, onlooker

        yield fleet


def assert_all_well(members, onlooker, eventually, since):
    """Check that all are up, now, and that nobody was ever called dead."""
    now = time.monotonic()
    for one in ("a", "b", "c"):
        eventually(
            lambda one=one: onlooker.verdicts(one, now) and onlooker.latest(one) == {State.UP}
        )
        dead = [one for one in onlooker.verdicts(one, since) if one.state is State.DOWN]
        assert not dead, dead[:3]
        assert not NEVER & set(onlooker.told(one))
    assert all(member.alive for member in members)


@pytest.fixture
def own_cluster(kubernetes_server, make, tmp_path, monkeypatch):
    """A cluster whose server may be killed."""
    return Cluster(kubernetes_server(), make, tmp_path, monkeypatch)


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_an_api_server_that_is_away(own_cluster, fleet, how, eventually):
    server = own_cluster.server
    members, onlooker = fleet(own_cluster)
    time.sleep(DOWN)  # there are witnesses now: silence would be believed
    since = time.monotonic()
    getattr(server, how)()
    time.sleep(1.5 * DOWN)
    if how == "pause":
        server.resume()
    else:
        server.start()
    assert_all_well(members, onlooker, eventually, since)


def test_a_watch_that_is_too_old_or_ended_misses_nothing(cluster, eventually):
    observer = cluster.group()
    with observer.watch("g") as watch:
        assert watch.next_event(10).type is EventType.READY
        for number, words in enumerate([["drop_watches"], ["compact", "drop_watches"]]):
            for word in words:
                cluster.server.tell(word)
            cluster.group().join("g", f"m{number}")
            event = watch.next_event(10)
            assert (event.type, event.member_id) == (EventType.JOINED, f"m{number}")
        asked = [path for verb, path in cluster.server.tell("requests") if verb == "watch"]
        assert asked


def test_a_watch_that_is_a_black_hole_is_given_up(cluster):
    observer = cluster.group()
    with observer.watch("g") as watch:
        assert watch.next_event(10).type is EventType.READY
        cluster.server.tell("freeze_watches", frozen=True)
        cluster.group().join("g", "m")
        event = watch.next_event(10)
        assert (event.type, event.member_id) == (EventType.JOINED, "m")


def test_requests_that_fail_for_a_while(cluster, fleet, eventually):
    members, onlooker = fleet(cluster)
    since = time.monotonic()
    tell = cluster.server.tell
    tell("fault", kind="status", verb="update", code=429, headers={"Retry-After": "1"}, times=3)
    tell("fault", kind="lost", verb="update", times=3)
    tell("fault", kind="reset", times=3)
    tell("fault", kind="status", code=500, times=3)
    time.sleep(DOWN)
    assert_all_well(members, onlooker, eventually, since)
    tell("fault", kind="status", verb="list", code=503)
    observer = cluster.group()
    with pytest.raises(DriverUnavailable, match="503"):
        observer.get_members("g")


def test_a_token_that_is_rotated(cluster, fleet, eventually, tmp_path):
    verbs = ("get", "list", "watch", "create", "update", "delete")
    token = cluster.account("daemon", *verbs)
    file = tmp_path / "token"
    file.write_text(token)
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"tokenFile": str(file)}
    cluster.kubeconfig.write_text(json.dumps(config))
    members, onlooker = fleet(cluster)
    since = time.monotonic()
    file.write_text(cluster.token("daemon"))
    cluster.server.tell("revoke", token=token)
    time.sleep(DOWN)
    assert_all_well(members, onlooker, eventually, since)


def test_what_is_forbidden_is_named(cluster):
    token = cluster.account("reader", "get", "list")
    cluster.server.kubeconfig(cluster.kubeconfig, namespace=cluster.namespace, token=token)
    reader = cluster.group()
    assert reader.get_members("g") == []
    words = r'cannot create resource "leases" in API group "coordination.k8s.io"'
    with pytest.raises(ConfigurationError, match=words):
        reader.join("g", "m")
    with pytest.raises(ConfigurationError, match="cannot watch resource"):
        reader.watch("g")
    cluster.server.tell("revoke", token=token)
    with pytest.raises(ConfigurationError, match="401"):
        reader.get_members("g")


def test_a_namespace_that_is_not_there(cluster):
    with pytest.raises(ConfigurationError, match="kubectl create namespace"):
        cluster.group(namespace="nowhere").join("g", "m")


def test_an_owner_that_never_was(cluster, fleet, eventually, caplog):
    members, onlooker = fleet(cluster, pod_name="pod", pod_uid=NOBODY)
    since = time.monotonic()

    def told():
        cluster.server.tell("collect")
        messages = [one.getMessage() for one in caplog.records]
        return [one for one in messages if "was removed 2 times although it lives" in one]

    eventually(lambda: len(told()) == 3)
    assert "correct pod_name and pod_uid" in told()[0]
    time.sleep(2 * INTERVAL)
    assert cluster.server.tell("collect") == []
    assert_all_well(members, onlooker, eventually, since)


def test_a_guardian_tells_of_a_killed_process(cluster, daemon, eventually):
    patient = {"report_interval": 0.5, "service_down_time": 60.0}
    where = {"OS_SERVICEGROUP_K8S__KUBECONFIG": str(cluster.kubeconfig)}
    process = daemon(None, driver="k8s", environment=where, guardian=True, **patient)
    process.join("g", "m")
    observer = cluster.group()
    with observer.watch("g") as watch:
        assert [watch.next_event(10).type for _ in range(2)] == [EventType.JOINED, EventType.READY]
        eventually(lambda: process.tell("guarded"))
        process.kill()
        event = watch.next_event(10)
    assert event.type is EventType.DOWN
    assert event.status.liveness.reason == "process ended without leaving"


def test_a_pod_that_is_deleted_takes_its_sign_of_life_with_it(cluster, daemon, eventually):
    pods = f"/api/v1/namespaces/{cluster.namespace}/pods"
    spec = {"containers": [{"name": "main", "image": "registry.invalid/none"}]}
    pod = cluster.ask("POST", pods, {"metadata": {"name": "pod"}, "spec": spec})
    witness = cluster.group().join("elsewhere", "w")
    times = {"report_interval": INTERVAL, "service_down_time": DOWN}
    owned = {"POD_NAME": "pod", "POD_UID": pod["metadata"]["uid"]}
    owned["OS_SERVICEGROUP_K8S__KUBECONFIG"] = str(cluster.kubeconfig)
    process = daemon(None, driver="k8s", environment=owned, **times)
    process.join("g", "m")
    observer = cluster.group()
    assert observer.is_up("g", "m")
    process.kill()
    cluster.ask("DELETE", f"{pods}/pod")
    assert len(cluster.server.tell("collect")) == 1
    eventually(lambda: observer.get_members("g")[0].state is State.DOWN)
    assert witness.alive


def test_leases_that_somebody_edits(cluster, fleet, eventually, caplog):
    members, onlooker = fleet(cluster)
    since = time.monotonic()
    for lease in cluster.all("beat"):
        patch = {"spec": {"renewTime": "2031-01-01T00:00:00.000000Z", "leaseDurationSeconds": 1}}
        cluster.ask(
            "PATCH", f"{cluster.leases}/{lease['metadata']['name']}", patch, Content_Type=MERGE
        )
    labels = {"servicegroup/kind": "member", "servicegroup/group": "x"}
    foreign = {"metadata": {"name": "foreign", "labels": labels}, "spec": {}}
    lease = next(one for one in cluster.all("member") if "-a-" in one["metadata"]["name"])
    foreign["metadata"]["labels"]["servicegroup/group"] = lease["metadata"]["labels"][
        "servicegroup/group"
    ]
    copied = {**foreign, "metadata": {**lease["metadata"], "name": "copied"}}
    copied["metadata"].pop("resourceVersion")
    for body in (foreign, copied):
        cluster.ask("POST", cluster.leases, body)
    time.sleep(3 * INTERVAL)
    assert_all_well(members, onlooker, eventually, since)
    assert {one.member_id for one in cluster.group().get_members("g")} == {"a", "b", "c"}
    told = [one.getMessage() for one in caplog.records if "is none of ours" in one.getMessage()]
    assert any("'foreign'" in one for one in told)
    assert any("'copied'" in one for one in told)


def test_a_member_that_was_damaged_by_hand_is_mended(cluster, fleet, eventually):
    members, _ = fleet(cluster)
    lease = next(one for one in cluster.all("member") if "-a-" in one["metadata"]["name"])
    path = f"{cluster.leases}/{lease['metadata']['name']}"
    patch = {"metadata": {"annotations": {"servicegroup/state": "[1,2"}}}
    cluster.ask("PATCH", path, patch, Content_Type=MERGE)
    observer = cluster.group()
    eventually(lambda: len(observer.get_members("g")) == 3)
    assert members[0].alive


def test_requests_of_an_interval_are_one_a_process(cluster, eventually):
    group = cluster.group()
    for number in range(20):
        group.join("g", f"m{number}")
    cluster.server.tell("requests")

    def beats():
        return [verb for verb, path in cluster.server.tell("requests") if cluster.namespace in path]

    asked = []
    eventually(lambda: asked.extend(beats()) or len(asked) >= 4)
    assert set(asked) == {"update"}


def found(group):
    return {one.check: one for one in group.findings()}


def test_the_doctor_finds_a_sound_cluster_well(cluster):
    group = cluster.group()
    group.join("g", "m")
    told = found(group)
    assert all(one.well for one in told.values()), told
    assert told["leases"].result == "1 signs of life, 1 members"
    assert told["rights"].result.startswith("may get, list, watch, create, update, delete leases")
    assert "give or take" in told["clock"].result


def test_the_doctor_names_what_is_wrong(cluster):
    labels = {"servicegroup/kind": "beat", "servicegroup/instance": "x"}
    cluster.ask("POST", cluster.leases, {"metadata": {"name": "foreign", "labels": labels}})
    told = found(cluster.group(pod_name="pod", pod_uid=NOBODY))
    assert "1 carry our labels but are none of ours, or were damaged: foreign" in (
        told["leases"].result
    )
    assert "no pod 'pod' with uid" in told["owner"].result
    assert not told["leases"].well
    assert not told["owner"].well
    cluster.server.tell("step_clock", seconds=30)
    skewed = found(cluster.group())["clock"]
    cluster.server.tell("step_clock", seconds=-30)
    assert not skewed.well
    assert "ahead of this host's" in skewed.result
    bind, looks = "bind the Role servicegroup-", "it is to look only"
    for verbs, missing, remedy in (
        (["get", "list", "watch"], "create, update, delete", f"{bind}member .*, unless {looks}"),
        (
            ["list"],
            "get, watch, create, .*",
            f"{bind}member .*, or servicegroup-observer, if {looks}",
        ),
        (["list", "create", "update", "delete"], "get, watch", f"{bind}observer .* this account"),
    ):
        token = cluster.account(f"may-{'-'.join(verbs)}", *verbs)
        cluster.server.kubeconfig(cluster.kubeconfig, namespace=cluster.namespace, token=token)
        rights = found(cluster.group())["rights"]
        assert re.fullmatch(f"may not {missing} leases in namespace .*", rights.result)
        assert re.fullmatch(remedy, rights.remedy)
    cluster.server.kubeconfig(cluster.kubeconfig)
    with pytest.raises(ConfigurationError, match="kubectl create namespace nowhere"):
        found(cluster.group(namespace="nowhere"))
    fault = {"kind": "status", "code": 429, "path": ".*selfsubjectaccessreviews"}
    cluster.server.tell("fault", **fault)
    told = found(cluster.group())
    assert "answers 429" in told["throttling"].result
    assert "flowschema.yaml" in told["throttling"].remedy


def test_the_doctor_names_every_right_of_an_account_that_has_none(cluster, monkeypatch):
    token = cluster.account("nobody")
    cluster.server.kubeconfig(cluster.kubeconfig, namespace=cluster.namespace, token=token)
    where = re.escape(f"in namespace '{cluster.namespace}'")
    looks = "or servicegroup-observer, if it is to look only"
    for options, missing, role in (
        ({}, f"get, list, watch, create, update, delete leases {where}", f"member .*, {looks}"),
        ({"mode": "pod", "label_selector": "x"}, f"get, list, watch pods {where}", "observer .*"),
    ):
        for name, value in options.items():
            monkeypatch.setenv(f"OS_SERVICEGROUP_K8S__{name.upper()}", value)
        group = cluster.group()
        words = f"cannot list resource .* may not {missing}: .* servicegroup-{role}"
        found = doctor.examine(lambda group=group: group._conf)
        [found] = [one for one in found if not one.well]
        assert re.search(words, found.result)
        assert "doc/examples/kubernetes/rbac.yaml" in found.result
        for _ in range(2):  # a second try says the same
            with pytest.raises(ConfigurationError, match=words):
                group.get_members("g")
    review = {"kind": "status", "code": 403, "path": ".*selfsubjectaccessreviews"}
    cluster.server.tell("fault", **review)
    with pytest.raises(ConfigurationError, match=r"cannot list .* bind a Role with that verb"):
        cluster.group().get_members("g")
