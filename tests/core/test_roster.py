"""Everybody there is: with records, without them, and beside another driver."""

import time

import pytest

from servicegroup import NoSuchService, ServiceGroup, State
from servicegroup.db import records


@pytest.fixture
def database(tmp_path):
    return f"sqlite:///{tmp_path}/records.sqlite"


def listed(service_group: ServiceGroup, *arguments, **options):
    return [
        (status.group_id, status.member_id, status.record is not None)
        for status in service_group.roster.list(*arguments, **options)
    ]


def test_without_records(make):
    group = make(use_records=False)
    group.join("b", "1")
    group.join("a", "2")
    group.join("a", "1")
    assert listed(group) == [("a", "1", False), ("a", "2", False), ("b", "1", False)]
    assert listed(group, "b") == [("b", "1", False)]
    assert listed(group, "c") == []
    assert group.roster.get("a", "2").is_up
    group.roster.delete("a", "2")
    assert listed(group, "a") == [("a", "1", False)]
    with pytest.raises(NoSuchService, match="no member '2' in group 'a'"):
        group.roster.delete("a", "2")
    with pytest.raises(NoSuchService, match="service list"):
        group.roster.get("a", "2")


def test_beside_another_driver_those_without_a_record_are_there_too(make, database):
    both = make(use_records=True, database=database)
    _make_tables(both)
    plain = make(use_records=False)
    both.join("g", "recorded")
    while listed(both) != [("g", "recorded", True)]:  # the record comes a moment later
        time.sleep(0.02)
    plain.join("g", "plain")
    plain.join("h", "alone")
    everybody = [("g", "plain", False), ("g", "recorded", True), ("h", "alone", False)]
    assert listed(both) == everybody
    assert listed(both, "h") == [("h", "alone", False)]
    assert [service.member_id for service in both.services.list()] == ["recorded"]
    assert both.roster.get("h", "alone").reason.endswith("(no service record)")
    both.roster.delete("h", "alone")
    both.roster.delete("g", "recorded")
    assert listed(both) == [("g", "plain", False)]
    with pytest.raises(NoSuchService):
        both.roster.delete("g", "recorded")


def test_those_that_left_are_shown_on_request(make, database):
    group = make(use_records=True, database=database)
    _make_tables(group)
    membership = group.join("g", "m")
    while listed(group) != [("g", "m", True)]:  # the record comes a moment later
        time.sleep(0.02)
    membership.leave()
    assert listed(group) == []
    assert listed(group, left=True) == [("g", "m", True)]
    assert group.roster.get("g", "m").state is State.DOWN


def _make_tables(service_group):
    from servicegroup.db import migrate

    kept = service_group._process.records.driver.records
    assert isinstance(kept, records.Records)
    migrate.upgrade(kept.database)
