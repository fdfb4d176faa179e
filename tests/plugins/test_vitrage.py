"""A driver that is written as Vitrage's own are, unchanged. ``make compat`` has theirs."""

import json
from types import SimpleNamespace

import pytest
from oslo_config import cfg
from sources.publisher import Publisher
from sources.scene import Picture

from servicegroup.synchronizer import (
    Deleted,
    Entity,
    Incomplete,
    Notification,
    PluginError,
    examination,
)
from servicegroup.synchronizer.options import group_of
from servicegroup.synchronizer.plugins.vitrage import events
from servicegroup.synchronizer.plugins.vitrage.bus import VitrageNotificationsPlugin
from servicegroup.synchronizer.plugins.vitrage.collector import VitragePlugin
from servicegroup.testing import PluginConformance, PluginSource

RACK = "vitrage/rack"


class Rack(PluginSource):
    plugin = RACK

    def __init__(self, file):
        self.file = file
        self.options = {"driver": "sources.rack.RackDriver"}

    def hold(self, things):
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(things))
        new.replace(self.file)

    def fail(self):
        self.file.write_text("no rack")

    def mend(self):
        pass


@pytest.fixture
def rack(tmp_path, monkeypatch):
    """The source: nothing is in it."""
    file = tmp_path / "rack.json"
    monkeypatch.setenv("RACK", str(file))
    rack = Rack(file)
    rack.hold({})
    return rack


class TestRack(PluginConformance):
    steps = 4

    @pytest.fixture
    def source(self, rack):
        return rack


@pytest.fixture
def plugin(made, rack):
    return made(VitragePlugin, RACK, **rack.options)


def told(items):
    """{key: state, or None of what is gone}"""
    return {item.key: getattr(item, "state", None) for item in items}


def test_the_driver_is_asked_as_vitrage_asks_it(plugin, rack):
    rack.hold({"a": "on", "b": "on", "c": "off"})
    (entity, *_) = plugin.get_all()
    assert (entity.key, entity.type, entity.state, entity.project) == ("a", "rack", "on", "p")
    assert entity.data == {"slot": 1}  # neither stamps nor what is to be filtered out
    assert entity.timestamp is not None
    rack.hold({"a": "on", "b": "off"})
    assert told(plugin.get_changes(0.0)) == {"b": "off", "c": None}
    assert told(plugin.get_all()) == {"a": "on", "b": "off"}
    driver = plugin._source.driver
    assert driver.actions == ["init_snapshot", "update", "snapshot"]  # one driver, with its memory
    assert driver._datasource_name == "rack"


def test_a_fault_is_the_drivers_to_know(plugin, rack):
    rack.fail()
    for ask in (plugin.get_all, lambda: plugin.get_changes(0.0)):
        with pytest.raises(json.JSONDecodeError):
            list(ask())
    assert len(plugin._source.driver.faults) == 2
    rack.hold({"a": "on"})
    assert told(plugin.get_all()) == {"a": "on"}
    assert plugin._source.driver.actions[-1] == "init_snapshot"  # no snapshot came before it


def test_nothing_is_not_an_empty_list(made, rack):
    plugin = made(VitragePlugin, RACK, driver="sources.rack.SilentDriver")
    with pytest.raises(Incomplete, match="returned None, not even an empty list"):
        list(plugin.get_all())


def test_changes_are_asked_for_between_polls_and_what_is_not_listed_may_be_there(
    synchronizer, rack, until
):
    rack.hold({"a": "on", "b": "on"})
    options = {"driver": "sources.rack.PartialRackDriver", "poll_interval": 0.05}
    running = synchronizer(**{RACK: options | {"reconcile_interval": 3600}})
    picture = Picture()
    running.register(["rack"], picture)
    picture.until_states(a="on", b="on")
    rack.hold({"a": "off"})
    picture.until_states(a="off")  # by get_changes, which says who is gone
    rack.hold({"b": "on"})
    picture.until_states(b="on")
    rack.fail()
    until(lambda: running.status().sources[0].state == "failing")
    rack.hold({"c": "on"})
    running.get_all(["rack"])  # asks for all, in place of changes
    picture.until_states(b="on", c="on")


def notification(event_type, **payload):
    return Notification(event_type, payload, "publisher", "info", "1", "")


def test_notifications_are_enriched(made, rack):
    plugin = made(VitrageNotificationsPlugin, "vitrage_notifications/rack", **rack.options)
    payload = {"id": "a", "state": "on", "client": 1}
    (entity,) = plugin.entities(notification("rack.machine", **payload))
    assert (entity.key, entity.state, entity.data) == ("a", "on", {})
    (deleted,) = plugin.entities(notification("rack.machine.gone", id="a"))
    assert (deleted.key, type(deleted)) == ("a", Deleted)
    for passed_over in ("rack.edge", "rack.other", "instance.update"):
        assert not plugin.entities(notification(passed_over, id="a"))
    with pytest.raises(ValueError, match=r"has no 'id': {'state': 'on'"):
        plugin.entities(notification("rack.machine", state="on"))


def test_an_alarm_driver_is_told_all_alarms_before_the_first_notification(made, rack, monkeypatch):
    plugin = made(VitrageNotificationsPlugin, "vitrage_notifications/rack", **rack.options)
    plugin._source.driver.cache = {}
    for _ in range(2):
        plugin.entities(notification("rack.machine", id="a"))
    assert plugin._source.driver.actions == ["snapshot"]


class Transformer:
    """As Vitrage's are, for what it makes of an instance on a host, with a volume."""

    def get_entity_type(self, event):
        return event["vitrage_entity_type"]

    def get_transformer(self, _type):
        return self

    def _create_entity_key(self, event):
        return f"RESOURCE:rack:{event['id']}"

    def transform(self, event):
        if event["id"] == "unheard":
            return None, [], "update_entity"
        vertex = SimpleNamespace(
            vertex_id="uuid",
            properties={"state": "on", "vitrage_id": "uuid", "update_timestamp": 1, "name": "n"},
        )

        def neighbor(name, label, source):
            other = {"vitrage_category": "RESOURCE", "vitrage_type": "t", "id": name}
            return other, SimpleNamespace(label=label, source_id=source)

        near = [
            neighbor("volume", "attached", "uuid"),
            None,
            neighbor("host", "contains", "host's uuid"),
            neighbor("part", "comprised", "uuid"),
        ]
        return vertex, near, event.get("vitrage_event_type", "create_entity")


def test_a_transformer_says_key_and_neighbours():
    event = {"id": "a", "vitrage_entity_type": "rack"}
    assert events.transformed(Transformer(), event) == Entity(
        key="RESOURCE:rack:a",
        type="rack",
        state="on",
        parent_key="RESOURCE:t:host",
        child_keys=("RESOURCE:t:part",),
        data={
            "name": "n",
            "relationships": [
                ["attached", "to", "RESOURCE:t:volume"],
                ["comprised", "to", "RESOURCE:t:part"],
                ["contains", "from", "RESOURCE:t:host"],
            ],
        },
    )
    gone = {**event, "vitrage_event_type": "delete_entity"}
    assert events.transformed(Transformer(), gone) == Deleted("RESOURCE:rack:a", "rack")
    assert events.transformed(Transformer(), {**event, "id": "unheard"}) is None


def test_a_label_makes_several_of_one_plugin(synchronizer, rack):
    assert group_of("vitrage/nova.host") == "synchronizer_vitrage_nova.host"
    assert group_of("my.module:Source/east") == "synchronizer_Source_east"
    with pytest.raises(PluginError, match=r"name the data source: plugins = vitrage/nova.instance"):
        synchronizer(vitrage=rack.options)


@pytest.fixture
def unread(monkeypatch):
    """The global configuration of a process that does not use it."""
    monkeypatch.setattr(cfg, "CONF", cfg.ConfigOpts())


@pytest.fixture
def daemons(monkeypatch):
    """The global configuration of a daemon, which has read it."""
    daemons = cfg.ConfigOpts()
    daemons([], project="daemon", default_config_files=[])
    monkeypatch.setattr(cfg, "CONF", daemons)
    return daemons


def test_without_vitrage_a_driver_has_to_be_named(made, unread):
    plugin = made(VitragePlugin, "vitrage/static")
    with pytest.raises(PluginError, match="pip install vitrage, or set the driver option"):
        list(plugin.get_all())


INSTANCE = "vitrage_notifications/nova.instance"


def test_in_a_daemon_nothing_is_taken_off_the_bus(synchronizer, daemons, until):
    picture = Picture()
    with Publisher("fake://") as publisher:
        sync = synchronizer(**{INSTANCE: {"transport_url": "fake://"}})
        sync.register(["nova.instance"], picture)
        publisher.say("info", "instance.power_off.end", id="a")
        until(lambda: sync.status().sources[0].state == "failing")
    (status,) = sync.status().sources
    assert status.state == "failing"
    assert "in a process that does not use it, as 'servicegroup synchronizer run'" in status.reason
    assert "malformed" not in status.counts
    picture.until(lambda: picture.statuses)
    assert "the global cfg.CONF" in picture.statuses[0][1]


@pytest.mark.parametrize(
    ("name", "options", "well", "words"),
    [
        (RACK, {"driver": "sources.rack.RackDriver"}, True, "driver sources.rack.RackDriver"),
        (RACK, {"driver": "no.such.Thing"}, False, "driver='no.such.Thing' cannot be imported"),
        (INSTANCE, {"transport_url": "fake://"}, False, "pip install vitrage"),
    ],
)
def test_the_doctor_makes_the_driver(configured, unread, name, options, well, words):
    finding, *_ = examination.examine(configured(**{name: options}))
    assert (finding.check, finding.well) == (f"plugin {name}", well)
    assert words in finding.result
    assert well or f"[{group_of(name)}]" in finding.remedy


def test_the_doctor_in_a_daemon_does_not_blame_a_collector(configured, daemons):
    """It has a process of its own, whose configuration it will be."""
    finding, *_ = examination.examine(configured(**{"vitrage/static": {}}))
    assert finding.well
    assert finding.result.endswith("in a process of its own alone, so it was not")
