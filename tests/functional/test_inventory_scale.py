"""A hundred thousand nodes over a thousand conductors: every page is exact."""

import uuid
import warnings

import pytest

from servicegroup.hashring import HashRing
from servicegroup.inventory import Kind, Node, Query
from servicegroup.positions import Positions
from servicegroup.rings import Rings
from servicegroup.shares import Server

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # futurist imports eventlet where it is, which says it is old
    from tooz.hashring import HashRing as ToozRing

SIZE, CONDUCTORS = 100_000, 1_000
KIND = Kind("", "ipmi")
HOSTS = [f"conductor-{number:04d}" for number in range(CONDUCTORS)]
UUIDS = [str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))) for number in range(SIZE)]


@pytest.fixture(scope="module")
def owners():
    """Who serves each node."""
    return HashRing(HOSTS).map(UUIDS)


def test_a_large_fleet_is_mapped_as_by_tooz(owners):
    """Every fifth node, since tooz takes a second for 20,000; the benchmark compares a million."""
    ring = ToozRing(HOSTS)
    assert owners[::5] == [ring.get_nodes(one.encode()).pop() for one in UUIDS[::5]]
    ours = HashRing(HOSTS)
    assert [ours.hosts[number] for number in Positions.of(UUIDS).owners(ours)] == owners


def test_pages_moves_and_keys_of_a_large_inventory(kind, url, make, owners):
    # One database with all of them: the others have the same ranges, and take longer to fill.
    size = SIZE if kind == "sqlite" else SIZE // 5
    expected = dict(zip(UUIDS[:size], owners, strict=False))
    inventory = make(url, report_interval=600.0, service_down_time=3600.0).inventory
    inventory.add_nodes([Node(one, driver="ipmi") for one in expected])
    rings = Rings([Server(host, "", ("ipmi", "redfish")) for host in HOSTS])
    for host in HOSTS[::250]:
        mine = [one for one, owner in expected.items() if owner == host]
        places = rings.places(host)
        assert inventory.count(Query(places)) == len(mine)
        found: list[str] = []
        while True:
            marker = found[-1] if found else None
            page = inventory.nodes(Query(places, marker=marker, limit=40))
            found += [node.uuid for node in page]
            if len(page) < 40:
                break
        assert found == mine
    dead = HOSTS[500]
    after = Rings(rings.servers - {Server(dead, "", ("ipmi", "redfish"))}, like=rings)
    moves = rings.moves_to(after)
    spans = {kind: [move.span for move in some] for kind, some in moves.items()}
    moved = {node.uuid for node in inventory.nodes(Query(spans))}
    assert moved == {one for one, owner in expected.items() if owner == dead}
    uuids, places = inventory.keys(KIND)
    assert len(uuids) == size
    positions, ring = Positions(places), rings.ring(KIND)
    assert [ring.hosts[number] for number in positions.owners(ring)] == [
        expected[one] for one in uuids
    ]
