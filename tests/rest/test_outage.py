"""A store that hangs, with real members: no family calls anybody dead because nobody can tell."""

import concurrent.futures
import contextlib

import pytest
from program.api import Api
from program.cli import Cli
from program.stores import settings

from servicegroup import ServiceGroup, schema

IRONIC = {"X-OpenStack-Ironic-API-Version": "1.49"}
NOVA = {"OpenStack-API-Version": "compute latest"}
#: Seconds after which nothing that was seen before is answered any more.
DOWN = 3.0


@contextlib.contextmanager
def fleet(cli, env, until):
    """A compute with a hypervisor and a conductor with a node, each a process of its own."""
    with ServiceGroup(cli.conf()) as service_group:
        service_group.inventory.create_hypervisor(hypervisor_hostname="hv", host="h1")
        service_group.inventory.create_node(driver="ipmi", name="n1")
    for group, member, *further in (
        ("compute", "h1", "--name", "nova-compute"),
        ("ironic-conductor", "c1", "--attribute", 'drivers=["ipmi"]'),
    ):
        where = ["--group", group, "--member", member, *further]
        cli.start("run", *where, "--", "sleep", "600", env=env)
    api = Api(cli, env=env)
    until(lambda: len(api.get("/v1/service/").body) == 2, 60)
    yield api


def questions(api):
    """{path: (headers, how to tell from its body that all are up)}."""
    uuid = api.get("/v2.1/os-hypervisors", **NOVA).body["hypervisors"][0]["id"]
    return {
        "/v1/service/": ({}, lambda body: len(body) == 2),
        "/v1/conductors": (IRONIC, lambda body: body["conductors"][0]["alive"]),
        "/v1/conductors/c1": (IRONIC, lambda body: body["alive"]),
        "/v1/nodes/n1/conductor": (IRONIC, lambda body: body["alive"]),
        "/v2.1/os-services": (NOVA, lambda body: {r["state"] for r in body["services"]} == {"up"}),
        "/v2.1/os-hypervisors/detail": (NOVA, lambda body: body["hypervisors"][0]["state"] == "up"),
        f"/v2.1/os-hypervisors/{uuid}": (NOVA, lambda body: body["hypervisor"]["state"] == "up"),
        "/v2/t/os-hypervisors": ({}, lambda body: body["hypervisors"][0]["state"] == "up"),
    }


@pytest.mark.parametrize("kind", ["memcached_server", "postgresql_server"])
def test_nobody_is_called_down_and_then_it_is_503_with_the_reason(tmp_path, request, until, kind):
    server = request.getfixturevalue(kind)()
    cli = Cli(tmp_path)
    request.addfinalizer(cli.end)
    database, env = None, {"OS_SERVICEGROUP__GUARDIAN": "false"}
    if kind == "memcached_server":
        env |= settings(server)
    else:
        database = server.create_database()
    cli.configure(database, service_down_time=DOWN)
    schema.upgrade(cli.conf())
    with fleet(cli, env, until) as api, concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = questions(api)

        def answers():
            """Ask all at once; every answer says that all are up, or why nobody can tell."""
            found = list(pool.map(lambda path: api.get(path, **asked[path][0]), asked))
            for (path, (_, up)), answer in zip(asked.items(), found, strict=True):
                if answer.status == 200:
                    assert up(answer.body), (path, answer.raw)
                else:
                    assert answer.status == 503, (path, answer)
                    assert "tell" in answer.message or "answer" in answer.message, answer.message
            return [answer.status for answer in found]

        assert answers() == [200] * len(asked)
        server.pause()
        try:
            assert api.get("/healthcheck").status == 503  # it hangs, and is known to
            until(lambda: answers() == [503] * len(asked), 60)
        finally:
            server.resume()
        until(lambda: answers() == [200] * len(asked), 60)
