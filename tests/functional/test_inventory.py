"""Nodes and hypervisors in each database: the pages of a conductor, exactly, and what they cost."""

import random
import uuid

import pytest

from servicegroup import State
from servicegroup.exceptions import (
    ConfigurationError,
    EntryExists,
    InvalidInventory,
    NoSuchHypervisor,
    NoSuchNode,
    NotSupported,
)
from servicegroup.hashring import HashRing
from servicegroup.inventory import Inventory, Kind, MemoryInventory, Node, Query
from servicegroup.rings import Rings
from servicegroup.shares import Server

HOSTS = ("c1", "c2", "c3")
#: Nothing beats of its own accord, and no request is given up soon.
STILL = {"report_interval": 600.0, "service_down_time": 3600.0}


def nodes(number, seed=1):
    draw = random.Random(seed)
    return [
        Node(
            str(uuid.UUID(int=draw.getrandbits(128))),
            f"Node-{index}" if index % 3 else None,
            ("ipmi", "redfish")[index % 2],
            ("", "east")[index % 5 == 0],
            ("power on", "Power On", None)[index % 3],
            "available",
            index % 4 == 0,
        )
        for index in range(number)
    ]


@pytest.fixture
def group(url, make):
    """Somebody who asks; its only statements are those that are asked for."""
    return make(url, **STILL)


@pytest.fixture
def fleet(group, url, make):
    """Three conductors and 600 nodes; the same nodes also in a list, to compare with."""
    for host in HOSTS:
        make(url, **STILL).conductors.join(hostname=host, drivers=["ipmi", "redfish"])
    make(url, **STILL).conductors.join(hostname="e1", drivers=["ipmi"], conductor_group="east")
    some = nodes(600)
    group.inventory.add_nodes(some)
    return group, MemoryInventory(lambda: some)


def plain(found):
    return [one._replace(created_at=None) for one in found]


def test_both_inventories_answer_alike(fleet):
    """Whatever is asked of the database: the answer of a list in memory is the same."""
    group, listed = fleet
    draw = random.Random(7)
    every = listed.nodes(Query())
    rings = group.conductors.shares()
    wheres = [{}, {"driver": "ipmi"}, {"maintenance": True}, {"power_state": None}]
    wheres += [{"power_state": "power on", "conductor_group": "east"}, {"name": "Node-7"}]
    everywhere = [None, {}, *(rings.places(host) for host in (*HOSTS, "e1"))]
    for _ in range(60):
        query = Query(
            draw.choice(everywhere),
            draw.choice(wheres),
            draw.choice(["id", "uuid", "name", "maintenance", "power_state", "updated_at"]),
            draw.random() < 0.5,
            draw.choice([None, draw.choice(every).uuid]),
            draw.choice([None, 1, 7, 50]),
        )
        if query.marker is not None and query.sort_key == "name":
            query = query._replace(marker=next(one.uuid for one in every if one.name))
        assert plain(group.inventory.nodes(query)) == listed.nodes(query), query
        assert group.inventory.count(query) == listed.count(query), query
    assert group.inventory.kinds() == listed.kinds()
    for kind in (Kind("", "ipmi"), Kind("east", "redfish"), Kind("x", "y")):
        assert sorted(zip(*group.inventory.keys(kind), strict=True)) == sorted(
            zip(*listed.keys(kind), strict=True)
        )


@pytest.mark.parametrize("limit", [1, 30, 1000])
def test_paging_through_a_conductor(fleet, limit):
    group, listed = fleet
    ring = HashRing(HOSTS)
    mine = [
        one.uuid
        for one in listed.nodes(Query())
        if not one.conductor_group and ring.owner(one.uuid) == "c2"
    ]
    found, marker = [], None
    while True:
        page = group.conductors.nodes_of("c2", Query(limit=limit, marker=marker))
        found += [one.node.uuid for one in page.nodes]
        assert {one.conductor for one in page.nodes} == {"c2"}
        marker = page.next
        if marker is None:
            break
    assert found == mine
    assert group.conductors.count_of("c2") == len(mine)
    assert group.conductors.counts()["c2"] == len(mine)


def test_what_moved_comes_by_index(fleet, url, make):
    group, _ = fleet
    generation, before = group.conductors.generation, group.conductors.mapping().conductors
    make(url, **STILL).conductors.join(hostname="c4", drivers=["redfish"])
    after = group.conductors.mapping().conductors
    moved = {(one, before[one], after[one]) for one in before if before[one] != after[one]}
    assert moved
    assert set(group.conductors.moved(generation)) == moved


def test_many_drivers_and_many_ranges(group):
    """Also more than the 500 terms that SQLite takes."""
    drivers = [f"driver-{number}" for number in range(25)]
    some = [one._replace(driver=drivers[n % 25]) for n, one in enumerate(nodes(300))]
    group.inventory.add_nodes(some)
    listed = MemoryInventory(lambda: some)
    described = [Server(host, "", tuple(drivers[: 20 + n])) for n, host in enumerate(HOSTS)]
    for exponent in (5, 8):
        places = Rings(described, exponent).places("c3")
        assert len({tuple(spans) for spans in places.values()}) == 3
        query = Query(places, {"maintenance": False}, limit=40)
        assert plain(group.inventory.nodes(query)) == listed.nodes(query)
        assert group.inventory.count(query) == listed.count(query)


def test_ids_that_a_collation_would_merge(group):
    for name in ("a", "A", "a ", "e\u0301", "\u00e9"):
        group.inventory.create_node(name=name, driver=name, conductor_group="")
    assert group.inventory.node("A").driver == "A"
    assert group.inventory.count(Query(where={"driver": "a "})) == 1
    assert len(group.inventory.kinds()) == 5
    assert group.inventory.node("\u00e9").name == "\u00e9"
    assert group.inventory.node("nobody\u00e9") is None


def test_nothing_is_half_imported(group):
    some = nodes(1000)
    group.inventory.create_node(uuid=some[990].uuid, driver="ipmi")
    with pytest.raises(EntryExists, match=rf"uuid '{some[990].uuid}' is taken"):
        group.inventory.add_nodes(some)
    assert group.inventory.count(Query()) == 1
    heard = []
    group.inventory.add_nodes(some[:990], lambda *told: heard.append(told))
    assert group.inventory.count(Query()) == 991
    assert heard[-1] == (990, 990)


def test_names_and_uuids_are_taken_once(group):
    one = group.inventory.create_node(name="n1", driver="ipmi", conductor_group="East")
    assert (one.conductor_group, one.maintenance) == ("east", False)
    assert one.created_at is not None
    with pytest.raises(EntryExists, match=rf"name 'n1' is taken, by node {one.uuid}"):
        group.inventory.create_node(name="n1", driver="ipmi")
    group.inventory.delete_node("n1")
    for ask in (group.inventory.delete_node, group.conductors.for_node):
        with pytest.raises(NoSuchNode, match="'n1'"):
            ask("n1")
    with pytest.raises(NoSuchNode):
        group.inventory.nodes(Query(marker="n1"))
    for bad in ({"driver": ""}, {"driver": "x", "colour": 1}, {"driver": "x", "uuid": "7"}):
        with pytest.raises(InvalidInventory):
            group.inventory.create_node(**bad)


def test_what_is_known_of_a_node_changes(fleet):
    group, listed = fleet
    inventory, one = group.inventory, listed.nodes(Query())[1]
    assert inventory.update_node(one.uuid) == inventory.node(one.uuid)
    changes = {"name": "renamed", "power_state": "", "maintenance": True, "instance_uuid": "i1"}
    changed = inventory.update_node("Node-1", **changes)
    assert changed == inventory.node("renamed")
    assert changed.updated_at is not None
    expected = one._replace(**{**changes, "power_state": None, "updated_at": changed.updated_at})
    assert plain([changed]) == [expected]
    assert inventory.node("Node-1") is None
    before = group.conductors.for_node("renamed").conductor
    assert before in HOSTS
    inventory.update_node("renamed", conductor_group="East", driver="ipmi", maintenance=None)
    placed = group.conductors.for_node("renamed")
    assert (placed.conductor, placed.node.maintenance) == ("e1", False)
    assert one.uuid in [n.node.uuid for n in group.conductors.nodes_of("e1").nodes]
    assert one.uuid not in [n.node.uuid for n in group.conductors.nodes_of(before).nodes]
    inventory.update_node("renamed", name="renamed")
    for bad, words in (
        ({"name": "Node-2"}, "name 'Node-2' is taken, by node"),
        ({"uuid": one.uuid}, "the uuid of a node never changes"),
        ({"driver": None}, "a node needs a driver"),
        ({"colour": "red"}, "no field 'colour'"),
        ({"maintenance": "perhaps"}, "neither true nor false"),
    ):
        with pytest.raises(InvalidInventory, match=words):
            inventory.update_node("renamed", power_state="power on", **bad)
    assert inventory.node("renamed").power_state is None
    with pytest.raises(NoSuchNode, match="'nobody'"):
        inventory.update_node("nobody", name="x")


def test_a_service_reports_what_its_hypervisor_is_like(url, make):
    group = make(url, host="node-1", **STILL)
    hypervisors, inventory = group.hypervisors, group.inventory
    hypervisors.report(vcpus=32, vcpus_used=3, cpu_info={"vendor": "Intel"})
    first = inventory.hypervisor("node-1")
    assert (first.host, first.vcpus, first.vcpus_used, first.memory_mb) == ("node-1", 32, 3, None)
    for used in (4, 4, None):
        hypervisors.report(vcpus_used=used)
    hypervisors.report()
    assert inventory.hypervisor("node-1") == first._replace(vcpus_used=None)
    hypervisors.report("second.example.org", running_vms=2)
    second = inventory.hypervisor("second.example.org")
    assert (second.id, second.host, second.running_vms) == (first.id + 1, "node-1", 2)
    changed = inventory.update_hypervisor(str(second.id), host="h2", pci_stats=[1], running_vms="")
    assert changed == inventory.hypervisor(second.uuid)
    assert changed == second._replace(host="h2", pci_stats=[1], running_vms=None)
    assert inventory.update_hypervisor("node-1", hypervisor_hostname="renamed").uuid == first.uuid
    assert inventory.update_hypervisor("renamed") == inventory.hypervisor("renamed")
    for bad, words in (
        ({"hypervisor_hostname": second.hypervisor_hostname}, "is there already, with uuid"),
        ({"host": ""}, "a hypervisor needs a host"),
        ({"id": 7}, "no field 'id'"),
        ({"uuid": first.uuid}, "the uuid of a hypervisor never changes"),
        ({"vcpus": "many"}, "vcpus 'many' cannot be"),
    ):
        with pytest.raises(InvalidInventory, match=words):
            inventory.update_hypervisor("renamed", memory_mb=1, **bad)
    with pytest.raises(InvalidInventory, match="is no whole number"):
        hypervisors.report(vcpus=1.5)
    assert inventory.hypervisor("renamed").memory_mb is None
    assert len(inventory.hypervisors()) == 2
    with pytest.raises(NoSuchHypervisor, match="'nobody'"):
        inventory.update_hypervisor("nobody", vcpus=1)


def test_hypervisors_have_the_state_of_their_services(group, url, make):
    sizes = {"vcpus": 32, "memory_mb": 128956, "cpu_info": {"vendor": "Intel"}, "pci_stats": []}
    first = group.inventory.create_hypervisor(hypervisor_hostname="otccloud06", **sizes)
    group.inventory.create_hypervisor(hypervisor_hostname="h2.example.org", host="h2")
    group.inventory.create_hypervisor(hypervisor_hostname="h3", host="elsewhere")
    make(url, **STILL).join("compute", "otccloud06", name="nova-compute")
    make(url, host="h2", **STILL).join("compute", "some-id", name="nova-compute")
    group.services.disable("compute", "some-id", "new memory")
    up, disabled, alone = group.hypervisors.list()
    assert up.hypervisor == first
    assert (first.vcpus, first.cpu_info, first.pci_stats) == (32, {"vendor": "Intel"}, [])
    assert first.free_disk_gb is None
    assert (up.state, up.status, up.disabled_reason) == (State.UP, "enabled", None)
    assert (up.service_id, up.service_uuid) != (None, None)
    assert (disabled.state, disabled.status) == (State.UP, "disabled")
    assert disabled.disabled_reason == "new memory"
    assert (alone.state, alone.status, alone.service_id) == (State.DOWN, "enabled", None)
    assert alone.reason == "no service of group 'compute' is known on host 'elsewhere'"
    group.services.force_down("compute", "otccloud06", "fenced")
    for ident in (first.id, str(first.id), first.uuid, "otccloud06"):
        one = group.hypervisors.get(ident)
        assert one.hypervisor == first
        assert one.state is State.DOWN
        assert "fenced" in one.reason
    with pytest.raises(EntryExists, match=f"with uuid {first.uuid}"):
        group.inventory.create_hypervisor(hypervisor_hostname="otccloud06")
    group.inventory.delete_hypervisor("otccloud06")
    for ask in (group.inventory.delete_hypervisor, group.hypervisors.get):
        with pytest.raises(NoSuchHypervisor, match="'otccloud06'"):
            ask("otccloud06")
    with pytest.raises(InvalidInventory, match="vcpus 'many' cannot be"):
        group.inventory.create_hypervisor(hypervisor_hostname="h9", vcpus="many")


def test_a_number_that_no_id_is_written_as_may_be_a_name(group):
    create, find = group.inventory.create_hypervisor, group.inventory.hypervisor
    first = create(hypervisor_hostname="h1")
    node = group.inventory.create_node(driver="ipmi")
    for ident in (
        f"0{first.id}",
        f"{first.id} ",
        f"{first.uuid} ",
        "1" * 5000,
        "٣",
        "\udcff",
        "\0",
    ):
        assert find(ident) is None, ident
        assert group.inventory.node(ident) is None
    for ident in (f"{node.uuid} ", "\udcff", "a\0b"):
        assert group.inventory.node(ident) is None
        with pytest.raises(NoSuchNode):
            group.inventory.nodes(Query(marker=ident))
    zero = create(hypervisor_hostname=f"0{first.id}")
    other = create(hypervisor_hostname=str(first.id))
    assert find(f"0{first.id}") == zero
    assert find(str(first.id)) == first  # ids first, and no other way to it is taken away
    assert find(other.uuid) == other


def test_without_a_database_there_is_no_inventory(make):
    group = make(None, driver="memory")
    with pytest.raises(ConfigurationError, match=r"\[servicegroup_database\] connection"):
        group.conductors.nodes()


def test_an_inventory_of_ones_own_is_not_written():
    inventory: Inventory = MemoryInventory(list)
    for write in (inventory.create_node, inventory.create_hypervisor):
        with pytest.raises(NotSupported, match="kept by the service itself"):
            write(driver="x")
    for change in (
        inventory.update_node,
        inventory.update_hypervisor,
        inventory.report_hypervisor,
        inventory.delete_node,
        inventory.delete_hypervisor,
    ):
        with pytest.raises(NotSupported, match="kept by the service itself"):
            change("x")
