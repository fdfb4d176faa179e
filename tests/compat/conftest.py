"""Adapters on the memory driver, without any of the projects that they are for."""

import itertools

import pytest
from oslo_config import cfg

from servicegroup import config, loading
from servicegroup.compat import shared
from servicegroup.testing.memory import MemoryStore

_names = itertools.count()


@pytest.fixture
def store_name():
    return f"compat-{next(_names)}"


@pytest.fixture
def store(store_name):
    return MemoryStore.named(store_name)


@pytest.fixture
def make_conf(store_name, monkeypatch, tmp_path):
    """Make the configuration of one process; what was made on it is closed afterwards."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    made = []

    def make_conf(*options, driver="memory"):
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        conf.register_opts(options)
        config.register(conf)
        if driver is not None:
            conf.set_override("driver", driver, config.GROUP)
            loading.register_options(conf, loading.load("memory"))
            conf.set_override("store", store_name, "servicegroup_memory")
        made.append(conf)
        return conf

    yield make_conf
    for conf in made:
        _, group = shared._made.pop(id(conf), (None, None))
        if group is not None:
            group.close()
