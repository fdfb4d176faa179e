"""Our own plugins, held to the suite that others' are held to."""

import json

import pytest
from oslo_config import cfg

from servicegroup import ServiceGroup, schema
from servicegroup.testing import PluginConformance, PluginSource


class StaticFile(PluginSource):
    plugin = "static"

    def __init__(self, path):
        self.path = path
        self.options = {"path": str(path)}

    def hold(self, things):
        listed = [{"key": name, "state": state} for name, state in things.items()]
        self.path.write_text(json.dumps({"entities": listed}))

    def fail(self):
        self.path.write_text("entities: [")

    def mend(self):
        pass


class TestStatic(PluginConformance):
    @pytest.fixture
    def source(self, tmp_path):
        return StaticFile(tmp_path / "static.yaml")


class Members(PluginSource):
    """State 2 is to be disabled, which changes no beat."""

    plugin = "servicegroup"

    def __init__(self, folder):
        self.settings = {
            "servicegroup": {"driver": "db", "poll_interval": 0.05},
            "servicegroup_database": {"connection": f"sqlite:///{folder}/members.sqlite"},
        }
        file = folder / "members.conf"
        file.write_text(
            "".join(
                f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
                for group, values in self.settings.items()
            )
        )
        conf = cfg.ConfigOpts()
        conf([f"--config-file={file}"], project="servicegroup", use_env=False)
        schema.upgrade(conf)
        self.daemon = ServiceGroup(conf)
        self.held = {}

    def hold(self, things):
        for name in set(self.held) - set(things):
            self.held.pop(name).leave()
        for name, state in things.items():
            if name in self.held:
                self.held[name].update({"state": state})
            else:  # at once, or a watch may tell of it on the way
                self.held[name] = self.daemon.join("compute", name, attributes={"state": state})

    def key(self, name):
        return f"compute/{name}"


class TestMembers(PluginConformance):
    steps = 8

    @pytest.fixture
    def source(self, tmp_path):
        source = Members(tmp_path)
        yield source
        source.daemon.close()


def test_a_plugin_that_breaks_a_promise_is_caught(pytester):
    """One whose failing source looks empty, which is the oldest of all mistakes."""
    pytester.makepyfile(
        naive="""
        import json
        from pathlib import Path
        from oslo_config import cfg
        from servicegroup.synchronizer import CollectorPlugin, Entity

        class Naive(CollectorPlugin):
            entity_types = ("naive",)
            options = (cfg.StrOpt("path"),)

            def get_all(self):
                try:
                    things = json.loads(Path(self.option["path"]).read_text())
                except ValueError:
                    return []
                return [Entity(key=key, type="naive", state=state) for key, state in things.items()]
        """,
        test_naive="""
        import json
        import pytest
        from servicegroup.testing import PluginConformance, PluginSource

        class Source(PluginSource):
            plugin = "naive:Naive"

            def __init__(self, path):
                self.path, self.options = path, {"path": str(path)}

            def hold(self, things):
                self.path.write_text(json.dumps(things))

            def fail(self):
                self.path.write_text("")

        class TestNaive(PluginConformance):
            steps = 3

            @pytest.fixture
            def source(self, tmp_path):
                return Source(tmp_path / "naive.json")
        """,
    )
    pytester.syspathinsert()
    done = pytester.runpytest("-q", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=9, failed=1)
    done.stdout.fnmatch_lines(["*test_a_source_that_fails_changes_nothing*"])
