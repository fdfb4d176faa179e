"""Ironic's registry and ring manager on our drivers."""

import pytest
import tooz.hashring
from oslo_config import cfg

from servicegroup import MemberExists
from servicegroup.compat import ironic
from servicegroup.compat.ironic import HashRingManager, Registry
from servicegroup.exceptions import ConfigurationError, DriverUnavailable, NoSuchConductor


@pytest.fixture
def make(make_conf):
    HashRingManager.reset()

    def make(interval=10, timeout=60):
        conf = make_conf(
            cfg.StrOpt("host", default="host-1"),
            cfg.IntOpt("hash_partition_exponent", default=5),
            cfg.IntOpt("hash_ring_reset_interval", default=15),
            cfg.StrOpt("hash_ring_algorithm", default="md5"),
        )
        conf.register_opt(cfg.IntOpt("heartbeat_interval", default=interval), "conductor")
        conf.register_opt(cfg.IntOpt("heartbeat_timeout", default=timeout), "conductor")
        return conf

    yield make
    HashRingManager.reset()


def register(make, hostname, *drivers, group=""):
    registry = Registry(make())
    registry.register_conductor(
        {"hostname": hostname, "drivers": list(drivers), "conductor_group": group}
    )
    return registry


def test_a_conductor_comes_drains_and_goes(make):
    one = register(make, "c1", "ipmi", "redfish")
    two = register(make, "c2", "ipmi", group="Rack")
    assert sorted(one.get_online_conductors()) == ["c1", "c2"]
    assert one.get_active_hardware_type_dict() == {"ipmi": {"c1", "c2"}, "redfish": {"c1"}}
    grouped = {":ipmi": {"c1"}, ":redfish": {"c1"}, "rack:ipmi": {"c2"}}
    assert two.get_active_hardware_type_dict(use_groups=True) == grouped
    two.touch_conductor("c2")
    two.touch_conductor("c2", online=False)
    assert one.get_online_conductors() == ["c1"]
    assert one.get_offline_conductors() == []  # draining, not dead
    two.touch_conductor("c2", online=True)
    two.unregister_conductor("c2")
    assert one.get_online_conductors() == ["c1"]
    with pytest.raises(NoSuchConductor):
        two.unregister_conductor("c2")
    with pytest.raises(NoSuchConductor):
        two.touch_conductor("c2")


def test_a_second_live_one_of_that_name_has_to_say_so(make):
    register(make, "c1", "ipmi")
    other = Registry(make())
    with pytest.raises(MemberExists):
        other.register_conductor({"hostname": "c1", "drivers": ["ipmi"]})
    other.register_conductor({"hostname": "c1", "drivers": ["ipmi"]}, update_existing=True)
    other.register_conductor({"hostname": "c1", "drivers": ["redfish"]})  # its own, anew
    assert other.get_active_hardware_type_dict() == {"redfish": {"c1"}}


def test_rings_map_as_tooz_does(make):
    for name in ("c1", "c2", "c3"):
        register(make, name, "ipmi")
    ring = HashRingManager(conf=make()).get_ring("ipmi", "")
    theirs = tooz.hashring.HashRing(["c1", "c2", "c3"], partitions=2**5)
    assert sorted(ring.nodes) == sorted(theirs.nodes)
    assert len(ring) == len(theirs)
    for number in range(300):
        key = f"node-{number}".encode()
        assert ring.get_nodes(key) == theirs.get_nodes(key)


def test_nodes_that_nobody_serves_cost_one_load_together(make, monkeypatch):
    register(make, "c1", "ipmi")
    manager = HashRingManager(conf=make())
    loads = []
    load = manager._load_hash_rings
    monkeypatch.setattr(manager, "_load_hash_rings", lambda: loads.append(1) or load())
    manager.get_ring("ipmi", "")
    for _ in range(100):
        with pytest.raises(NoSuchConductor, match="no live conductor serves ':redfish'"):
            manager.get_ring("redfish", "")
    assert len(loads) == 1
    monkeypatch.setattr(ironic, "RETRY", -1.0)  # the time is over
    register(make, "c2", "redfish")
    assert list(manager.get_ring("redfish", "").nodes) == ["c2"]
    assert len(loads) == 2


def test_without_any_conductor_it_is_looked_again_each_time(make):
    manager = HashRingManager(conf=make(), use_groups=False)
    with pytest.raises(DriverUnavailable):
        manager.get_ring("ipmi", "ignored")
    register(make, "c1", "ipmi", group="rack")
    assert list(manager.get_ring("ipmi", "ignored").nodes) == ["c1"]
    assert HashRingManager(conf=make(), cache=False).ring.keys() == {"rack:ipmi"}


def test_another_algorithm_is_refused(make):
    conf = make()
    conf.set_override("hash_ring_algorithm", "sha256")
    with pytest.raises(ConfigurationError, match="must be md5"):
        HashRingManager(conf=conf).get_ring("ipmi", "")


def test_host_and_times_are_ironics_unless_set_here(make):
    settings = Registry(make(interval=5, timeout=120))._group.settings
    times = (settings.report_interval, settings.service_down_time)
    assert (settings.host, *times) == ("host-1", 5.0, 120.0)
    conf = make(interval=5, timeout=0)  # Ironic's word for never
    conf.set_override("report_interval", 7.0, "servicegroup")
    settings = Registry(conf)._group.settings
    assert (settings.report_interval, settings.service_down_time) == (7.0, 60.0)
    conf = make()
    conf.set_override("service_down_time", 12.0, "servicegroup")
    with pytest.raises(ConfigurationError, match="service_down_time=12 leaves no room"):
        Registry(conf)


@pytest.mark.parametrize(
    ("timeout", "words"),
    [
        (60, "[conductor] heartbeat_timeout=60 leaves no room for lost beats"),
        (0, "[servicegroup] service_down_time=60 leaves no room for lost beats"),
    ],
)
def test_a_window_that_works_for_ironic_is_widened(make, caplog, timeout, words):
    conf = make(interval=20, timeout=timeout)
    settings = Registry(conf)._group.settings
    assert (settings.report_interval, settings.service_down_time) == (20.0, pytest.approx(66.0))
    assert words in caplog.text
    caplog.clear()
    Registry(conf)
    assert not caplog.text
