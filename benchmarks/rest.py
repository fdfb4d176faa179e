"""The REST faces over real HTTP, beside the same listing in Python."""

from __future__ import annotations

import contextlib
import http.client
import textwrap
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa

from benchmarks.figures import BARE, Figure
from benchmarks.pace import Pace
from benchmarks.places import GROUP, Place, kind, member_id
from benchmarks.table import table
from benchmarks.targets import missed
from servicegroup import ServiceGroup, rest
from servicegroup.rest.server import Server

NAME = "rest"
SIZE = 10_000
CONDUCTOR = "conductor-1"
NOVA = {"OpenStack-API-Version": "compute latest"}
IRONIC = {"X-OpenStack-Ironic-API-Version": "1.49"}
#: Seconds for one request.
PATIENCE = 60.0

_WORDS = """\
A cheroot server answers one client on loopback over a connection that stays; both are threads of
one process, so that they share one core's worth of Python, and the members are in SQLite. Beside
it, in place of a bare client, the same listing in Python (`get_members`, `roster.list`,
`hypervisors.list`) and msgspec encoding the answer. `/v1/service/` and conductors come out of
watches. All {size:,} hypervisors in detail come in one answer, for which the database is asked
twice, or the run fails.
"""


class Client:
    """Asks over one connection, and counts nothing but the time until the whole answer is there."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        assert where.hostname is not None
        self._connection = http.client.HTTPConnection(where.hostname, where.port, timeout=PATIENCE)

    def get(self, path: str, headers: dict[str, str]) -> bytes:
        self._connection.request("GET", path, headers=headers)
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return body

    def close(self) -> None:
        self._connection.close()


def section(size: int, pace: Pace) -> str:
    """Measure, and return the part of the page."""
    with kind("sqlite").serve() as place:
        figures = list(_figures(place, size, pace))
    failed = list(dict.fromkeys(missed(figures, NAME)))
    verdict = f"Missed: {'; '.join(failed)}." if failed else "All targets are reached."
    words = _WORDS.format(size=size).replace("\n", " ")
    drawn = table(figures, NAME).replace(BARE, "in Python".ljust(len(BARE)), 1)
    return (
        f"## REST faces\n\n{textwrap.fill(words, 100)}\n\n{drawn}\n\n"
        f"{textwrap.fill(verdict, 100)}\n"
    )


def _figures(place: Place, size: int, pace: Pace) -> Iterator[Figure]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.closing(place.fleet())).set_size(size)
        conf = place.configuration(report_interval=600.0)
        service_group = stack.enter_context(ServiceGroup(conf))
        service_group.conductors.join(hostname=CONDUCTOR, drivers=["ipmi"])
        for number in range(size):
            name = member_id(number)
            service_group.inventory.create_hypervisor(hypervisor_hostname=name, host=name)
        client = stack.enter_context(_served(service_group, size))
        listings: dict[str, tuple[dict[str, str], Callable[[], Any]]] = {
            "/v1/service/": ({}, lambda: service_group.get_members(GROUP)),
            "/v2.1/os-services": (NOVA, lambda: service_group.roster.list(left=True)),
            "/v2.1/os-hypervisors/detail": (NOVA, service_group.hypervisors.list),
        }
        for path, (headers, listing) in listings.items():
            queries, body = _counted(client, path, headers)
            rows = body if isinstance(body, list) else next(iter(body.values()))
            assert len(rows) >= size, path
            assert "hypervisors" not in path or queries == 2, queries
            note = f"{queries} queries" if queries > 1 else ""
            taken = pace.medians(_works(client, path, headers, listing, body))
            yield Figure(f"GET {path}", size, taken["ours"], {BARE: taken[BARE]}, note=note)
        path = f"/v1/conductors/{CONDUCTOR}"
        taken = pace.medians({"ours": lambda: client.get(path, IRONIC)})
        yield Figure("GET /v1/conductors/{hostname}", None, taken["ours"])


def _works(
    client: Client, path: str, headers: dict[str, str], listing: Callable[[], Any], body: Any
) -> dict[str, Callable[[], Any]]:
    return {
        "ours": lambda: client.get(path, headers),
        BARE: lambda: (listing(), msgspec.json.encode(body)),
    }


def _counted(client: Client, path: str, headers: dict[str, str]) -> tuple[int, Any]:
    """Ask, and return how many queries that took, and the answer."""
    client.get(path, headers)  # what is asked once only
    queries = []

    def note(*how: Any) -> None:
        if how[2].lstrip().upper().startswith("SELECT "):
            queries.append(how[2])

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        body = msgspec.json.decode(client.get(path, headers))
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    return len(queries), body


@contextlib.contextmanager
def _served(service_group: ServiceGroup, largest: int) -> Iterator[Client]:
    settings = rest.ApiSettings(port=0, max_limit=largest)
    server = Server(rest.application(service_group, settings), settings, 5)
    thread = threading.Thread(target=server.serve, name="benchmark-api")
    thread.start()
    try:
        with contextlib.closing(Client(server.url)) as client:
            yield client
    finally:
        server.stop()
        thread.join()
