"""The manifests of the documentation: kubectl takes them; they allow enough, and no more."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from kubernetes_cluster import manifest, real_kubeconfig
from oslo_config import cfg
from servers.fixtures import requirements
from servers.kubernetes import Kubernetes
from servers.requirement import find_program

import servicegroup
from servicegroup import config, loading
from servicegroup.drivers.k8s import KubernetesDriver
from servicegroup.exceptions import ConfigurationError

FOLDER = Path(__file__).parents[2] / "doc" / "examples" / "kubernetes"
NAMESPACE = "servicegroup"

pytestmark = pytest.mark.server("kubernetes")


@pytest.fixture(scope="module")
def server(server_home, tmp_path_factory):
    """A server that has all of them."""
    if real_kubeconfig():
        pytest.skip("a real cluster is not filled with examples")
    with requirements():
        kubectl = str(find_program("kubectl", "kubernetes-client"))
        server = Kubernetes(server_home, tls=True)
    with server:
        file = server.kubeconfig(tmp_path_factory.mktemp("kube") / "config")
        # In this order: the namespace is in the first one.
        for name in ("rbac.yaml", "deployment.yaml", "flowschema.yaml"):
            how = ["--kubeconfig", str(file), "--cache-dir", str(file.parent)]
            command = [kubectl, *how, "apply", "--validate=false", "-f", str(FOLDER / name)]
            for _ in range(2):  # it may be applied again
                done = subprocess.run(
                    command, capture_output=True, text=True, timeout=60, check=False
                )
                assert done.returncode == 0, done.stderr
        yield server


@pytest.fixture
def group(server, tmp_path):
    """Make a group that enters as a service account of the manifests."""
    made = []

    def group(account, **options):
        conf = cfg.ConfigOpts()
        conf([], project="servicegroup", default_config_files=[], default_config_dirs=[])
        config.register(conf)
        loading.register_options(conf, KubernetesDriver)
        conf.set_override("driver", "k8s", group="servicegroup")
        conf.set_override("use_records", False, group="servicegroup")
        kubeconfig = entered(server, account, tmp_path / account)
        for name, value in {"kubeconfig": str(kubeconfig), **options}.items():
            conf.set_override(name, value, group="servicegroup_k8s")
        made.append(servicegroup.ServiceGroup(conf))
        return made[-1]

    yield group
    for one in made:
        one.close()


def entered(server, account, file):
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token"
    status, answer = server.request("POST", path, {})
    assert status == 201, answer
    return server.kubeconfig(file, namespace=NAMESPACE, token=answer["status"]["token"])


def test_every_object_is_stored_as_it_is_written(server):
    plurals = {"Deployment": "deployments", "FlowSchema": "flowschemas"}
    for name in ("deployment.yaml", "flowschema.yaml"):
        (wanted,) = manifest(FOLDER / name)
        namespace = wanted["metadata"].get("namespace")
        place = f"/namespaces/{namespace}" if namespace else ""
        path = f"/apis/{wanted['apiVersion']}{place}/{plurals[wanted['kind']]}"
        _, found = server.request("GET", f"{path}/{wanted['metadata']['name']}")
        assert found["spec"] == wanted["spec"]


def test_a_member_may_do_what_members_do(group):
    sg = group("member")
    with sg.watch("web") as watch, sg.join("web", "m") as membership:
        assert {watch.next_event(10).type.value for _ in range(2)} == {"ready", "joined"}
        membership.update({"x": 1})
        assert sg.is_up("web", "m")
    assert sg.get_members("web") == []


def test_no_verb_of_a_member_is_too_many(server, group):
    """Each is missed when it is not there."""
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/roles/servicegroup-member"
    _, role = server.request("GET", path)
    verbs = role["rules"][0]["verbs"]
    for left_out in verbs:
        rules = [{**role["rules"][0], "verbs": [one for one in verbs if one != left_out]}]
        patch = {"rules": rules}
        kind = "application/merge-patch+json"
        assert server.request("PATCH", path, patch, Content_Type=kind)[0] == 200
        sg, other = group("member"), group("member")
        try:
            with pytest.raises(ConfigurationError, match=f"cannot {left_out} resource"):
                everything(sg, other)
        finally:
            server.request("PATCH", path, {"rules": role["rules"]}, Content_Type=kind)


def everything(sg, other):
    """What members and those who look do, in the driver's own words: nobody hides an error."""
    drivers = [one._process.door.driver for one in (sg, other)]
    for driver in drivers:
        driver.start()
    life = [driver.context.instance_id for driver in drivers]
    one = servicegroup.Member("probe", f"m-{uuid.uuid4()}", instance_id=life[0])
    (joined,) = drivers[0].join([one])
    (newer,) = drivers[1].join([one._replace(instance_id=life[1])])
    drivers[0].heartbeat(life[0], [joined])
    drivers[1].sightings("probe")
    drivers[1].watch("probe", lambda _: None)()
    drivers[1].leave([newer])


def test_an_observer_only_looks(server, group):
    member, observer = group("member"), group("observer")
    with member.join("web", "m"):
        assert observer.is_up("web", "m")
        with pytest.raises(ConfigurationError, match="cannot create resource"):
            observer.join("web", "x")
    pods = group("observer", mode="pod", label_selector="app={group}")
    body = {"metadata": {"name": "p", "labels": {"app": "web"}}}
    body["spec"] = {"containers": [{"name": "m", "image": "i"}]}
    assert server.request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", body)[0] == 201
    assert [one.member_id for one in pods.get_members("web")] == ["p"]


def test_the_deployments_command_makes_a_member(server, group, tmp_path):
    (deployment,) = manifest(FOLDER / "deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    program = Path(sys.executable).with_name(container["command"][0])
    given = {"POD_NAME": "web-1", "POD_UID": "of-no-pod", "OS_SERVICEGROUP__HOST": "node-1"}
    named = {one["name"]: one.get("value", given.get(one["name"])) for one in container["env"]}
    assert None not in named.values()
    words = [one.replace("$(POD_NAME)", "web-1") for one in container["args"]]
    assert words[words.index("--") + 1 :] == ["python3", "-m", "http.server"]
    words[words.index("--") + 1 :] = ["cat"]
    kubeconfig = entered(server, "member", tmp_path / "run")
    named["OS_SERVICEGROUP_K8S__KUBECONFIG"] = str(kubeconfig)
    env = {**os.environ, **named}
    command = [str(program), *container["command"][1:], *words]
    observer = group("observer")
    with observer.watch("web") as watch:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env=env)
        try:
            seen = {watch.next_event(30).type.value for _ in range(2)}
            assert seen == {"ready", "joined"}
            (one,) = observer.get_members("web")
            assert (one.member_id, one.name, one.hostname) == ("web-1", "web", "node-1")
        finally:
            process.stdin.close()
            process.wait(30)
        assert process.returncode == 0
        assert watch.next_event(30).type.value == "left"
    assert json.dumps(one.member.attributes) == "{}"
