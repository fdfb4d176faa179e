"""What is made of notifications; the payloads are those of the services' own documentation."""

import pytest
from plugins import payloads as say
from sources.publisher import Publisher
from sources.scene import Picture

from servicegroup.synchronizer import Deleted
from servicegroup.synchronizer.plugins.openstack import notifications, shapes
from servicegroup.synchronizer.plugins.openstack.notifications import items

CHANGED = 1795268531.0  # 2026-11-21T13:42:11Z


def one(event_type, payload):
    (item,) = items(event_type, payload)
    return item


class TestServers:
    def test_versioned(self):
        got = one("instance.power_off.end", say.server(state="stopped"))
        assert (got.type, got.key, got.state) == ("nova.instance", say.SERVER, "stopped")
        assert (got.parent_key, got.project) == ("compute-1", say.PROJECT)
        assert got.timestamp == CHANGED
        assert got.data == {"name": "web", "user": say.USER, "flavor": "m1.small"}

    def test_legacy_says_the_same_but_when(self):
        versioned = one("instance.create.end", say.server(updated_at=None))
        assert one("compute.instance.create.end", say.legacy_server()) == versioned

    def test_not_scheduled_yet(self):
        versioned = one("instance.update", say.server(state="building", host=None, flavor=None))
        assert (versioned.state, versioned.parent_key) == ("building", None)
        legacy = one("compute.instance.update", say.legacy_server(state="building", host=""))
        assert (legacy.state, legacy.parent_key) == ("building", None)

    @pytest.mark.parametrize(
        ("event_type", "payload"),
        [
            ("instance.delete.end", say.server(deleted_at="2026-11-21T13:42:11Z")),
            ("instance.update", say.server(state="deleted", deleted_at="2026-11-21T13:42:11Z")),
            (
                "compute.instance.delete.end",
                say.legacy_server(state="deleted", deleted_at="2026-11-21T13:42:11.000000"),
            ),
            (
                "compute.instance.update",
                say.legacy_server(state="deleted", deleted_at="2026-11-21T13:42:11"),
            ),
        ],
    )
    def test_gone(self, event_type, payload):
        assert one(event_type, payload) == Deleted(say.SERVER, "nova.instance", CHANGED)

    def test_a_delete_that_only_begins_deletes_nothing(self):
        assert one("instance.delete.start", say.server()).state == "active"
        assert one("compute.instance.delete.start", say.legacy_server()).state == "active"

    def test_soft_deleted_is_still_there(self):
        assert one("instance.soft_delete.end", say.server(state="soft-delete")).state

    def test_audits_and_foreign_events_say_nothing(self):
        assert items("compute.instance.exists", say.legacy_server()) == []
        assert items("instance.exists", say.server()) == []
        assert items("volume.usage", {"volume_id": say.VOLUME_ID}) == []
        assert items("floatingip.create.end", {"floatingip": {}}) == []
        assert items("compute_task.build_instances.error", say.server()) == []

    def test_a_host_that_is_no_more(self):
        deleted = one("service.delete", say.service("nova-compute"))
        assert deleted == Deleted("compute-1", "nova.host")
        assert items("service.delete", say.service("nova-conductor")) == []
        assert items("service.update", say.service("nova-compute")) == []


class TestVolumes:
    def test_attached(self):
        got = one("volume.attach.end", say.volume())
        assert (got.type, got.key, got.state) == ("cinder.volume", say.VOLUME_ID, "in-use")
        assert (got.parent_key, got.project) == (say.SERVER, say.PROJECT)
        assert got.data["attached_to"] == [say.SERVER]

    def test_what_is_only_being_attached_is_not(self):
        reserved = [{"instance_uuid": say.SERVER, "attach_status": "reserved"}]
        got = one("volume.update.end", say.volume(status="reserved", volume_attachment=reserved))
        assert got.parent_key is None
        assert one("volume.detach.end", say.volume(volume_attachment=[])).parent_key is None

    @pytest.mark.parametrize("event", ["volume.delete.end", "volume.unmanage.end"])
    def test_gone(self, event):
        assert one(event, say.volume()) == Deleted(say.VOLUME_ID, "cinder.volume")

    def test_deleting_is_not_deleted(self):
        assert one("volume.delete.start", say.volume(status="deleting")).state == "deleting"


class TestNetworks:
    def test_created(self):
        got = one("network.create.end", {"network": say.NETWORK_IN_API})
        assert (got.type, got.key, got.state) == ("neutron.network", say.NETWORK_ID, "active")
        assert (got.project, got.timestamp) == (say.PROJECT, CHANGED)

    def test_several_at_once(self):
        several = [say.PORT_IN_API, say.PORT_IN_API | {"id": "another"}]
        assert [item.key for item in items("port.create.end", {"ports": several})] == [
            *(say.PORT_ID, "another")
        ]

    def test_a_port(self):
        got = one("port.update.end", {"port": say.PORT_IN_API})
        assert (got.parent_key, got.role) == (say.NETWORK_ID, "compute:nova")
        assert got.data["device"] == say.SERVER
        assert got.data["addresses"] == ["10.0.0.5"]

    def test_gone(self):
        network = {"network_id": say.NETWORK_ID, "network": say.NETWORK_IN_API}
        assert one("network.delete.end", network) == Deleted(say.NETWORK_ID, "neutron.network")
        assert one("port.delete.end", {"port_id": say.PORT_ID}) == Deleted(
            say.PORT_ID, "neutron.port"
        )

    def test_what_is_only_asked_for_says_nothing(self):
        assert items("network.create.start", {"network": {"name": "private"}}) == []
        assert items("port.delete.start", {"port_id": say.PORT_ID}) == []


class TestStacks:
    def test_created(self):
        got = one("orchestration.stack.create.end", say.stack())
        assert (got.type, got.key, got.state) == ("heat.stack", say.STACK_ID, "create_complete")
        assert got.project == say.PROJECT

    def test_an_older_heat_names_it_by_arn(self):
        arn = f"arn:openstack:heat::{say.PROJECT}:stacks/shop/{say.STACK_ID}"
        assert one("orchestration.stack.suspend.start", say.stack(stack_identity=arn)).key == (
            say.STACK_ID
        )

    def test_gone(self):
        got = one("orchestration.stack.delete.end", say.stack(state="DELETE_COMPLETE"))
        assert got == Deleted(say.STACK_ID, "heat.stack")
        failed = say.stack(state="DELETE_FAILED", state_reason="in use")
        got = one("orchestration.stack.delete.error", failed)
        assert (got.state, got.data["reason"]) == ("delete_failed", "in use")


class TestNodes:
    @pytest.mark.parametrize(
        "event",
        ["provision_set.start", "power_state_corrected.success", "update.end", "power_set.error"],
    )
    def test_as_it_is(self, event):
        got = one(f"baremetal.node.{event}", say.node())
        assert (got.type, got.key, got.state) == ("ironic.node", say.NODE_ID, "active")
        assert got.data["power_state"] == "power on"
        assert got.timestamp == CHANGED

    @pytest.mark.parametrize(
        "event", ["create.start", "create.error", "update.error", "delete.start"]
    )
    def test_what_is_only_asked_for_says_nothing(self, event):
        assert items(f"baremetal.node.{event}", say.node()) == []

    def test_gone(self):
        got = one("baremetal.node.delete.end", say.node())
        assert got == Deleted(say.NODE_ID, "ironic.node")


@pytest.mark.parametrize(
    ("event_type", "payload", "words"),
    [
        ("instance.update", None, "its payload is NoneType, not a mapping"),
        ("instance.update", say.legacy_server(), "no 'nova_object.data'"),
        ("compute.instance.update", say.server(), "no 'instance_id'"),
        ("instance.update", say.server(uuid=None), "None identifies nothing"),
        ("instance.update", say.server(updated_at="yesterday"), "'yesterday'"),
        ("instance.update", {"nova_object.data": "text"}, "indices"),
        ("volume.attach.end", say.volume(volume_attachment=["x"]), "'str' object"),
        ("network.create.end", {"network": {"id": "x"}}, "no 'status'"),
        ("orchestration.stack.create.end", say.stack(stack_identity={}), "'dict' object"),
        ("baremetal.node.update.end", {"ironic_object.data": {}}, "no 'uuid'"),
    ],
)
def test_malformed(event_type, payload, words):
    with pytest.raises(ValueError, match=words) as error:
        items(event_type, payload)
    assert str(error.value).startswith(f"{event_type}: ")


def test_every_reader_is_of_one_type_that_is_known():
    known = {value for name, value in vars(shapes).items() if name.isupper()}
    told = {
        items(event, payload)[0].type
        for event, payload in (
            ("instance.update", say.server()),
            ("compute.instance.update", say.legacy_server()),
            ("service.delete", say.service("nova-compute")),
            ("volume.create.end", say.volume()),
            ("network.create.end", {"network": say.NETWORK_IN_API}),
            ("port.create.end", {"port": say.PORT_IN_API}),
            ("orchestration.stack.create.end", say.stack()),
            ("baremetal.node.create.end", say.node()),
        )
    }
    assert len(notifications.READERS) == 8
    assert told == known - {shapes.ZONE}


def test_on_a_bus(synchronizer, until):
    picture = Picture()
    bus = {"transport_url": "fake://", "topics": "notifications"}
    with Publisher("fake://") as publisher:
        sync = synchronizer(openstack_notifications=bus)
        sync.register(["nova.instance"], picture)
        until(lambda: sync.status().sources[0].state == "ok")
        publisher.say("error", "instance.create.error", **say.server(state="building"))
        until(lambda: picture.entities)  # in memory each priority has a queue of its own
        publisher.say("info", "instance.update", **say.server(uuid=None))
        publisher.say("info", "instance.delete.end", **say.server())
        publisher.say("info", "instance.update", **say.server(uuid="last"))
        picture.until_states(last="active")
    (status,) = sync.status().sources
    assert status.counts["malformed"] == 1
    assert "None identifies nothing" in status.reason
