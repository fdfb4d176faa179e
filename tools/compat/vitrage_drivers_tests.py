"""Vitrage's own drivers and transformers, unchanged, in our synchronizer: two, of two kinds."""

import collections
import logging
import pathlib
import sys
import tempfile
import unittest
import unittest.mock

from counted import counted
from oslo_config import cfg

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests"))  # payloads of notifications
from plugins import payloads as say

from servicegroup import synchronizer
from servicegroup.synchronizer.plugins.vitrage.bus import VitrageNotificationsPlugin
from servicegroup.synchronizer.plugins.vitrage.datasource import ConfigurationTaken

OURS = "servicegroup.synchronizer.plugins.vitrage"
TESTS = ["vitrage_drivers_tests"]
LEFT_OUT: dict[str, str] = {}
#: Seconds; a poll takes a tenth, importing Vitrage two.
PATIENCE = 60.0

RACK = """
definitions:
  entities:
    - {static_id: s1, type: switch, id: switch-1, name: one, state: %(state)s}
    - {static_id: h1, type: nova.host, id: compute-1}
%(more)s
  relationships:
    - {source: s1, target: h1, relationship_type: contains}
"""
MORE = "    - {static_id: s2, type: switch, id: switch-2, name: two, state: ok}"
VITRAGE = """
[DEFAULT]
use_nova_versioned_notifications = true
[datasources]
types = static,nova.host,nova.instance
[static]
directory = %(folder)s/static
"""
PLUGINS = """
[synchronizer]
plugins = vitrage/static
baseline_path = %(folder)s/baseline.sqlite
poll_interval = 0.1
[synchronizer_vitrage_static]
config_file = %(folder)s/vitrage.conf
"""


def swap() -> collections.Counter:
    """Put nothing in the place of anything: count what is given to the driver."""
    used = collections.Counter()
    counted(used, VitrageNotificationsPlugin, "entities")
    return used


class Drivers(unittest.TestCase):
    """Each is configured by ``vitrage.conf``, and read by its own transformer."""

    def setUp(self):
        """Write Vitrage's configuration."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "static").mkdir()
        self.vitrage_conf = self.folder / "vitrage.conf"
        self.vitrage_conf.write_text(VITRAGE % {"folder": self.folder})

    def _rack(self, state, more=""):
        new = self.folder / "rack.new"
        new.write_text(RACK % {"state": state, "more": more})
        new.replace(self.folder / "static" / "rack.yaml")

    def test_static(self):
        """The driver of the static data source: all there is, and what changed since."""
        self._rack("ok", MORE)
        file = self.folder / "synchronizer.conf"
        file.write_text(PLUGINS % {"folder": self.folder})
        conf = cfg.ConfigOpts()
        conf([f"--config-file={file}"], project="servicegroup", use_env=False)
        picture = synchronizer.Picture()
        sync = synchronizer.Synchronizer(conf)
        sync.register(["static"], picture)
        with sync:
            first = {one.key: one for one in sync.get_all(["static"], PATIENCE).entities}
            host, one, two = sorted(first)
            assert [host, one, two] == [
                "RESOURCE:nova.host:compute-1",
                "RESOURCE:switch:switch-1",
                "RESOURCE:switch:switch-2",
            ]
            switch = first[one]
            assert (switch.state, switch.child_keys) == ("ok", (host,))
            assert switch.data["name"] == "one"
            assert switch.data["relationships"] == [["contains", "to", host]]
            assert picture.wait(lambda: len(picture.entities) == 3, PATIENCE)
            self._rack("broken")  # get_changes says what changed and what is gone
            changed = {host: None, one: "broken"}
            assert picture.wait(lambda: picture.states == changed, PATIENCE)
            assert sorted(picture.changes) == [("delete", two), ("update", one)], "and nothing else"

    def _notified(self):
        options = {"datasource": None, "driver": None, "entity_types": []}
        options["config_file"] = [str(self.vitrage_conf)]
        context = synchronizer.Context("vitrage_notifications/nova.instance", options)
        return VitrageNotificationsPlugin(context)

    def test_a_daemons_configuration(self):
        """What a daemon has read stays as it is."""
        daemons = cfg.ConfigOpts()
        daemons([], project="daemon", default_config_files=[])
        refused = ""
        with unittest.mock.patch.object(cfg, "CONF", daemons):
            try:
                self._notified().prepare()
            except ConfigurationTaken as error:
                refused = str(error)
        assert "servicegroup synchronizer run" in refused
        assert "datasources" not in daemons
        assert daemons.project == "daemon"

    def test_instance(self):
        """The driver of nova.instance: its notifications."""
        handlers, plugin = list(logging.getLogger().handlers), self._notified()
        plugin.prepare()

        def told(event_type, payload):
            said = (event_type, payload, "nova-compute:compute-1", "info", "1", "")
            return list(plugin.entities(synchronizer.Notification(*said)))

        key = f"RESOURCE:nova.instance:{say.SERVER}"
        (entity,) = told("instance.power_off.end", say.server(state="stopped"))
        assert (entity.key, entity.type, entity.state) == (key, "nova.instance", "stopped")
        assert entity.parent_key == "RESOURCE:nova.host:compute-1"
        assert entity.project == say.PROJECT
        (gone,) = told("instance.delete.end", say.server(state="deleted"))
        assert gone == synchronizer.Deleted(key, "nova.instance", gone.timestamp)
        assert told("compute.instance.update", say.legacy_server()) == []  # not versioned
        assert told("port.update.end", {}) == []
        assert logging.getLogger().handlers == handlers
