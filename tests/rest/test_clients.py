"""The unmodified clients of Vitrage, Ironic and Nova against our server, as operators run them."""

import json
import os
import signal

import pytest
from program.api import Api
from program.cli import HOST, Cli
from program.clients import FOLDER, Clients
from program.stores import OTHERS, settings
from servers.fixtures import requirements

from servicegroup import schema


@pytest.fixture(scope="module")
def clients(api, tmp_path_factory):
    with requirements():
        return Clients(api.url, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def fleet(service_group, api, until):
    """A worker of Vitrage, a conductor with three nodes, a compute host with a hypervisor."""
    service_group.join("vitrage", "w0", name="ApiWorker_worker_0")
    service_group.conductors.join(hostname="c1", drivers=["ipmi"])
    service_group.join("compute", "node-17", name="nova-compute")
    for number in range(3):
        service_group.inventory.create_node(driver="ipmi", name=f"n{number}")
    for number in (1, 2):
        service_group.inventory.create_hypervisor(
            hypervisor_hostname=f"hv{number}.example.org", host="node-17", hypervisor_type="QEMU"
        )
    until(lambda: len(api.get("/v1/service").body) == 3)
    return service_group


@pytest.mark.parametrize(
    "how",
    [
        ("--os-auth-type", "none"),
        ("--os-auth-type", "vitrage-noauth", "--user-id", "u1", "--project-id", "p1"),
    ],
)
def test_vitrage_service_list(clients, fleet, how):
    done = clients.vitrage("service", "list", "-f", "json", how=how)
    assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads(done.stdout)
    assert [list(row) for row in rows] == [["Name", "Process Id", "Hostname", "Created At"]] * 3
    first = rows[0] | {"Created At": ...}
    assert first == {
        "Name": "ApiWorker_worker_0",
        "Process Id": os.getpid(),
        "Hostname": HOST,
        "Created At": ...,
    }


def test_openstack_lists_and_shows(clients, fleet):
    uuid = fleet.services.get("compute", "node-17").uuid
    name = "hv1.example.org"
    ident = fleet.inventory.hypervisor(name).uuid
    answers = clients.documents(
        "rca service list",
        "baremetal conductor list --sort hostname:desc",
        "baremetal conductor list --long",
        "baremetal conductor list --fields hostname alive --limit 1",
        "baremetal conductor show c1",
        "baremetal node list --conductor c1 --limit 0",
        "baremetal node list --long",
        "baremetal node list --fields uuid conductor",
        "baremetal node show n1",
        "compute service list --long",
        "compute service list --host node-17 --service nova-compute",
        "hypervisor list",
        "hypervisor list --long --matching hv1",
        "hypervisor list --limit 1",
        f"hypervisor show {name}",
        f"hypervisor show {ident}",
    )
    rca, conductors, long, fields, conductor, *answers = answers
    of_conductor, detailed, computed, node, *answers = answers
    services, filtered, hypervisors, matching, paged, by_name, by_uuid = answers
    assert rca[0]["Name"] == "ApiWorker_worker_0"
    assert conductors == [{"hostname": "c1", "conductor_group": "", "alive": True}]
    assert long[0]["drivers"] == ["ipmi"]
    assert fields == [{"hostname": "c1", "alive": True}]
    assert (conductor["alive"], conductor["nodes"]["count"]) == (True, 3)
    assert conductor["last_seen"]
    assert {row["name"] for row in of_conductor} == {"n0", "n1", "n2"}
    assert {row["conductor"] for row in detailed} == {"c1"}
    assert {row["conductor"] for row in computed} == {"c1"}
    assert (node["name"], node["conductor"]) == ("n1", "c1")
    (mine,) = [row for row in services if row["Host"] == "node-17"]
    assert mine | {"Updated At": ...} == {
        "ID": uuid,
        "Binary": "nova-compute",
        "Host": "node-17",
        "Zone": "nova",
        "Status": "enabled",
        "State": "up",
        "Updated At": ...,
        "Disabled Reason": None,
        "Forced Down": False,
    }
    assert [row["ID"] for row in filtered] == [uuid]
    assert {row["State"] for row in hypervisors} == {"up"}
    assert [row["Hypervisor Hostname"] for row in matching] == [name]
    assert len(paged) == 2  # it follows the pages
    assert by_name == by_uuid
    assert (by_name["state"], by_name["status"], by_name["service_id"]) == ("up", "enabled", uuid)


def test_openstack_changes(clients, fleet, join, api):
    join("compute", "gone", name="nova-compute")
    uuid = fleet.services.get("compute", "gone").uuid
    which = "node-17 nova-compute"
    listing = "compute service list --host node-17 -f value -c Status -c State"
    done = clients.openstack(
        f"compute service set --disable --disable-reason memory {which}",
        listing,
        f"compute service set --down {which}",
        listing,
        "hypervisor show hv1.example.org -f value -c state -c status",
        f"compute service set --enable --up {which}",
        listing,
        f"compute service delete {uuid}",
        "baremetal node create --driver ipmi --name n9 -f value -c conductor",
        "baremetal node delete n9",
        "baremetal conductor show nobody",
    )
    assert [line for line in done.stdout.splitlines() if line] == [
        *("disabled up", "disabled down", "down", "disabled", "enabled up"),
        *("c1", "Deleted node n9"),
    ]
    assert done.stderr.startswith("Conductor nobody could not be found. (HTTP 404)")
    assert not fleet.is_up("compute", "gone")


SDK = """
import json, sys, openstack
conn = openstack.connect(
    auth_type="none", endpoint=sys.argv[1], compute_endpoint_override=sys.argv[1] + "/v2.1",
    baremetal_endpoint_override=sys.argv[1] + "/v1", compute_api_version="2.1"
)
(service,) = conn.compute.services(host="node-17")
print(json.dumps({
    "conductors": [(one.hostname, one.alive) for one in conn.baremetal.conductors()],
    "conductor": conn.baremetal.get_conductor("c1").hostname,
    "nodes": sorted(one.name for one in conn.baremetal.nodes(details=True, conductor="c1")),
    "service": (service.binary, service.state),
    "disabled": conn.compute.disable_service(service, "node-17", "nova-compute", "x").status,
    "enabled": conn.compute.enable_service(service, "node-17", "nova-compute").status,
    "hypervisors": [one.state for one in conn.compute.hypervisors(details=True)],
}))
"""


def test_openstacksdk(clients, fleet):
    done = clients.run("python", "-W", "ignore", "-c", SDK, clients.url)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "conductors": [["c1", True]],
        "conductor": "c1",
        "nodes": ["n0", "n1", "n2"],
        "service": ["nova-compute", "up"],
        "disabled": "disabled",
        "enabled": "enabled",
        "hypervisors": ["up", "up"],
    }


def test_a_client_that_insists_is_told_the_versions(clients, fleet):
    done = clients.openstack("baremetal conductor list", env={"OS_BAREMETAL_API_VERSION": "1.60"})
    assert "Supported version range is 1.1 to 1.49" in done.stderr, done.stderr


@pytest.mark.parametrize("server", OTHERS)
def test_each_family_in_another_store(tmp_path, request, until, server):
    cli = Cli(tmp_path)
    request.addfinalizer(cli.end)
    schema.upgrade(cli.conf())
    env = settings(request.getfixturevalue(server)) | {"OS_SERVICEGROUP__GUARDIAN": "false"}
    daemons = {}
    for group, member, *further in (
        ("vitrage", "w0"),
        ("ironic-conductor", "c1", "--attribute", 'drivers=["ipmi"]'),
        ("compute", "h1", "--name", "nova-compute"),
        ("compute", "h2", "--name", "nova-compute"),
    ):
        where = ["--group", group, "--member", member, *further]
        daemons[member] = cli.start("run", *where, "--", "sleep", "600", env=env)
    api = Api(cli, env=env)
    until(lambda: len(api.get("/v1/service").body) == 4, 60)
    os.killpg(daemons["h2"].pid, signal.SIGKILL)

    def states():
        rows = api.get("/v2.1/os-services?binary=nova-compute").body["services"]
        return {row["host"]: row["state"] for row in rows}

    until(lambda: states() == {"h1": "up", "h2": "down"}, 60)
    until(lambda: len(api.get("/v1/service").body) == 3)
    with requirements():
        clients = Clients(api.url, tmp_path)
    running, conductors, services = clients.documents(
        "rca service list", "baremetal conductor list", "compute service list"
    )
    assert [row["Name"] for row in running] == ["nova-compute", "sleep", "sleep"]
    assert [row["alive"] for row in conductors] == [True]
    assert {row["Host"]: row["State"] for row in services} == {
        "w0": "up",
        "c1": "up",
        "h1": "up",
        "h2": "down",
    }


def test_the_clients_are_the_packages_of_the_index():
    assert {path.name for path in FOLDER.glob("bin/*")} >= {"vitrage", "openstack", "baremetal"}
