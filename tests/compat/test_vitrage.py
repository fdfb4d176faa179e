"""Vitrage's Coordinator on our drivers."""

import os

import pytest
from oslo_config import cfg

from servicegroup import DriverUnavailable
from servicegroup.compat.vitrage import Coordinator


@pytest.fixture
def make(make_conf):
    def make(name=None, backend_url="zookeeper://", host="host-1"):
        conf = make_conf()
        conf.register_opt(cfg.StrOpt("backend_url"), "coordination")
        conf.set_override("backend_url", backend_url, "coordination")
        conf.set_override("host", host, "servicegroup")
        return Coordinator(name, conf=conf)

    return make


def test_services_are_listed_as_vitrage_shows_them(make):
    one, two = make("ApiWorker_worker_0"), make("ApiWorker_worker_0", host="host-2")
    for coordinator in (one, two):
        coordinator.start()
        coordinator.join_group()
        coordinator.join_group()  # again does nothing
    services = one.get_services()
    assert {(service["name"], service["hostname"]) for service in services} == {
        ("ApiWorker_worker_0", "host-1"),
        ("ApiWorker_worker_0", "host-2"),  # same name, same process id: two members all the same
    }
    again = Coordinator("ApiWorker_worker_0", conf=one._conf)  # an API is loaded twice
    again.start()
    again.join_group()
    assert len(again.get_services()) == 2
    again.stop()
    assert len(one.get_services()) == 2
    assert {service["process"] for service in services} == {os.getpid()}
    assert all(service["created"].endswith("+00:00") for service in services)
    two.stop()
    assert not two.is_active()
    assert two.get_services() == []
    assert [service["hostname"] for service in one.get_services()] == ["host-1"]
    one.leave_group("vitrage")
    assert one.get_services() == []


def test_without_a_backend_nothing_happens(make):
    coordinator = make("name", backend_url="")
    coordinator.start()
    coordinator.join_group()
    assert not coordinator.is_active()
    assert not coordinator.backend_url
    assert coordinator.get_services() == []
    coordinator.stop()


def test_what_cannot_work_is_logged_and_a_store_that_is_away_is_told(make, store, caplog):
    coordinator = make("name")
    coordinator._conf.set_override("service_down_time", 1.0, "servicegroup")
    coordinator.start()
    assert not coordinator.is_active()
    assert "leaves no room for lost beats" in caplog.text
    other = make()
    other.start()
    assert "pytest" in other.my_id  # the command line
    store.unavailable = True
    with pytest.raises(DriverUnavailable):
        other.get_services()
