"""The nodes of one conductor among all of them, in each database."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

from benchmarks.figures import Figure
from benchmarks.pace import Pace
from benchmarks.places import Place, kind
from benchmarks.placing.ring import hosts
from servicegroup import ServiceGroup, config, schema
from servicegroup.inventory import Node, Query

DATABASES = ("sqlite", "postgresql", "mariadb")
LIMIT = 1000
_DRIVER = {"drivers": ["ipmi"], "conductor_group": ""}


def figures(name: str, uuids: Sequence[str], pace: Pace) -> Iterator[Figure]:
    """Measure in the database of that name, on a server of its own."""
    with kind(name).serve() as place, contextlib.ExitStack() as stack:
        schema.upgrade(_configuration(place))
        fleet = stack.enter_context(ServiceGroup(_configuration(place)))
        observer = stack.enter_context(ServiceGroup(_configuration(place)))
        begin = time.perf_counter()
        observer.inventory.add_nodes([Node(one, driver="ipmi") for one in uuids])
        size, filled = len(uuids), time.perf_counter() - begin
        yield Figure(f"import of all nodes, {name}", size, filled)
        for host in hosts():
            fleet.join("ironic-conductor", host, attributes=_DRIVER, wait=False)
        conductors = observer.conductors
        while len(conductors.list()) < len(hosts()):
            time.sleep(0.1)
        host = hosts()[500]
        first = Query(limit=LIMIT)
        works = {
            "first page, with a look": lambda: conductors.nodes_of(host, first),
        }
        looked = pace.medians(works)
        with conductors.follow():
            page = conductors.nodes_of(host, first)
            count = conductors.count_of(host)
            assert len(page.nodes) == min(count, LIMIT)
            assert (page.next is None) == (count <= LIMIT)
            followed = pace.medians(
                {
                    "first page": lambda: conductors.nodes_of(host, first),
                    "number of nodes": lambda: conductors.count_of(host),
                    "one node": lambda: conductors.for_node(uuids[size // 2]),
                }
            )
            generation = conductors.generation
            fleet.leave("ironic-conductor", host)
            while conductors.generation == generation:
                time.sleep(0.05)
            moved = conductors.moved(generation)
            assert len(moved) == count
            followed |= pace.medians({"nodes that moved": lambda: conductors.moved(generation)})
        note = f"{len(page.nodes):,} of {count:,}"
        for operation, seconds in {**followed, **looked}.items():
            told = note if "page" in operation else ""
            yield Figure(f"{operation}, {name}", size, seconds, note=told)


def _configuration(place: Place) -> config.cfg.ConfigOpts:
    return place.configuration(report_interval=600.0, service_down_time=6000.0)
