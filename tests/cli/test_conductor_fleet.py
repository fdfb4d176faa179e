"""A fleet of conductors is killed and restarted; ``node list --conductor`` follows, exactly."""

import json
import os
import signal
import subprocess
import uuid

import pytest
from oslo_config import cfg

from servicegroup import ServiceGroup, State
from servicegroup.hashring import HashRing
from servicegroup.inventory import Node

FLEET = ("c1", "c2", "c3")
NODES = [str(uuid.uuid5(uuid.NAMESPACE_DNS, f"node-{number}")) for number in range(300)]
DRIVERS = 'drivers=["ipmi"]'
PROGRAM = ("sh", "-c", "echo joined; exec sleep 600")
#: Where nothing is waited for, nobody need be quick.
PATIENT = {
    "OS_SERVICEGROUP__REPORT_INTERVAL": "5",
    "OS_SERVICEGROUP__SERVICE_DOWN_TIME": "60",
    "OS_SERVICEGROUP_ZOOKEEPER__SESSION_TIMEOUT": "20",
}
#: Seconds of a session of ZooKeeper.
SESSION = 1.0


def environment(server):
    """The environment that makes this server the store of the conductors, if any."""
    name, still = f"test-{uuid.uuid4()}", {"OS_SERVICEGROUP__GUARDIAN": "false"}
    if server is None:
        return still
    if server.name == "memcached":
        return still | {
            "OS_SERVICEGROUP__DRIVER": "memcache",
            "OS_SERVICEGROUP_MEMCACHE__SERVERS": server.address,
            "OS_SERVICEGROUP_MEMCACHE__NAMESPACE": name,
        }
    return still | {
        "OS_SERVICEGROUP__DRIVER": "zookeeper",
        "OS_SERVICEGROUP_ZOOKEEPER__HOSTS": server.address,
        "OS_SERVICEGROUP_ZOOKEEPER__ROOT": f"/{name}",
        "OS_SERVICEGROUP_ZOOKEEPER__SESSION_TIMEOUT": str(SESSION),
    }


def expected(hosts):
    """Who has which nodes while these are alive, in the order of the listing."""
    owners = HashRing(hosts).map(NODES)
    return {
        host: [node for node, owner in zip(NODES, owners, strict=True) if owner == host]
        for host in hosts
    }


@pytest.fixture(
    params=[
        None,
        pytest.param("zookeeper", marks=pytest.mark.server("zookeeper")),
        pytest.param("memcached", marks=pytest.mark.server("memcached")),
    ],
    ids=["db", "zookeeper", "memcache"],
)
def env(request):
    return environment(request.param and request.getfixturevalue(request.param))


@pytest.fixture
def configured(cli, monkeypatch):
    """Return the program's configuration in an environment, which this process has from then on."""

    def configured(env):
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        conf = cfg.ConfigOpts()
        conf([f"--config-file={cli.config}"], project="servicegroup")
        return conf

    return configured


@pytest.fixture
def watcher(configured, env):
    """The library, on the conductors' store."""
    with ServiceGroup(configured(env)) as watcher:
        yield watcher


def test_the_nodes_of_a_conductor_while_others_die_and_return(
    cli, inside, service_group, watcher, until, env
):
    service_group.inventory.add_nodes([Node(one, driver="ipmi") for one in NODES])

    def start(*hosts):
        """Start conductors; each has joined once its program runs."""
        for host in hosts:
            described = ("--group", "ironic-conductor", "--member", host, "--attribute", DRIVERS)
            fleet[host] = cli.start("run", *described, "--", *PROGRAM, env=env)
        for host in hosts:
            assert fleet[host].stdout.readline() == "joined\n", fleet[host].stderr.read()

    def asked(*arguments):
        done = inside(*arguments, "-f", "json", env=env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def verdicts():
        return {one["Hostname"]: one["Alive"] for one in asked("conductor", "list")}

    def listed(host):
        return [one["UUID"] for one in asked("node", "list", "--conductor", host)]

    def followed(host="c1"):
        """Ask for its nodes, which are those that the verdicts on all conductors give it."""
        before, nodes = verdicts(), listed(host)
        serving = [one for one, alive in before.items() if alive is not False]
        if nodes != expected(serving).get(host, []):
            assert verdicts() != before, "they changed in between"
        return before

    fleet: dict[str, subprocess.Popen] = {}
    start(*FLEET)
    until(lambda: followed() == dict.fromkeys(FLEET, True), 60)
    os.killpg(fleet["c2"].pid, signal.SIGKILL)
    fleet["c2"].wait()

    def noticed():
        """Whoever is found dead stays dead, and who is not was heard within its window."""
        before = watcher.conductors.get("c2")
        age, limit = before.last_seen, before.status.liveness.limit
        assert not before.alive or age is None or age <= limit
        found = followed()
        assert before.state is not State.DOWN or found["c2"] is not True
        return found == {"c1": True, "c2": False, "c3": True}

    until(noticed, 60)
    until(lambda: listed("c2") == [] and listed("c3") == expected(("c1", "c3"))["c3"], 60)
    start("c2")
    until(lambda: followed("c2") == dict.fromkeys(FLEET, True), 60)
    until(lambda: listed("c2") == expected(FLEET)["c2"], 60)


def test_a_planned_restart_moves_no_node(inside, configured, env):
    env = env | PATIENT
    conf = configured(env)

    def shown():
        done = inside("conductor", "show", "c2", "--nodes", "-f", "json", env=env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    with ServiceGroup(conf) as first:
        first.inventory.add_nodes([Node(one, driver="ipmi") for one in NODES])
        first.conductors.join(hostname="c1", drivers=["ipmi"])
        with ServiceGroup(conf) as second:
            membership = second.conductors.join(hostname="c2", drivers=["ipmi"])
            before = shown()
            assert (before["alive"], before["nodes"]) == (True, expected(("c1", "c2"))["c2"])
            assert second.conductors.step_down(membership, hold=600)
            assert second.conductors.get("c2").hold > 500
        after = shown()
        assert after["nodes"] == before["nodes"]
        assert (after["alive"], after["serving"]) == (False, True)
        assert after["reason"].startswith("planned restart: its nodes wait for it")
        with ServiceGroup(conf) as again:
            again.conductors.join(hostname="c2", drivers=["ipmi"])
            after = shown()
            assert (after["alive"], after["nodes"]) == (True, before["nodes"])
        assert first.conductors.counts() == {None: 0, "c1": len(NODES)}
