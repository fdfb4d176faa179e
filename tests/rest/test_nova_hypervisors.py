"""Nova's os-hypervisors over HTTP, by microversion, and the extension of its older API."""

import pytest
from program.api import Api

LATEST = {"OpenStack-API-Version": "compute latest"}
PATH = "/v2.1/os-hypervisors"
UPTIME = " 17:01:59 up 16 days, 2:54, 1 user, load average: 0.01, 0.04, 0.05"
NOBODY = "00000000-0000-0000-0000-000000000007"


def at(version):
    return {"OpenStack-API-Version": f"compute {version}"}


def get(api, path=PATH, headers=LATEST, status=200):
    answer = api.get(path, **headers)
    assert answer.status == status, answer.raw
    return answer.body if status == 200 else answer.message


@pytest.fixture(scope="module")
def fleet(service_group, api):
    """Three hypervisors: one up, one forced down and disabled, one without a service."""
    for host in ("a", "b"):
        service_group.join("compute", host, name="nova-compute", attributes={"uptime": UPTIME})
    service_group.services.disable("compute", "b", "new memory")
    service_group.services.force_down("compute", "b")
    for host in ("a", "b", "c"):
        service_group.inventory.create_hypervisor(
            hypervisor_hostname=f"{host}.example.org",
            host=host,
            hypervisor_type="QEMU",
            hypervisor_version=1000000,
            host_ip="192.0.2.1",
            vcpus=32,
            memory_mb=1000,
            cpu_info={"vendor": "Intel"},
            pci_stats=[],
        )
    return service_group


def test_the_list(api, fleet):
    rows = get(api)["hypervisors"]
    assert [{**row, "id": len(row["id"])} for row in rows] == [
        {"id": 36, "hypervisor_hostname": f"{host}.example.org", "state": state, "status": status}
        for host, state, status in (
            *(("a", "up", "enabled"), ("b", "down", "disabled"), ("c", "down", "enabled")),
        )
    ]


def test_details_and_one(api, fleet):
    rows = get(api, f"{PATH}/detail")["hypervisors"]
    record = fleet.services.get("compute", "b")
    shown = {**rows[1], "id": ...}
    assert shown == {
        "id": ...,
        "hypervisor_hostname": "b.example.org",
        "state": "down",
        "status": "disabled",
        "hypervisor_type": "QEMU",
        "hypervisor_version": 1000000,
        "host_ip": "192.0.2.1",
        "service": {"id": record.uuid, "host": "b", "disabled_reason": "new memory"},
        "uptime": None,
    }
    assert (rows[0]["service"]["disabled_reason"], rows[0]["uptime"]) == (None, UPTIME)
    for row in rows:
        assert get(api, f"{PATH}/{row['id']}")["hypervisor"] == row


def test_what_old_versions_are_shown(api, fleet):
    record = fleet.services.get("compute", "a").record
    (first, *_) = get(api, f"{PATH}/detail", at("2.87"))["hypervisors"]
    assert (first["vcpus"], first["cpu_info"]) == (32, {"vendor": "Intel"})
    assert "uptime" not in first
    (first, *_) = get(api, f"{PATH}/detail", at("2.27"))["hypervisors"]
    assert first["cpu_info"] == '{"vendor": "Intel"}'
    assert isinstance(first["id"], int)
    assert first["service"]["id"] == record.id
    assert get(api, f"{PATH}/{first['id']}", at("2.27"))["hypervisor"] == first
    assert get(api, f"{PATH}/x", at("2.27"), 404) == "Hypervisor with ID 'x' could not be found."


def test_pages(api, fleet):
    rows, path = [], f"{PATH}?limit=2"
    body = get(api, path)
    rows += body["hypervisors"]
    (link,) = body["hypervisors_links"]
    assert link["rel"] == "next"
    body = get(api, link["href"].removeprefix(api.url))
    assert "hypervisors_links" not in body
    assert [*rows, *body["hypervisors"]] == get(api)["hypervisors"]
    assert get(api, f"{PATH}?marker={body['hypervisors'][-1]['id']}")["hypervisors"] == []
    assert len(get(api, f"{PATH}?limit=1", at("2.32"))["hypervisors"]) == 3  # no pages yet
    assert len(get(api, f"{PATH}?limit=0")["hypervisors"]) == 3


def test_a_pattern(api, fleet):
    for where in ("", "/detail"):
        body = get(api, f"{PATH}{where}?hypervisor_hostname_pattern=b.ex")
        assert [row["hypervisor_hostname"] for row in body["hypervisors"]] == ["b.example.org"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("?marker=x", 400, "marker [x] not found"),
        ("?limit=x", 400, "Value: x."),
        ("?limit=-1", 400, "Value: -1."),
        ("?bogus=1", 400, "bogus"),
        ("?hypervisor_hostname_pattern=zz", 404, "No hypervisor matching 'zz' could be found."),
        ("?hypervisor_hostname_pattern=a&limit=1", 400, "Paging over hypervisors"),
        ("/a.example.org", 400, "Invalid uuid a.example.org"),
        (f"/{NOBODY}", 404, f"Hypervisor with ID '{NOBODY}' could not be found."),
        ("?with_servers=perhaps", 400, "'perhaps' is neither true nor false"),
        ("/statistics", 404, "The resource could not be found."),
        (f"/{NOBODY}/uptime", 404, "The resource could not be found."),
        ("/a/search", 404, "The resource could not be found."),
        ("/a/servers", 404, "The resource could not be found."),
    ],
)
def test_wrong_questions(api, fleet, path, status, words):
    assert words in get(api, PATH + path, status=status)


def test_statistics_are_of_those_that_are_enabled(api, fleet):
    for version in ("2.1", "2.87"):
        sums = get(api, f"{PATH}/statistics", at(version))["hypervisor_statistics"]
        shown = {name: number for name, number in sums.items() if number}
        assert shown == {"count": 1, "vcpus": 32, "memory_mb": 1000}
        assert len(sums) == 12


def test_search_by_name_before_2_53(api, fleet):
    listed = get(api, PATH, at("2.52"))["hypervisors"]
    for what in ("search", "servers"):
        assert get(api, f"{PATH}/b.ex/{what}", at("2.52"))["hypervisors"] == [listed[1]]
        words = get(api, f"{PATH}/zz/{what}", at("2.52"), 404)
        assert words == "No hypervisor matching 'zz' could be found."


def test_uptime_before_2_88(api, fleet):
    for version in ("2.52", "2.87"):
        up, down, without = get(api, PATH, at(version))["hypervisors"]
        assert get(api, f"{PATH}/{up['id']}/uptime", at(version)) == {
            "hypervisor": up | {"uptime": UPTIME}
        }
        for one, host in ((down, "b"), (without, "c")):
            words = get(api, f"{PATH}/{one['id']}/uptime", at(version), 400)
            assert words == f"Compute service of {host} is unavailable at this time."
    assert get(api, f"{PATH}/x/uptime", at("2.87"), 400) == "Invalid uuid x"
    fleet.membership("compute", "a").update({})
    answer = api.get(f"{PATH}/{up['id']}/uptime", **at("2.87"))
    assert (answer.status, list(answer.body)) == (501, ["computeFault"])
    assert answer.message == "The host a publishes no attribute uptime"
    assert get(api, f"{PATH}/{up['id']}")["hypervisor"]["uptime"] is None
    fleet.membership("compute", "a").update({"uptime": UPTIME})


def test_servers_of_which_none_are_known(api, fleet):
    query = "?with_servers=true"
    for version, servers in (("2.74", None), ("2.75", []), ("latest", [])):
        rows = get(api, PATH + query, at(version))["hypervisors"]
        assert [row.get("servers") for row in rows] == [servers] * 3


def test_aggregates_there_are_none(api):
    assert get(api, "/v2.1/os-aggregates") == {"aggregates": []}


def test_the_extension_of_the_older_api(api, fleet):
    (extension,) = get(api, "/v2/t1/extensions")["extensions"]
    assert (extension["alias"], extension["name"], extension["namespace"]) == (
        "os-hypervisor-status",
        "HypervisorStatus",
        "http://docs.openstack.org/compute/ext/hypervisor_status/api/v1.1",
    )
    assert get(api, "/v2/t1/extensions/os-hypervisor-status") == {"extension": extension}
    get(api, "/v2/t1/extensions/os-other", status=404)
    (_, second, _) = get(api, "/v2/t1/os-hypervisors")["hypervisors"]
    assert (second["state"], second["status"]) == ("down", "disabled")
    one = get(api, f"/v2/t1/os-hypervisors/{second['id']}")["hypervisor"]
    assert one["os-pci:pci_stats"] == []
    assert one["service"]["disabled_reason"] == "new memory"
    (_, detailed, _) = get(api, "/v2/t1/os-hypervisors/detail")["hypervisors"]
    assert one == detailed | {"os-pci:pci_stats": []}


def test_without_the_extension_its_fields_are_gone(cli, fleet):
    api = Api(cli, env={"OS_SERVICEGROUP_API__HYPERVISOR_STATUS_EXTENSION": "false"})
    assert get(api, "/v2/t1/extensions") == {"extensions": []}
    get(api, "/v2/t1/extensions/os-hypervisor-status", status=404)
    (first, *_) = get(api, "/v2/t1/os-hypervisors/detail")["hypervisors"]
    assert not {"state", "status"} & set(first)
    assert sorted(first["service"]) == ["host", "id"]
    (first, *_) = get(api)["hypervisors"]
    assert first["state"] == "up"  # the newer API has them always
    api.stop()
