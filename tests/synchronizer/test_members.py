"""Our own members as entities."""

import threading

import pytest
from oslo_config import cfg
from sources.scene import Picture

from servicegroup import ServiceGroup
from servicegroup.synchronizer import Op, Synchronizer
from servicegroup.synchronizer.plugins import members
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


def test_who_joins_while_groups_are_read_stays(conf, monkeypatch, until):
    picture, read, joined = Picture(), threading.Event(), threading.Event()
    groups = ServiceGroup.groups

    def slow(self):
        answer = groups(self)
        if not read.is_set():
            read.set()
            joined.wait()
        return answer

    monkeypatch.setattr(ServiceGroup, "groups", slow)
    monkeypatch.setattr(members, "GROUPS_EVERY", 0.1)
    sync = Synchronizer(conf)
    sync.register([TYPE], picture)
    with ServiceGroup(conf) as daemon, sync:
        read.wait()
        daemon.join("compute", "node-1")
        assert [one.key for one in sync.get_all([TYPE]).entities] == ["compute/node-1"]
        joined.set()
        until(lambda: sync.status().sources[0].counts["polls"] >= 2)
        daemon.join("compute", "node-2")
        picture.until_states(**{"compute/node-1": "up", "compute/node-2": "up"})
    assert Op.DELETE not in [event.op for event in picture.events]
