"""Our own members as entities."""

import pytest
from oslo_config import cfg
from sources.scene import Picture

from servicegroup import ServiceGroup
from servicegroup.synchronizer import Synchronizer
from servicegroup.synchronizer.plugins.members import TYPE


@pytest.fixture
def conf(tmp_path):
    file = tmp_path / "servicegroup.conf"
    file.write_text(
        "[servicegroup]\n"
        "driver = db\nreport_interval = 0.2\nservice_down_time = 1\npoll_interval = 0.05\n"
        f"[servicegroup_database]\nconnection = sqlite:///{tmp_path}/members.sqlite\n"
        "[synchronizer]\nplugins = servicegroup\nbaseline_path =\n"
    )
    conf = cfg.ConfigOpts()
    conf([f"--config-file={file}"], project="servicegroup", use_env=False)
    from servicegroup import schema

    schema.upgrade(conf)
    return conf


def test_members_come_and_go(conf):
    picture = Picture()
    with ServiceGroup(conf) as daemon, daemon.join("compute", "node-1", attributes={"a": 1}):
        sync = Synchronizer(conf)
        sync.register([TYPE], picture)
        with sync:
            picture.until_states(**{"compute/node-1": "up"})
            (entity,) = picture.entities.values()
            assert entity.data["attributes"] == {"a": 1}
            second = daemon.join("compute", "node-2")
            picture.until_states(**{"compute/node-1": "up", "compute/node-2": "up"})
            assert {one.key for one in sync.get_all([TYPE]).entities} == {
                "compute/node-1",
                "compute/node-2",
            }
            second.leave()
            picture.until_states(**{"compute/node-1": "up"})
    assert not picture.gaps
