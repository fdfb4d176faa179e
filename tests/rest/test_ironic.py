"""Ironic's conductors and nodes over HTTP, with microversions and pages."""

import concurrent.futures
import datetime
import uuid
from urllib.parse import parse_qsl, urlsplit

import pytest

NEW = {"X-OpenStack-Ironic-API-Version": "1.49"}
OLD = {"X-OpenStack-Ironic-API-Version": "1.48"}
BEGAN = datetime.datetime.now(datetime.UTC).replace(tzinfo=None, microsecond=0)


@pytest.fixture(scope="module")
def fleet(service_group, api, until):
    """Two conductors, 40 nodes that they serve, and one that nobody does."""
    for hostname in ("c1", "c2"):
        service_group.conductors.join(hostname=hostname, drivers=["ipmi", "fake"])
    inventory = service_group.inventory
    for number in range(40):
        inventory.create_node(driver="ipmi", name=f"node-{number}", provision_state="available")
    inventory.create_node(driver="redfish", name="orphan", maintenance=True)
    until(lambda: len(get(api, "/v1/conductors")["conductors"]) == 2)
    return service_group


def get(api, path, headers=NEW, status=200):
    answer = api.get(path, **headers)
    assert answer.status == status, answer.raw
    return answer.body if status == 200 else answer.message


def every(api, path, kind):
    """Follow the pages to their end; each of them has its size."""
    rows, sizes = [], []
    while path:
        body = get(api, path)
        rows += body[kind]
        sizes.append(len(body[kind]))
        path = body.get("next")
        if path:
            assert path.startswith(api.url)
            path = path.removeprefix(api.url)
    return rows, sizes


def test_conductors_in_short(api, fleet):
    body = get(api, "/v1/conductors")
    links = [
        {"href": f"{api.url}/v1/conductors/c1", "rel": "self"},
        {"href": f"{api.url}/conductors/c1", "rel": "bookmark"},
    ]
    first = {"hostname": "c1", "conductor_group": "", "alive": True, "links": links}
    assert body["conductors"][0] == first
    assert [sorted(row) for row in body["conductors"]] == [sorted(first)] * 2
    assert "next" not in body
    assert get(api, "/conductors")["conductors"] == body["conductors"]


def test_a_conductor_in_full(api, fleet):
    body = get(api, "/v1/conductors/c1")
    assert sorted(body) == sorted(
        [
            *("alive", "conductor_group", "created_at", "drivers", "hostname", "last_seen"),
            *("links", "nodes", "updated_at"),
        ]
    )
    assert body["drivers"] == ["fake", "ipmi"]
    seen = datetime.datetime.strptime(body["last_seen"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
    assert BEGAN <= seen <= datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    assert datetime.datetime.fromisoformat(body["created_at"]).tzinfo is not None
    of_c1, _ = every(api, body["nodes"]["href"].removeprefix(api.url), "nodes")
    of_c2, _ = every(api, "/v1/nodes?conductor=c2", "nodes")
    assert body["nodes"]["count"] == len(of_c1) > 0
    assert len(of_c1) + len(of_c2) == 40
    (detailed, _) = get(api, "/v1/conductors?detail=True")["conductors"]
    assert detailed["drivers"] == ["fake", "ipmi"]


def test_fields_and_pages_of_conductors(api, fleet):
    rows, sizes = every(api, "/v1/conductors?fields=HOSTNAME,alive,alive&limit=1", "conductors")
    assert [sorted(row) for row in rows] == [["alive", "hostname", "links"]] * 2
    assert sizes == [1, 1]  # no third, empty page
    backwards = get(api, "/v1/conductors?sort_key=hostname&sort_dir=desc")["conductors"]
    assert [row["hostname"] for row in backwards] == ["c2", "c1"]
    assert [row["hostname"] for row in get(api, "/v1/conductors?marker=c1")["conductors"]] == ["c2"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/v1/conductors?fields=hostname,spongebob", 400, "'spongebob' is not one of ['alive', "),
        ("/v1/conductors?fields=alive&detail=True", 400, "Can not specify ?detail=True and fields"),
        ("/v1/conductors?limit=0", 400, "Limit must be positive"),
        ("/v1/conductors?limit=-1", 400, "Limit must be positive"),
        ("/v1/conductors?limit=abc", 400, "Expected an integer for limit: abc"),
        ("/v1/conductors?sort_key=alive", 400, "The sort_key value"),
        ("/v1/conductors?sort_dir=x", 400, "'x' is not one of ['asc', 'desc']"),
        ("/v1/conductors?detail=maybe", 400, "'maybe' is neither true nor false"),
        ("/v1/conductors?bogus=1", 400, "Unexpected arguments: bogus"),
        ("/v1/conductors?marker=nosuch", 404, "Conductor nosuch could not be found."),
        ("/v1/conductors?marker=a:bad:port", 404, "Conductor a:bad:port could not be found."),
        ("/v1/conductors/nosuch", 404, "Conductor nosuch could not be found."),
        ("/v1/conductors/foo%20bar", 404, "Conductor foo bar could not be found."),
        ("/v1/conductors/host:notaport", 400, "'notaport' is no port"),
        ("/v1/conductors/:8080", 400, "there is no host in it"),
        ("/v1/conductors/%00", 400, "the path holds what no name can"),
        ("/v1/conductors/%ff", 404, "could not be found."),
        (f"/v1/conductors/{'x' * 300}", 400, "use at most 255"),
        ("/v1/nodes?sort_key=conductor", 400, "The sort_key value"),
        ("/v1/nodes?marker=nosuch", 404, "Node nosuch could not be found."),
        ("/v1/nodes/nosuch", 404, "Node nosuch could not be found."),
        ("/v1/nodes/nosuch/conductor", 404, "Node nosuch could not be found."),
        ("/v1/nodes?maintenance=maybe", 400, "'maybe' is neither true nor false"),
        ("/v1/chassis", 404, "/v1/chassis"),
    ],
)
def test_wrong_questions(api, fleet, path, status, words):
    answer = api.get(path, **NEW)
    assert (answer.status, words in answer.message) == (status, True), answer.raw
    assert answer.headers["X-OpenStack-Ironic-API-Maximum-Version"] == "1.49"


def test_without_the_microversion_there_are_no_conductors(api, fleet):
    for headers in (OLD, {}):
        for path in ("/v1/conductors", "/v1/conductors/c1", "/v1/nodes/node-1/conductor"):
            words = get(api, path, headers, 404)
            assert words == "The API is not supported for this version"
        for path in ("/v1/nodes?conductor=c1", "/v1/nodes?fields=conductor"):
            assert "minimal required API version should be 1.49" in get(api, path, headers, 406)
        assert "conductor" not in get(api, "/v1/nodes/detail", headers)["nodes"][0]
    assert "conductor_group" in get(api, "/v1/nodes/detail", OLD)["nodes"][0]


def test_versions_are_negotiated(api):
    for asked, used in (
        ({}, "1.1"),
        (NEW, "1.49"),
        ({"OpenStack-API-Version": "baremetal 1.5"}, "1.5"),
    ):
        headers = api.get("/v1/nodes", **asked).headers
        assert headers["X-OpenStack-Ironic-API-Version"] == used
    latest = api.get("/v1/nodes", **{"X-OpenStack-Ironic-API-Version": "latest"})
    assert latest.headers["X-OpenStack-Ironic-API-Version"] == "1.49"
    for wrong in ("1.115", "1.999", "2.0", "bogus", "1"):
        answer = api.get("/v1/conductors", **{"X-OpenStack-Ironic-API-Version": wrong})
        assert answer.status == 406
        assert answer.headers["X-OpenStack-Ironic-API-Minimum-Version"] == "1.1"
        assert answer.headers["X-OpenStack-Ironic-API-Maximum-Version"] == "1.49"
        assert "X-OpenStack-Ironic-API-Version" not in answer.headers


def test_methods_that_ironic_has_not(api, fleet):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = api(method, "/v1/conductors", {} if method != "DELETE" else None, NEW)
        assert answer.status == 405


def test_where_nodes_show_their_conductor(api, fleet):
    (row, *_) = get(api, "/v1/nodes")["nodes"]
    assert sorted(row) == sorted(
        [
            *("instance_uuid", "links", "maintenance", "name", "power_state"),
            "provision_state",
            "uuid",
        ]
    )
    for path in ("/v1/nodes?detail=true", "/v1/nodes/detail"):
        nodes = {one["name"]: one["conductor"] for one in get(api, path)["nodes"]}
        assert len(nodes) == 41
        assert nodes["orphan"] is None
        assert {nodes[f"node-{number}"] for number in range(40)} == {"c1", "c2"}
    for name, conductor in list(nodes.items())[:3]:
        one = get(api, f"/v1/nodes/{name}")
        assert one["conductor"] == conductor
        assert get(api, f"/nodes/{one['uuid']}?fields=conductor")["conductor"] == conductor
        serving, itself = (
            get(api, path) | {"updated_at": ..., "last_seen": ...}
            for path in (f"/v1/nodes/{name}/conductor", f"/v1/conductors/{conductor}")
        )
        assert serving == itself
    listed = get(api, "/v1/nodes?fields=uuid,conductor")["nodes"]  # Ironic answers 500
    assert sorted(listed[0]) == ["conductor", "links", "uuid"]


def test_an_orphan_says_who_is_missing(api, fleet):
    assert get(api, "/v1/nodes/orphan")["conductor"] is None
    words = get(api, "/v1/nodes/orphan/conductor", status=404)
    assert words.startswith("Node orphan has no conductor: ")
    assert "redfish" in words


def test_the_nodes_of_a_conductor_are_filtered_before_they_are_paged(api, fleet):
    mine = {one["name"] for one in get(api, "/v1/nodes/detail?conductor=c1")["nodes"]}
    everybody = get(api, "/v1/nodes/detail")["nodes"]
    assert mine == {one["name"] for one in everybody if one["conductor"] == "c1"}
    rows, sizes = every(
        api,
        "/v1/nodes?conductor=c1&limit=3&sort_key=name&sort_dir=desc&provision_state=available",
        "nodes",
    )
    assert [row["name"] for row in rows] == sorted(mine, reverse=True)
    assert set(sizes[:-1]) == {3}
    assert get(api, "/v1/nodes?conductor=unknown")["nodes"] == []
    assert [one["name"] for one in get(api, "/v1/nodes?maintenance=true")["nodes"]] == ["orphan"]
    href = get(api, "/v1/nodes?conductor=c1&limit=1")["next"]
    assert dict(parse_qsl(urlsplit(href).query))["conductor"] == "c1"


def test_nodes_are_made_and_removed(api, fleet):
    answer = api("POST", "/v1/nodes", {"driver": "ipmi", "name": "new"}, NEW)
    assert answer.status == 201
    made = answer.body
    assert made["conductor"] in ("c1", "c2")
    assert answer.headers["Location"] == f"{api.url}/v1/nodes/{made['uuid']}"
    assert get(api, "/v1/nodes/new") == made
    for body, words in (
        ({"driver": "ipmi", "name": "new"}, "A node with name new already exists."),
        (
            {"driver": "ipmi", "uuid": made["uuid"]},
            f"A node with UUID {made['uuid']} already exists.",
        ),
        (
            {"driver": "ipmi", "name": made["uuid"]},  # which would be found in its place
            f"A node with name {made['uuid']} already exists.",
        ),
    ):
        answer = api("POST", "/v1/nodes", body, NEW)
        assert (answer.status, answer.message) == (409, words)
    assert api("DELETE", "/v1/nodes/new", headers=NEW).status == 204
    assert api("DELETE", "/v1/nodes/new", headers=NEW).status == 404
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        body = {"driver": "ipmi", "name": "new"}
        answers = [pool.submit(api, "POST", "/v1/nodes", body, NEW) for _ in range(4)]
    assert sorted(one.result().status for one in answers) == [201, 409, 409, 409]
    assert api("DELETE", "/v1/nodes/new", headers=NEW).status == 204
    old = api("POST", "/v1/nodes", {"driver": "ipmi", "name": "new"}, OLD)
    assert "conductor" not in old.body
    assert api("DELETE", f"/v1/nodes/{old.body['uuid']}", headers=OLD).status == 204


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"driver": "ipmi", "conductor": "c1"}, "Cannot set conductor"),
        ({}, "'driver' is a required property"),
        ({"driver": "ipmi", "colour": "red"}, "('colour' was unexpected)"),
        ({"driver": 1}, "Invalid input for field/attribute driver. Value: 1."),
        ({"driver": ""}, "Invalid input for field/attribute driver."),
        ({"driver": "ipmi", "uuid": "x"}, "uuid 'x' is none"),
        ({"driver": "ipmi", "name": "x" * 256}, "Invalid input for field/attribute name."),
        ({"driver": "a\0b"}, "NUL"),
        ([1], "Malformed request body"),
        (b"nonsense", "Malformed request body"),
    ],
)
def test_nodes_that_cannot_be(api, fleet, body, words):
    before = len(get(api, "/v1/nodes")["nodes"])
    answer = api("POST", "/v1/nodes", body, NEW)
    assert (answer.status, words in answer.message) == (400, True), answer.raw
    assert len(get(api, "/v1/nodes")["nodes"]) == before


def test_a_conductor_group_is_found_as_it_was_given(api, fleet):
    made = api("POST", "/v1/nodes", {"driver": "ipmi", "conductor_group": "East"}, NEW).body
    for spelt in ("East", "east"):
        found = get(api, f"/v1/nodes?conductor_group={spelt}")["nodes"]
        assert [one["uuid"] for one in found] == [made["uuid"]]
    assert api("DELETE", f"/v1/nodes/{made['uuid']}", headers=NEW).status == 204


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_does_not_say_that_it_is_json_is_refused(api, fleet, kind):
    """As browsers send them for any page, without asking us whether that one may."""
    headers = NEW | {"Content-Type": kind}
    answer = api("POST", "/v1/nodes", {"driver": "ipmi", "name": "forged"}, headers)
    assert (answer.status, "send application/json" in answer.message) == (415, True), answer.raw
    assert api.get("/v1/nodes/forged", **NEW).status == 404


def test_a_conductor_that_dies_serves_nothing(api, fleet, service_group, until):
    third = service_group.conductors.join(hostname=f"c-{uuid.uuid4()}", drivers=["fake"])
    hostname = third.member.member_id
    until(lambda: api.get(f"/v1/conductors/{hostname}", **NEW).status == 200)
    made = api("POST", "/v1/nodes", {"driver": "ipmi"}, NEW).body
    service_group.services.force_down("ironic-conductor", hostname)
    until(lambda: get(api, f"/v1/conductors/{hostname}")["alive"] is False)
    assert get(api, f"/v1/nodes?conductor={hostname}")["nodes"] == []
    api("DELETE", f"/v1/nodes/{made['uuid']}", headers=NEW)
    service_group.roster.delete("ironic-conductor", hostname)
