"""Which conductor serves a node, while conductors come, go, fail and restart."""

import random
import uuid

import pytest

from servicegroup import DriverUnavailable, InvalidMember, ServiceGroupError, State
from servicegroup.conductor import check_conductor_group
from servicegroup.exceptions import InvalidInventory, NoSuchConductor, NoSuchNode
from servicegroup.hashring import HashRing
from servicegroup.hostname import check_hostname
from servicegroup.inventory import MemoryInventory, Node, Query

IPMI = {"drivers": ["ipmi", "redfish"]}


def node(number, **fields):
    seeded = random.Random(number).getrandbits(128)
    return Node(str(uuid.UUID(int=seeded)), f"node-{number}", **{"driver": "ipmi", **fields})


@pytest.fixture
def nodes():
    return [node(number, driver=("ipmi", "redfish")[number % 2]) for number in range(200)]


@pytest.fixture
def observer(make, nodes):
    """Somebody who asks, about the nodes in a list."""
    return make(inventory=MemoryInventory(lambda: nodes))


@pytest.fixture
def conductors(observer):
    return observer.conductors


@pytest.fixture
def join(make):
    """Join as a conductor, each with a process of its own."""

    def join(hostname, **described):
        group = make()
        group.membership = group.conductors.join(hostname=hostname, **{**IPMI, **described})
        return group

    return join


def expected(hosts, nodes):
    ring = HashRing(hosts)
    return {one.uuid: ring.owner(one.uuid) for one in nodes}


def paged(conductors, hostname, limit, between=lambda: None, **query):
    found, marker = [], None
    while True:
        page = conductors.nodes_of(hostname, Query(limit=limit, marker=marker, **query))
        assert len(page.nodes) <= limit
        found += [one.node.uuid for one in page.nodes]
        if page.next is None:
            return found
        assert len(page.nodes) == limit
        marker = page.next
        between()


def test_a_conductor_is_there_with_all_it_says_of_itself(conductors, join):
    join("C1:8090", conductor_group="East", drivers=["redfish", "ipmi", "ipmi"], weight=2)
    (one,) = conductors.list()
    assert (one.hostname, one.conductor_group) == ("C1:8090", "east")
    assert one.drivers == ("ipmi", "redfish")
    assert (one.weight, one.alive, one.serving, one.state) == (2, True, True, State.UP)
    assert one.reason.startswith("last beat")
    assert 0 <= one.last_seen < 60
    assert conductors.get("C1:8090").hostname == "C1:8090"


def test_the_mapping_is_the_rings(conductors, join, nodes):
    for host in ("c1", "c2", "c3"):
        join(host)
    owners = expected(["c1", "c2", "c3"], nodes)
    assert conductors.mapping().conductors == owners
    assert {one.node.uuid: one.conductor for one in conductors.place(nodes)} == owners
    assert conductors.for_node(nodes[3]).conductor == owners[nodes[3].uuid]
    assert conductors.for_node("node-3").conductor == owners[nodes[3].uuid]
    assert conductors.for_node(nodes[3].uuid).conductor == owners[nodes[3].uuid]
    page = conductors.nodes()
    assert {one.node.uuid: one.conductor for one in page.nodes} == owners
    assert page.next is None
    counts = conductors.counts()
    for host in ("c1", "c2", "c3"):
        mine = [one.uuid for one in nodes if owners[one.uuid] == host]
        assert paged(conductors, host, 1000) == mine
        assert conductors.count_of(host) == counts[host] == len(mine)
    assert counts[None] == 0


@pytest.mark.parametrize("limit", [1, 2, 7, 64, 200])
def test_pages_hold_each_node_once_for_any_size(conductors, join, nodes, limit):
    join("c1"), join("c2")
    owners = expected(["c1", "c2"], nodes)
    mine = [one.uuid for one in nodes if owners[one.uuid] == "c1"]
    assert paged(conductors, "c1", limit) == mine
    assert paged(conductors, "c1", limit, descending=True) == mine[::-1]


def test_pages_are_filtered_first(conductors, join, nodes):
    join("c1"), join("c2")
    owners = expected(["c1", "c2"], nodes)
    mine = [one.uuid for one in nodes if owners[one.uuid] == "c1" and one.driver == "redfish"]
    assert paged(conductors, "c1", 5, where={"driver": "redfish"}) == mine
    assert conductors.count_of("c1", {"driver": "redfish"}) == len(mine)


def test_a_full_last_page_has_no_next(conductors, join, nodes):
    join("c1")
    page = conductors.nodes_of("c1", Query(limit=len(nodes)))
    assert len(page.nodes) == len(nodes)
    assert page.next is None
    assert conductors.nodes_of("c1", Query(limit=len(nodes) - 1)).next is not None


def test_pages_while_conductors_come_and_go(conductors, join, nodes):
    """What is a conductor's all the while is listed once; nothing is listed twice."""
    join("c1"), join("c2")
    always = set(expected(["c1", "c2"], nodes).items())
    others = []

    def between():
        nonlocal always
        if others and len(others) % 3 == 0:
            others[-1].membership.leave()
            others.append(None)
        else:
            others.append(join(f"x{len(others)}"))
        always &= set(conductors.mapping().conductors.items())

    found = paged(conductors, "c1", 9, between)
    assert len(others) > 3
    assert len(found) == len(set(found))
    assert set(found) >= {one for one, host in always if host == "c1"}
    assert found == sorted(found, key=[one.uuid for one in nodes].index)


def test_what_moved_is_told_exactly(conductors, join, nodes):
    join("c1"), join("c2")
    generation, before = conductors.generation, conductors.mapping().conductors
    third = join("c3")
    after = conductors.mapping().conductors
    changes = {(one, before[one], after[one]) for one in before if before[one] != after[one]}
    assert changes
    assert set(conductors.moved(generation)) == changes
    assert conductors.generation == conductors.mapping().generation == generation + 1
    third.membership.leave()
    assert conductors.moved(generation) == []
    assert set(conductors.moved(generation + 1)) == {(one, b, a) for one, a, b in changes}
    moves = conductors.moves(generation + 1)
    assert {move.before for some in moves.values() for move in some} == {"c3"}
    with pytest.raises(ServiceGroupError, match=r"generation 99 is not remembered.*mapping"):
        conductors.moved(99)


def test_generations_are_forgotten_in_the_end(conductors, join, observer):
    join("c1")
    first = conductors.generation
    for number in range(70):
        conductors._rebuild([one for one in observer.get_members("ironic-conductor") if number % 2])
    with pytest.raises(ServiceGroupError, match="not remembered"):
        conductors.moved(first)


def test_one_that_is_dead_serves_nothing(conductors, join, nodes, eventually, fall_silent):
    join("c1")
    victim = join("c2")
    process = victim._process
    fall_silent(victim)
    process.door.driver.end(process.instance_id, "killed")
    eventually(lambda: not conductors.get("c2").alive)
    one = conductors.get("c2")
    assert (one.alive, one.serving, one.state) == (False, False, State.DOWN)
    assert set(conductors.mapping().conductors.values()) == {"c1"}
    assert conductors.nodes_of("c2").nodes == []
    assert conductors.count_of("c2") == 0
    assert conductors.counts()["c2"] == 0


def test_nodes_that_nobody_can_serve_say_what_is_missing(conductors, join, nodes):
    def why(**fields):
        placed = conductors.for_node(node(0, **fields))
        assert placed.conductor is None
        return placed.reason

    assert why() == (
        "no live conductor of the default conductor group has driver 'ipmi': no conductor is alive"
    )
    join("c1", conductor_group="east"), join("c2", drivers=["snmp"])
    assert why() == (
        "no live conductor of the default conductor group has driver 'ipmi': the default conductor "
        "group has snmp (1 alive); driver 'ipmi' is served in conductor group 'east'"
    )
    assert why(conductor_group="west", driver="fake") == (
        "no live conductor of conductor group 'west' has driver 'fake': those alive are of the "
        "default conductor group, conductor group 'east'"
    )
    assert set(conductors.mapping().conductors.values()) == {None}
    assert conductors.counts() == {None: len(nodes), "c1": 0, "c2": 0}
    assert conductors.for_node(node(0, conductor_group="east")).conductor == "c1"


def test_groups_do_not_mix(conductors, join, nodes):
    join("c1", conductor_group="east"), join("c2")
    nodes += [node(number, conductor_group="east") for number in range(1000, 1050)]
    for placed in conductors.place(nodes):
        assert placed.conductor == ("c1" if placed.node.conductor_group == "east" else "c2")


def test_a_member_that_is_no_conductor_serves_nothing(conductors, make):
    for number, attributes in enumerate(
        [{}, {"drivers": "ipmi"}, {"drivers": [1], "conductor_group": 7, "weight": 0}]
    ):
        make().join("ironic-conductor", f"m{number}", attributes=attributes)
    assert [one.drivers for one in conductors.list()] == [(), (), ()]
    assert conductors.for_node("node-1").conductor is None


def test_weights_are_tooz_weights(conductors, join, nodes):
    join("c1"), join("c2", weight=3)
    ring = HashRing(["c1"], {"c2": 3})
    assert conductors.mapping().conductors == {one.uuid: ring.owner(one.uuid) for one in nodes}


def test_following_takes_no_looks(conductors, join, nodes, store, eventually):
    join("c1")
    with conductors.follow() as watch:
        assert conductors.follow() is watch
        second = join("c2")
        eventually(lambda: conductors.generation == 2)
        calls = []
        conductors._look = calls.append
        assert conductors.mapping().conductors == expected(["c1", "c2"], nodes)
        assert [one.hostname for one in conductors.list()] == ["c1", "c2"]
        second.membership.leave()
        eventually(lambda: conductors.for_node(nodes[0]).conductor == "c1")
        assert not calls
    conductors._look = lambda group: []
    assert conductors.list() == []


def test_one_of_those_followed_costs_no_look_at_the_others(conductors, join, store, eventually):
    for number in range(20):
        join(f"c{number}")
    with conductors.follow() as watch:
        eventually(lambda: len(watch.members) == 20 and conductors.get("c7").alive)
        described, made = [], conductors._conductor
        conductors._conductor = lambda *some: described.append(some) or made(*some)
        before = conductors.get("c7")
        eventually(lambda: conductors.get("c7").last_seen != before.last_seen)
        assert {status.member_id for status, _ in described} == {"c7"}
        store.unavailable = True
        eventually(lambda: conductors.get("c7").state is State.UNKNOWN)
        assert conductors.get("c7").serving
    store.unavailable = False


def test_the_rings_stay_while_the_store_is_away(conductors, join, store, nodes, eventually):
    join("c1"), join("c2")
    with conductors.follow() as watch:
        before = conductors.mapping()
        store.unavailable = True
        eventually(lambda: not watch.fresh)
        assert {one.state for one in conductors.list()} == {State.UNKNOWN}
        assert conductors.mapping() == before
    with pytest.raises(DriverUnavailable):
        conductors.list()
    store.unavailable = False


def test_a_planned_restart_keeps_the_nodes(conductors, join, nodes, eventually):
    join("c1")
    second = join("c2")
    generation, before = conductors.generation, conductors.mapping().conductors
    assert second.conductors.step_down(second.membership, hold=600) is True
    second.close()
    one = conductors.get("c2")
    assert (one.alive, one.serving, one.state) == (False, True, State.DOWN)
    assert 590 < one.hold <= 600
    assert one.reason.startswith("planned restart: its nodes wait for it 10 min")
    assert conductors.mapping().conductors == before
    join("c2")
    one = conductors.get("c2")
    assert (one.alive, one.serving, one.hold) == (True, True, None)
    assert conductors.generation == generation


@pytest.mark.parametrize("follow", [False, True])
def test_a_hold_that_is_over_gives_the_nodes_to_others(conductors, join, eventually, follow):
    join("c1")
    second = join("c2")
    if follow:
        conductors.follow()
    second.conductors.step_down(second.membership, hold=0.5)
    eventually(lambda: not conductors.get("c2").alive)
    assert "c2" in conductors.mapping().conductors.values()
    eventually(lambda: "c2" not in conductors.mapping().conductors.values())
    assert (conductors.get("c2").serving, conductors.get("c2").hold) == (False, None)


@pytest.mark.parametrize("hold", [0, -1, 86401, float("nan")])
def test_a_hold_that_cannot_be(join, hold):
    group = join("c1")
    with pytest.raises(InvalidMember, match="hold"):
        group.conductors.step_down(group.membership, hold=hold)
    assert group.membership.alive


def test_who_is_not_there(conductors, join):
    with pytest.raises(NoSuchConductor, match=r"no conductor 'c9'.*conductor list"):
        conductors.get("c9")
    for ask in (conductors.nodes_of, conductors.count_of):
        with pytest.raises(NoSuchConductor):
            ask("c9")
    with pytest.raises(NoSuchNode, match=r"no node 'nobody'.*node list"):
        conductors.for_node("nobody")
    join("c1")
    with pytest.raises(NoSuchNode):
        conductors.nodes_of("c1", Query(marker="nobody"))
    for query in (Query(limit=0), Query(sort_key="conductor"), Query(where={"color": 1})):
        with pytest.raises(InvalidInventory):
            conductors.nodes_of("c1", query)


@pytest.mark.parametrize("name", ["c1", "c1:8090", "[::1]", "[::1]:8090", "::1", "foo bar"])
def test_host_names(name):
    assert check_hostname(name) == name


@pytest.mark.parametrize(
    "name", ["", ":8080", "c1:port", "c1:65536", "c1:", "[::1", "[::1]x", "[]:1", 7, "[::1]:"]
)
def test_malformed_host_names(name):
    with pytest.raises(InvalidMember, match="host name"):
        check_hostname(name)


def test_what_no_conductor_can_say_of_itself(make):
    conductors = make().conductors
    for described in ({"drivers": []}, {"drivers": "ipmi"}, {"drivers": [""]}):
        with pytest.raises(InvalidMember, match="driver"):
            conductors.join(**described)
    with pytest.raises(InvalidMember, match="conductor group 'a b'"):
        conductors.join(drivers=["ipmi"], conductor_group="a b")
    for weight in (0, -1, 1.5, True):
        with pytest.raises(InvalidMember, match="weight"):
            conductors.join(drivers=["ipmi"], weight=weight)
    assert check_conductor_group("East.1_a-b") == "east.1_a-b"
