"""A fleet of conductors is killed and restarted; ``node list --conductor`` follows, exactly."""

import json
import os
import signal
import uuid

import pytest
from oslo_config import cfg

from servicegroup import ServiceGroup
from servicegroup.hashring import HashRing
from servicegroup.inventory import Node

FLEET = ("c1", "c2", "c3")
NODES = [str(uuid.uuid5(uuid.NAMESPACE_DNS, f"node-{number}")) for number in range(300)]
DRIVERS = 'drivers=["ipmi"]'


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
        "OS_SERVICEGROUP_ZOOKEEPER__SESSION_TIMEOUT": "1",
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


def test_the_nodes_of_a_conductor_while_others_die_and_return(
    cli, inside, service_group, until, env
):
    service_group.inventory.add_nodes([Node(one, driver="ipmi") for one in NODES])

    def start(host):
        described = ("--group", "ironic-conductor", "--member", host, "--attribute", DRIVERS)
        return cli.start("run", *described, "--", "sleep", "600", env=env)

    def listed(host="c1"):
        done = inside("node", "list", "--conductor", host, "-f", "json", env=env)
        if done.returncode == 1:
            assert "there is no conductor" in done.stderr
            return None
        assert done.returncode == 0, done.stderr
        return [one["UUID"] for one in json.loads(done.stdout)]

    three, two = expected(FLEET), expected(("c1", "c3"))
    fleet = {host: start(host) for host in FLEET}
    until(lambda: all(listed(host) == three[host] for host in FLEET), 60)
    killed = fleet["c2"]
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()

    def given_away():
        answer = listed()
        assert answer in (three["c1"], two["c1"]), "it is of no fleet that there ever was"
        return answer == two["c1"]

    until(given_away, 60)
    assert listed("c2") == []
    assert listed("c3") == two["c3"]
    fleet["c2"] = start("c2")

    def taken_back():
        answer = listed()
        assert answer in (three["c1"], two["c1"]), "it is of no fleet that there ever was"
        return answer == three["c1"]

    until(taken_back, 60)
    assert listed("c2") == three["c2"]


def test_a_planned_restart_moves_no_node(cli, inside, monkeypatch, env):
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    conf = cfg.ConfigOpts()
    conf([f"--config-file={cli.config}"], project="servicegroup")

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
