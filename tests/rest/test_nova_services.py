"""Nova's os-services over HTTP: every rule and error that its clients know."""

import datetime
import uuid

import pytest

LATEST = {"OpenStack-API-Version": "compute latest"}
#: Before services had uuids.
OLD = {"X-OpenStack-Nova-API-Version": "2.52"}
PATH = "/v2.1/os-services"
NOBODY = str(uuid.UUID(int=7))
BEGAN = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


@pytest.fixture
def services(api):
    """Ask for the list."""

    def services(query="", headers=LATEST):
        answer = api.get(f"{PATH}{query}", **headers)
        assert answer.status == 200, answer.raw
        return answer.body["services"]

    return services


@pytest.fixture
def compute(join, services):
    """The service of a compute host, as listed."""
    join("compute", "node-1", name="nova-compute")
    (row,) = services("?host=node-1")
    return row


def test_a_service_as_nova_shows_it(compute, service_group):
    record = service_group.services.get("compute", "node-1")
    shown = dict(compute)
    when = datetime.datetime.strptime(shown.pop("updated_at"), "%Y-%m-%dT%H:%M:%S.%f")  # noqa: DTZ007
    assert BEGAN <= when <= datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    assert shown == {
        "id": record.uuid,
        "binary": "nova-compute",
        "host": "node-1",
        "zone": "nova",
        "status": "enabled",
        "state": "up",
        "disabled_reason": None,
        "forced_down": False,
    }


def test_fields_follow_the_microversion(compute, services, service_group):
    (old,) = services("?host=node-1", {"OpenStack-API-Version": "compute 2.52"})
    assert old["id"] == service_group.services.get("compute", "node-1").record.id
    assert old["forced_down"] is False
    (first,) = services("?host=node-1", {})
    assert "forced_down" not in first


def test_filters_and_zones(join, services):
    join("compute", "a", name="nova-compute", attributes={"availability_zone": "east"})
    join("conductor", "a", name="nova-conductor")
    join("api", "a", name="nova-osapi_compute")
    found = {(row["binary"], row["host"]): row["zone"] for row in services()}
    assert found == {("nova-compute", "a"): "east", ("nova-conductor", "a"): "internal"}
    assert [row["binary"] for row in services("?binary=nova-conductor&host=a")] == [
        "nova-conductor"
    ]
    assert services("?host=a&host=b") == []  # the last one wins
    assert services("?host=b&host=a&binary=") != []


def test_unknown_parameters_are_refused_from_2_75(api):
    assert api.get(f"{PATH}?x=1", **{"OpenStack-API-Version": "compute 2.74"}).status == 200
    assert api.get(f"{PATH}?x=1", **LATEST).status == 400


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ({"status": "disabled"}, {"status": "disabled", "disabled_reason": None}),
        (
            {"status": "disabled", "disabled_reason": "memory"},
            {"status": "disabled", "disabled_reason": "memory"},
        ),
        ({"forced_down": True}, {"forced_down": True, "state": "down"}),
        ({"forced_down": "Yes"}, {"forced_down": True, "state": "down"}),
        (
            {"status": "disabled", "forced_down": "true"},
            {"status": "disabled", "forced_down": True, "state": "down"},
        ),
        ({"status": "enabled", "forced_down": "off"}, {}),
    ],
)
def test_a_change_is_answered_and_listed(api, compute, services, body, changed):
    wanted = {**compute, **changed, "updated_at": ...}
    for _ in range(2):  # again is as good
        answer = api("PUT", f"{PATH}/{compute['id']}", body, LATEST)
        assert answer.status == 200, answer.raw
        assert {**answer.body["service"], "updated_at": ...} == wanted
    (row,) = services("?host=node-1")
    assert {**row, "updated_at": ...} == wanted


def test_disabling_without_a_reason_clears_the_old_one(api, compute):
    path = f"{PATH}/{compute['id']}"
    assert api("PUT", path, {"status": "disabled", "disabled_reason": "x"}, LATEST).status == 200
    answer = api("PUT", path, {"status": "disabled"}, LATEST)
    assert answer.body["service"]["disabled_reason"] is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "No updates were requested. Fields 'status' or 'forced_down' should be specified."),
        ({"disabled_reason": "x"}, "No updates were requested."),
        (
            {"status": "enabled", "disabled_reason": "x"},
            "Specifying 'disabled_reason' with status 'enabled' is invalid.",
        ),
        ({"status": "up"}, "Invalid input for field/attribute status. Value: up. 'up' is not one"),
        ({"a": 1}, "Additional properties are not allowed ('a' was unexpected)"),
        ({"forced_down": 1}, "Invalid input for field/attribute forced_down. Value: 1."),
        ({"forced_down": "maybe"}, "Invalid input for field/attribute forced_down."),
        ({"status": "disabled", "disabled_reason": "x" * 256}, "disabled_reason. Value: xxx"),
        ({"status": "disabled", "disabled_reason": ""}, "field/attribute disabled_reason"),
        ({"status": "disabled", "disabled_reason": "a\0b"}, "holds a NUL character"),
        ({"status": None}, "Invalid input for field/attribute status. Value: None."),
        ([], "Malformed request body"),
        (b"{", "Malformed request body"),
        (b"\xff", "Malformed request body"),
        (b"[" * 20000, "Malformed request body"),
        (b"", "Malformed request body"),
        (b'{"disabled_reason": "\\ud800", "status": "disabled"}', ""),
    ],
)
def test_a_wrong_body_changes_nothing(api, compute, services, body, words):
    answer = api("PUT", f"{PATH}/{compute['id']}", body, LATEST)
    assert answer.status == 400, answer.raw
    assert answer.body["badRequest"]["code"] == 400
    assert words in answer.message
    (row,) = services("?host=node-1")
    assert {**row, "updated_at": ...} == {**compute, "updated_at": ...}


def test_a_large_body_is_refused(api, compute):
    body = b'{"status": "disabled", "disabled_reason": "' + b"x" * 200_000 + b'"}'
    answer = api("PUT", f"{PATH}/{compute['id']}", body, LATEST)
    assert (answer.status, list(answer.body)) == (413, ["overLimit"])
    chunks = (b"x" * 60_000 for _ in range(4))
    answer = api(
        "PUT",
        f"{PATH}/{compute['id']}",
        headers=LATEST | {"Transfer-Encoding": "chunked"},
        body=b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in chunks) + b"0\r\n\r\n",
    )
    assert answer.status == 413


def test_services_that_cannot_be_changed_or_found(api, join, services):
    join("conductor", "node-1", name="nova-conductor")
    (row,) = services("?binary=nova-conductor")
    for method, ident, status, message in (
        (
            *("PUT", row["id"], 400),
            "Updating a nova-conductor service is not supported. Only nova-compute services can "
            "be updated.",
        ),
        ("PUT", NOBODY, 404, f"Service {NOBODY} could not be found."),
        ("PUT", "1", 400, "Invalid uuid 1"),
        ("DELETE", "1", 400, "Invalid uuid 1"),
        ("DELETE", NOBODY, 404, f"Service {NOBODY} could not be found."),
    ):
        body = {"status": "disabled"} if method == "PUT" else None
        answer = api(method, f"{PATH}/{ident}", body, LATEST)
        assert (answer.status, answer.message) == (status, message)


def test_methods_that_nova_has_not(api, compute):
    assert api.get(f"{PATH}/{compute['id']}", **LATEST).status == 405
    assert api("POST", PATH, {}, LATEST).status == 405


def test_the_old_way_answers_what_changed(api, compute, services):
    who = {"host": "node-1", "binary": "nova-compute"}
    for action, further, answered, listed in (
        ("disable", {}, {"status": "disabled"}, ("disabled", None)),
        ("enable", {}, {"status": "enabled"}, ("enabled", None)),
        (
            "disable-log-reason",
            {"disabled_reason": "x"},
            {"status": "disabled", "disabled_reason": "x"},
            ("disabled", "x"),
        ),
        ("force-down", {"forced_down": True}, {"forced_down": True}, ("disabled", "x")),
    ):
        answer = api("PUT", f"{PATH}/{action}", who | further, OLD)
        assert (answer.status, answer.body) == (200, {"service": who | answered})
        (row,) = services("?host=node-1")
        assert (row["status"], row["disabled_reason"]) == listed
    assert row["state"] == "down"


def test_the_old_way_refuses(api, compute):
    who = {"host": "node-1", "binary": "nova-compute"}
    early = {"X-OpenStack-Nova-API-Version": "2.10"}
    for action, body, headers, status, words in (
        ("explode", who, OLD, 404, "Unknown action"),
        ("force-down", who | {"forced_down": True}, early, 404, "Unknown action"),
        ("enable", who | {"host": "zz"}, OLD, 404, "Host 'zz' is not mapped to any cell"),
        ("enable", who | {"binary": "zz"}, OLD, 404, "Could not find binary zz on host node-1."),
        ("enable", {"host": "node-1"}, OLD, 400, "'binary' is a required property"),
        ("disable-log-reason", who, OLD, 400, "'disabled_reason' is a required property"),
    ):
        answer = api("PUT", f"{PATH}/{action}", body, headers)
        assert (answer.status, answer.message) == (status, words)


def test_deleting_also_leaves_the_driver(api, join, services, service_group, until):
    membership = join("compute", "gone", name="nova-compute")
    (row,) = services("?host=gone")
    answer = api("DELETE", f"{PATH}/{row['id']}", headers=LATEST)
    assert (answer.status, answer.raw) == (204, b"")
    assert services("?host=gone") == []
    assert not service_group.is_up("compute", "gone")
    assert all(one.member_id != "gone" for one in service_group.get_members("compute"))
    assert until(membership.lost.is_set)
    assert api("DELETE", f"{PATH}/{row['id']}", headers=LATEST).status == 404


def test_deleting_by_number_in_old_versions(api, join, services):
    join("compute", "gone", name="nova-compute")
    (row,) = services("?host=gone", OLD)
    assert api("DELETE", f"{PATH}/x", headers=OLD).message == "Invalid id x"
    assert api("DELETE", f"{PATH}/{row['id']}", headers=OLD).status == 204
    assert services("?host=gone") == []


def test_one_that_left_is_still_listed_as_down(join, services):
    join("compute", "node-1", name="nova-compute").leave()
    (row,) = services("?host=node-1")
    assert (row["state"], row["status"]) == ("down", "enabled")


def test_microversions(api):
    for asked, used in (({}, "2.1"), ({"OpenStack-API-Version": "compute 2.53"}, "2.53")):
        headers = api.get(PATH, **asked).headers
        assert headers["OpenStack-API-Version"] == f"compute {used}"
        assert headers["X-OpenStack-Nova-API-Version"] == used
        assert "OpenStack-API-Version" in headers["Vary"]
    answer = api.get(PATH, **{"OpenStack-API-Version": "compute 2.999"})
    assert (answer.status, list(answer.body)) == (406, ["computeFault"])
    assert answer.message == (
        "Version 2.999 is not supported by the API. Minimum is 2.1 and maximum is 2.104."
    )
    for wrong in ("x", "2", "2.01", "2.1.1", "-2.1", "٢.1"):
        answer = api.get(PATH, **{"X-OpenStack-Nova-API-Version": wrong.encode()})
        assert answer.status == 400, wrong
        assert "is of invalid format" in answer.message


def test_discovery(api):
    for path in ("/v2.1", "/v2.1/"):
        version = api.get(path).body["version"]
        assert (version["id"], version["min_version"], version["version"]) == (
            *("v2.1", "2.1", "2.104"),
        )
        assert version["links"] == [{"rel": "self", "href": f"{api.url}/v2.1/"}]
    versions = api.get("/").body["versions"]
    assert [version["id"] for version in versions] == ["v1", "v2.0", "v2.1"]


def test_every_answer_has_a_request_id(api):
    ids = {
        api.get(path).headers["x-openstack-request-id"]
        for path in ("/", PATH, "/v1/service", "/nothing", f"{PATH}?x=%00")
    }
    assert len(ids) == 5
    assert all(one.startswith("req-") for one in ids)


def test_head_is_get_without_its_body(api):
    for path in ("/healthcheck", "/v2.1", "/v1/service", PATH):
        head, whole = api("HEAD", path), api.get(path)
        assert (head.status, head.raw) == (200, b"")
        assert head.headers["Content-Type"] == whole.headers["Content-Type"]
        assert int(head.headers["Content-Length"]) > 0
    assert api("HEAD", f"{PATH}?x=1", headers=LATEST).status == 400
    assert api("HEAD", f"{PATH}/{NOBODY}", headers=LATEST).status == 405


def test_it_is_healthy(api):
    answer = api.get("/healthcheck")
    assert (answer.status, answer.raw) == (200, b"OK")
