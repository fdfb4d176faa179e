import time

import pytest
from oslo_config import cfg

from servicegroup.synchronizer import Context
from servicegroup.synchronizer.options import group_of, plugin_options


@pytest.fixture
def made():
    """Make a plugin as the synchronizer does, with options given by keyword."""
    plugins = []

    def make(kind, name, **options):
        conf = cfg.ConfigOpts()
        conf([], project="servicegroup", use_env=False, default_config_files=[])
        conf.register_opts(kind.options, group=group_of(name))
        for option, value in options.items():
            conf.set_override(option, value, group=group_of(name))
        context = Context(name, plugin_options(conf, name, kind), conf=conf)
        types = frozenset(kind(context).entity_types)
        plugins.append(kind(context._replace(types=types)))
        return plugins[-1]

    yield make
    for plugin in plugins:
        plugin.close()


@pytest.fixture
def configured(tmp_path):
    """Configure a synchronizer for plugins, given as {plugin: its options}."""

    def configure(**plugins):
        groups = {
            "synchronizer": {
                "plugins": ",".join(plugins),
                "baseline_path": tmp_path / "baseline.sqlite",
                "poll_interval": 3600,
            }
        }
        groups |= {group_of(name): options for name, options in plugins.items()}
        file = tmp_path / "synchronizer.conf"
        lines = []
        for group, options in groups.items():
            lines.append(f"[{group}]")
            lines += [f"{name} = {value}" for name, value in options.items()]
        file.write_text("\n".join(lines), encoding="utf-8")
        conf = cfg.ConfigOpts()
        conf([f"--config-file={file}"], project="servicegroup", use_env=False)
        return conf

    return configure


@pytest.fixture
def synchronizer(configured):
    """Run a synchronizer on plugins, given as {plugin: its options}."""
    from servicegroup.synchronizer import Synchronizer

    running = []

    def run(**plugins):
        running.append(Synchronizer(configured(**plugins)))
        running[-1].start()
        return running[-1]

    yield run
    for sync in running:
        sync.stop()


@pytest.fixture
def until():
    def until(what, seconds=15.0):
        deadline = time.monotonic() + seconds
        while not (result := what()):
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.01)
        return result

    return until
