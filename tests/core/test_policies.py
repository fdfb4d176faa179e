"""``[servicegroup_conductor] policy``: each other way to share the nodes, through all questions."""

import itertools
import json
import random
import uuid

import pytest

from servicegroup.exceptions import NoSuchNode
from servicegroup.inventory import Kind, MemoryInventory, Node, Query
from servicegroup.placement import BoundedRing, Rendezvous
from servicegroup.policy import POLICIES

HOSTS = ("c1", "c2", "c3")
_DRAW = random.Random(3)
NODES = [
    Node(str(uuid.UUID(int=_DRAW.getrandbits(128))), f"n{number}", ("ipmi", "redfish")[number % 2])
    for number in range(120)
]


def rendezvous(hosts, nodes):
    return Rendezvous(hosts).map([one.uuid for one in nodes])


def bounded(hosts, nodes):
    """Each kind by itself: no conductor has more than its share, rounded up."""
    found = {}
    for driver in ("ipmi", "redfish"):
        keys = [one.uuid for one in nodes if one.driver == driver]
        ring = BoundedRing(hosts, keys, 1.0)
        found.update(zip(keys, ring.map(keys), strict=True))
        assert max(ring.map(keys).count(host) for host in hosts) <= -(-len(keys) // len(hosts))
    return [found[one.uuid] for one in nodes]


def static(hosts, nodes):
    found = [table(nodes).get(one.uuid, "c1") for one in nodes]
    return [host if host in hosts else None for host in found]


def table(nodes):
    """A node of each three is left to whoever has all others."""
    return {one.uuid: HOSTS[int(one.name[1:]) % 3] for one in nodes if int(one.name[1:]) % 4}


EXPECTED = {"rendezvous": rendezvous, "bounded": bounded, "static": static}


@pytest.fixture
def options(tmp_path):
    def options(policy):
        if policy == "bounded":
            return {"bounded_load": 1.0}
        if policy == "static":
            (tmp_path / "table.json").write_text(json.dumps(table(NODES)))
            return {"static_table": str(tmp_path / "table.json"), "static_otherwise": "c1"}
        return {}

    return options


@pytest.fixture
def nodes():
    return list(NODES)


@pytest.fixture(params=EXPECTED)
def policy(request):
    return request.param


@pytest.fixture
def conductors(make, policy, options, nodes):
    """Whoever asks; it alone has to know the policy."""
    chosen = {"policy": policy, **options(policy)}
    return make(inventory=MemoryInventory(lambda: nodes), conductor=chosen).conductors


@pytest.fixture
def fleet(make):
    return {host: join(make, host) for host in HOSTS}


def join(make, host, **described):
    described = {"drivers": ["ipmi", "redfish"], **described}
    return make().conductors.join(hostname=host, **described)


def uuids(nodes, owners, host):
    return [one.uuid for one, owner in zip(nodes, owners, strict=True) if owner == host]


def pages(conductors, host, limit, **query):
    marker = None
    while True:
        page = conductors.nodes_of(host, Query(limit=limit, marker=marker, **query))
        assert {one.conductor for one in page.nodes} <= {host}
        assert len(page.nodes) == limit or page.next is None
        yield from (one.node.uuid for one in page.nodes)
        if (marker := page.next) is None:
            return


def test_every_question_has_the_policys_answer(conductors, fleet, nodes, policy, monkeypatch):
    monkeypatch.setattr("servicegroup.served.CHUNK", 17)
    owners = EXPECTED[policy](HOSTS, nodes)
    assert conductors.mapping().conductors == dict(
        zip([n.uuid for n in nodes], owners, strict=True)
    )
    assert [one.conductor for one in conductors.place(nodes)] == owners
    assert [one.conductor for one in conductors.nodes().nodes] == owners
    assert conductors.for_node("n7").conductor == owners[7]
    assert conductors.counts() == {None: 0} | {host: owners.count(host) for host in HOSTS}
    for host in HOSTS:
        mine = uuids(nodes, owners, host)
        assert mine
        assert list(pages(conductors, host, 7)) == mine
        assert list(pages(conductors, host, 1000, descending=True)) == mine[::-1]
        assert conductors.count_of(host) == len(mine)
        redfish = [one.uuid for one in nodes if one.uuid in mine and one.driver == "redfish"]
        assert list(pages(conductors, host, 5, where={"driver": "redfish"})) == redfish
        assert conductors.count_of(host, {"driver": "redfish"}) == len(redfish)
    (load,) = conductors.loads()
    assert (load.policy, load.ring, load.nodes) == (
        policy,
        None,
        {h: owners.count(h) for h in HOSTS},
    )
    assert sum(load.portions.values()) == pytest.approx(1)


def test_what_moved_is_told_exactly(conductors, fleet, nodes, policy):
    before, generation = conductors.mapping().conductors, conductors.generation
    fleet["c2"].leave()
    after = conductors.mapping().conductors
    moved = {(one, before[one], after[one]) for one in before if before[one] != after[one]}
    assert moved
    assert set(conductors.moved(generation)) == moved
    assert sum(map(len, conductors.moves(generation).values())) == len(moved)
    assert conductors.nodes_of("c1").nodes
    assert [after[one.uuid] for one in nodes] == EXPECTED[policy](("c1", "c3"), nodes)


def test_a_kind_that_nobody_serves(conductors, fleet, nodes):
    lonely = Node(str(uuid.UUID(int=9)), "lonely", "snmp", "east")
    nodes.append(lonely)
    assert conductors.for_node("lonely").conductor is None
    assert conductors.mapping().conductors[lonely.uuid] is None
    assert conductors.counts()[None] == 1
    assert lonely.uuid not in [n.node.uuid for h in HOSTS for n in conductors.nodes_of(h).nodes]


@pytest.mark.parametrize("policy", ["rendezvous"], indirect=True)
def test_weights_are_chances(conductors, make, nodes):
    join(make, "c1"), join(make, "c2", weight=3)
    expected = Rendezvous(["c1"], {"c2": 3}).map([one.uuid for one in nodes])
    assert [one.conductor for one in conductors.place(nodes)] == expected
    assert conductors.loads()[0].portions == {"c1": 0.25, "c2": 0.75}


@pytest.mark.parametrize("policy", ["bounded"], indirect=True)
def test_a_node_that_comes_counts_at_once(conductors, fleet, nodes):
    shares = conductors.shares()
    newcomer = Node(str(uuid.UUID(int=77)), "new", "ipmi")
    foreseen = shares.owner(newcomer)
    del nodes[40:]
    nodes.append(newcomer)
    assert [one.conductor for one in conductors.place(nodes)] == bounded(HOSTS, nodes)
    del nodes[40:]
    nodes += NODES[40:]
    assert foreseen == bounded(HOSTS, [*nodes, newcomer])[-1]


@pytest.mark.parametrize("policy", ["bounded"], indirect=True)
def test_nodes_that_are_to_come_are_placed_together(conductors, fleet, nodes, monkeypatch):
    reads = []
    keys = conductors._inventory.keys
    monkeypatch.setattr(
        conductors._inventory, "keys", lambda kind: reads.append(kind) or keys(kind)
    )
    coming = [Node(str(uuid.UUID(int=number)), f"new-{number}", "ipmi") for number in range(9)]
    expected = bounded(HOSTS, [*nodes, *coming])[-len(coming) :]
    assert [one.conductor for one in conductors.place(iter(coming))] == expected
    assert reads == [Kind("", "ipmi")]


@pytest.mark.parametrize("policy", ["static"], indirect=True)
def test_a_table_says_why_nobody_serves_a_node(conductors, make, nodes):
    def why(name):
        placed = conductors.for_node(name)
        assert placed.conductor is None
        return placed.reason

    assert "static_table, 'c2', is not alive" in why("n1")
    join(make, "c2", drivers=["snmp"])
    assert "static_table, 'c2', cannot serve it: no live conductor of the default" in why("n1")
    assert "static_table, 'c1', is not alive" in why("n4")  # by static_otherwise


def test_without_anybody_for_the_rest_a_table_says_so(make, options, nodes):
    chosen = {"policy": "static", "static_table": options("static")["static_table"]}
    conductors = make(inventory=MemoryInventory(lambda: nodes), conductor=chosen).conductors
    placed = conductors.for_node("n0")
    assert placed.conductor is None
    assert f"names no conductor for node {nodes[0].uuid}: add it there, or set" in placed.reason


def some_of_each(looks, found):
    return found[-2:]


def all_of_the_third(looks, found):
    return found if looks == 3 else ()


@pytest.mark.parametrize("policy", ["rendezvous"], indirect=True)
@pytest.mark.parametrize("gone", [some_of_each, all_of_the_third])
def test_nodes_that_are_removed_between_two_looks_do_no_harm(
    conductors, fleet, nodes, monkeypatch, gone
):
    monkeypatch.setattr("servicegroup.served.CHUNK", 10)
    inventory, reads = conductors._inventory, []
    asked, looks = inventory.nodes, itertools.count(1)

    def removing(query):
        for one in gone(next(looks), reads.pop()) if reads else ():  # since they were read
            nodes.remove(one)
        found = asked(query)
        reads.append(found)
        return found

    monkeypatch.setattr(inventory, "nodes", removing)
    mine = uuids(NODES, rendezvous(HOSTS, NODES), "c1")
    with pytest.raises(NoSuchNode):
        conductors.nodes_of("c1", Query(marker="nobody"))
    reads.clear()
    found = [one.node.uuid for one in conductors.nodes_of("c1").nodes]
    assert len(found) == len(set(found))
    assert set(found) >= set(mine) & {one.uuid for one in nodes}
    assert len(nodes) < len(NODES)


def test_there_is_no_other_policy():
    assert set(POLICIES) == {"ring", *EXPECTED}


def test_a_kind_is_shared_by_itself(conductors, make, policy):
    """Those with the same hosts have the same answer for a position, but for what is full."""
    join(make, "c1", drivers=["ipmi"]), join(make, "c2", drivers=["ipmi", "redfish"])
    shares = conductors.shares()
    assert shares.alike() == [[Kind("", "ipmi")], [Kind("", "redfish")]]
    owners = [one.conductor for one in conductors.place(NODES) if one.node.driver == "redfish"]
    assert set(owners) <= {"c2", None}
