"""The openstack plugin: signs in, follows pages, and says what notifications say."""

import contextlib

import msgspec
import pytest
from plugins import payloads as say
from plugins.cloud import PASSWORD, Cloud

from servicegroup.synchronizer import Deleted, Incomplete, Rows
from servicegroup.synchronizer.plugins.openstack import notifications, shapes
from servicegroup.synchronizer.plugins.openstack.collector import OpenStackPlugin

WITHOUT_IRONIC = ["nova.instance", "nova.host", "nova.zone", "cinder.volume", "neutron.network"]
WITHOUT_IRONIC += ["neutron.port", "heat.stack"]
SERVICE = {
    "id": "e81d66a4",
    "binary": "nova-compute",
    "host": "compute-1",
    "zone": "nova",
    "state": "up",
    "status": "disabled",
    "disabled_reason": "repair",
    "forced_down": False,
    "updated_at": "2026-11-21T13:42:11.000000",
}


def flat(items):
    for item in items:
        if isinstance(item, Rows):
            yield from (item.entity(row) for row in item.rows)
        else:
            yield item


def read(items):
    return {(item.type, item.key): item for item in flat(items)}


@pytest.fixture
def cloud():
    cloud = Cloud()
    zone = {"hosts": {"compute-1": {"nova-compute": {"active": True}}}, "zoneName": "nova"}
    cloud.has |= {
        "servers": [say.SERVER_IN_API],
        "services": [SERVICE],
        "availabilityZoneInfo": [zone | {"zoneState": {"available": True}}],
        "volumes": [say.VOLUME_IN_API],
        "networks": [say.NETWORK_IN_API],
        "ports": [say.PORT_IN_API],
        "stacks": [say.STACK_IN_API],
    }
    yield cloud
    cloud.close()


@pytest.fixture
def plugin(made, cloud):
    def plugin(*types, **options):
        types = list(types) or WITHOUT_IRONIC
        return made(OpenStackPlugin, "openstack", **({"types": types} | cloud.options | options))

    return plugin


def test_everything(plugin):
    got = read(plugin().get_all())
    assert {key[0] for key in got} == set(WITHOUT_IRONIC)
    host = got["nova.host", "compute-1"]
    assert (host.state, host.parent_key, host.role) == ("up", "nova", "nova-compute")
    assert host.data == {"enabled": False, "disabled_reason": "repair", "forced_down": False}
    zone = got["nova.zone", "nova"]
    assert (zone.state, zone.child_keys) == ("available", ("compute-1",))


@pytest.mark.parametrize(
    ("event_type", "payload", "timeless"),
    [
        ("instance.update", say.server(), False),
        ("compute.instance.create.end", say.legacy_server(), True),
        ("volume.attach.end", say.volume(), True),
        ("network.create.end", {"network": say.NETWORK_IN_API}, False),
        ("port.create.end", {"port": say.PORT_IN_API}, False),
        ("orchestration.stack.create.end", say.stack(), False),
    ],
)
def test_a_reconcile_is_no_change_of_what_was_notified(plugin, event_type, payload, timeless):
    (notified,) = notifications.items(event_type, payload)
    listed = read(plugin(notified.type).get_all())[notified.type, notified.key]
    if timeless:
        listed = msgspec.structs.replace(listed, timestamp=None)
    assert listed == notified


def test_a_probe_asks_each_service_once_for_one(plugin, cloud):
    assert plugin().probe() == "nova, cinder, neutron, heat answer"
    assert [query["limit"] for name, query, _ in cloud.asked if name == "servers"] == ["1"]
    with pytest.raises(Incomplete, match="nova cannot be asked"):
        plugin(password="wrong").probe()


def test_pages(plugin, cloud):
    for name in ("servers", "volumes", "networks", "ports", "stacks"):
        (first,) = cloud.has[name]
        cloud.has[name] = [first | {"id": f"{name}-{number}"} for number in range(7)]
    cloud.most = 3  # less than what is asked for
    got = read(plugin(page_size=5).get_all())
    assert len(got) == 5 * 7 + 2
    asked = [query for name, query, _ in cloud.asked if name == "servers"]
    assert [query.get("marker") for query in asked] == [None, "servers-2", "servers-5"]
    assert all(query["all_tenants"] == "true" for query in asked)
    stacks = [query for name, query, _ in cloud.asked if name == "stacks"]
    assert [query.get("marker") for query in stacks][-1] == "stacks-6"
    assert stacks[0]["show_nested"] == "true"


def test_pages_that_go_in_a_circle_end(plugin, cloud):
    cloud.circle = True
    with pytest.raises(Incomplete, match="the pages of nova go in a circle"):
        list(plugin("nova.instance").get_all())
    assert len(cloud.asked) == 2


def test_only_what_changed_is_asked_for_where_that_is_offered(plugin, cloud):
    collector = plugin()
    list(collector.get_all())
    cloud.asked.clear()
    later, gone = "2026-11-21T15:00:00Z", "2026-11-21T14:00:00Z"
    cloud.has["servers"] = [
        say.SERVER_IN_API | {"updated": "2026-11-21T10:00:00Z"},
        say.SERVER_IN_API | {"id": "new", "updated": later, "OS-EXT-STS:vm_state": "stopped"},
        say.SERVER_IN_API | {"id": "old", "updated": gone, "status": "DELETED"},
    ]
    cloud.has["ports"] = [say.PORT_IN_API | {"status": "DOWN", "updated_at": later}]
    got = read(collector.get_changes(0.0))
    assert got["nova.instance", "old"] == Deleted("old", "nova.instance", shapes.when(gone))
    assert got["nova.instance", "new"].state == "stopped"
    assert ("nova.instance", say.SERVER) not in got
    assert got["neutron.port", say.PORT_ID].state == "down"
    asked = {name: (query, version) for name, query, version in cloud.asked}
    since = "2026-11-21T13:41:11Z"  # a minute before the newest
    assert asked["servers"][0]["changes-since"] == since
    assert asked["volumes"][0]["updated_at"] == f"gte:{since}"
    assert asked["volumes"][1] == "volume 3.60"
    assert asked["ports"][0]["changed_since"] == since
    cloud.asked.clear()
    list(collector.get_changes(0.0))
    asked = {name: query for name, query, _ in cloud.asked}
    assert asked["servers"]["changes-since"] == "2026-11-21T14:59:00Z"


def test_a_failed_question_is_asked_again_from_where_it_was(plugin, cloud):
    collector = plugin("nova.instance", "neutron.port")
    list(collector.get_all())
    cloud.has["servers"] = [say.SERVER_IN_API | {"updated": "2026-11-21T15:00:00Z"}]
    cloud.broken["ports"] = (503, {"message": "busy"})
    with pytest.raises(Incomplete, match=r"neutron cannot be asked for /ports.*503"):
        list(collector.get_changes(0.0))
    del cloud.broken["ports"]
    cloud.asked.clear()
    assert ("nova.instance", say.SERVER) in read(collector.get_changes(0.0))
    assert cloud.asked[0][1]["changes-since"] == "2026-11-21T13:41:11Z"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((403, {"forbidden": {"message": "not an administrator"}}), "nova cannot be asked.*403"),
        ((200, {"servers": "many"}), "something else than a list of servers"),
        ((200, {"others": []}), "something else than a list of servers"),
        ((200, b'{"servers": [{"id": "a"'), "something else than a list of servers"),
        ((200, {"servers": [{"id": 7}]}), "something else than a list of servers"),
    ],
)
def test_what_is_no_complete_list_deletes_nothing(plugin, cloud, answer, words):
    cloud.broken["servers"] = answer
    with pytest.raises(Incomplete, match=words):
        list(plugin("nova.instance").get_all())


def test_who_may_not_sign_in(plugin):
    with pytest.raises(Incomplete, match="nova cannot be asked") as error:
        list(plugin("nova.instance", password="wrong").get_all())
    assert "401" in str(error.value)
    assert "wrong" not in str(error.value)


def test_a_service_that_the_cloud_does_not_have(plugin):
    with pytest.raises(Incomplete, match="ironic cannot be asked for /nodes"):
        list(plugin("ironic.node").get_all())


class TestIronic:
    """Against a real one, of which a page holds three nodes at most."""

    @pytest.fixture
    def nodes(self, ironic):
        made = [
            ironic.request(
                "POST", "/v1/nodes", {"driver": "fake-hardware", "name": f"node-{number}"}
            )
            for number in range(7)
        ]
        yield made
        for node in made:
            with contextlib.suppress(ValueError):  # the test did
                ironic.request("DELETE", f"/v1/nodes/{node['uuid']}")

    @pytest.fixture
    def without_keystone(self, ironic, tmp_path):
        file = tmp_path / "clouds.yaml"
        file.write_text(
            f"clouds:\n  metal:\n    auth_type: none\n    auth: {{endpoint: '{ironic.url}'}}\n"
            f"    baremetal_endpoint_override: {ironic.url}\n"
        )
        return {"cloud": "metal", "clouds_file": str(file), "types": ["ironic.node"]}

    def test_nodes(self, ironic, nodes, made, without_keystone, until):
        collector = made(OpenStackPlugin, "openstack", **without_keystone)
        got = read(collector.get_all())
        assert {key for _, key in got} == {node["uuid"] for node in nodes}
        first = nodes[0]["uuid"]
        assert got["ironic.node", first].state == "enroll"
        assert got["ironic.node", first].data["driver"] == "fake-hardware"

        ironic.request("PUT", f"/v1/nodes/{first}/maintenance", {"reason": "a broken fan"})
        ironic.request("PUT", f"/v1/nodes/{first}/states/provision", {"target": "manage"})
        ironic.request("DELETE", f"/v1/nodes/{nodes[1]['uuid']}")
        until(lambda: read(collector.get_all())["ironic.node", first].state == "manageable")
        now = read(collector.get_changes(0.0))
        assert len(now) == 6
        data = now["ironic.node", first].data
        assert (data["maintenance"], data["maintenance_reason"]) == (True, "a broken fan")
        assert data["power_state"] == ironic.request("GET", f"/v1/nodes/{first}")["power_state"]

    def test_a_node_says_what_its_notification_says(self, nodes, made, without_keystone, ironic):
        described = ironic.request("GET", f"/v1/nodes/{nodes[0]['uuid']}")
        payload = {"ironic_object.data": described, "ironic_object.name": "NodeCRUDPayload"}
        (notified,) = notifications.items("baremetal.node.update.end", payload)
        collector = made(OpenStackPlugin, "openstack", **without_keystone)
        assert read(collector.get_all())[notified.type, notified.key] == notified

    def test_by_the_catalogue(self, ironic, nodes, made):
        cloud = Cloud(baremetal=ironic.url)
        try:
            collector = made(OpenStackPlugin, "openstack", types=["ironic.node"], **cloud.options)
            assert len(read(collector.get_all())) == 7
        finally:
            cloud.close()


def test_options_that_cannot_work(made, cloud):
    with pytest.raises(ValueError, match=r"types: nova.instances cannot .* nova.instance, "):
        made(OpenStackPlugin, "openstack", types=["nova.instances"])
    with pytest.raises(ValueError, match="auth_url and cloud: set only one"):
        made(OpenStackPlugin, "openstack", cloud="mine", **cloud.options)


def test_through_clouds_yaml_and_the_synchronizer(cloud, synchronizer, tmp_path):
    file = tmp_path / "clouds.yaml"
    file.write_text(
        f"clouds:\n  mine:\n    region_name: one\n    auth:\n"
        f"      auth_url: {cloud.url}/identity/v3\n      username: reader\n"
        f"      password: {PASSWORD}\n      project_name: admin\n"
        f"      user_domain_name: Default\n      project_domain_name: Default\n"
    )
    types = ",".join(WITHOUT_IRONIC)
    sync = synchronizer(openstack={"cloud": "mine", "clouds_file": file, "types": types})
    (server,) = sync.get_all(["nova.instance"], timeout=60).entities
    assert (server.key, server.state, server.parent_key) == (say.SERVER, "active", "compute-1")
