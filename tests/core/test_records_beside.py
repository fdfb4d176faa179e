"""Service records beside another driver: a second, slower sign of life, and the operator's word."""

import pytest

from servicegroup import ConfigurationError, DriverUnavailable, EventType, NoSuchService
from servicegroup.db import migrate
from servicegroup.db.engine import Database


@pytest.fixture
def database(tmp_path, make):
    url = f"sqlite:///{tmp_path}/records.sqlite"
    one = make(database=url)
    migrate.upgrade(Database(one._conf, one.settings))
    return url


def break_records(one, monkeypatch):
    """Make the database of one ServiceGroup unreachable."""

    def away(*args, **kwargs):
        raise OSError("the disk is gone")

    database = one._process.records.driver.records.database
    monkeypatch.setattr(database, "_run", away)
    monkeypatch.setattr(database._engine, "raw_connection", away)
    monkeypatch.setattr(type(one._process.records.driver), "client_errors", (OSError,))


def test_a_member_gets_a_record_and_is_judged_by_both(make, database, eventually):
    one, other = make(database=database), make(database=database)
    one.join("g", "m", name="nova", version=3)
    eventually(lambda: other.services.list("g"))
    [service] = other.services.list("g")
    assert (service.name, service.version, service.is_up) == ("nova", 3, True)
    assert other.get_members("g")[0].record.uuid == service.uuid
    assert other.is_up("g", "m")
    assert other.services.version_range("g") == (3, 3)


def test_without_a_record_the_driver_alone_decides(make, database, eventually):
    bare, other = make(use_records=False), make(database=database)
    bare.join("g", "m")
    assert other.is_up("g", "m")
    assert other.liveness("g", "m").reason.endswith("(no service record)")
    assert other.services.list("g") == []
    with pytest.raises(NoSuchService):
        other.services.get("g", "m")


def test_a_record_that_fell_silent_takes_its_member_down(make, database, eventually):
    one, other = make(database=database), make(database=database)
    one.join("g", "m")
    other.join("g", "witness")
    eventually(lambda: len(other.services.list("g")) == 2)
    one._process.heart._reports[1]._due = float("inf")
    eventually(lambda: not other.is_up("g", "m", unknown=True), 15)
    assert other.liveness("g", "m").reason.startswith("beats in memory, but its record is")


def test_the_operators_word_outlives_leaving(make, database, eventually):
    one, other = make(database=database), make(database=database)
    member = one.join("g", "m")
    uuid = eventually(lambda: other.services.list("g"))[0].uuid
    other.services.disable("g", "m", "disk swap")
    other.services.force_down("g", "m", "fenced")
    assert other.liveness("g", "m").reason.startswith("forced down by the operator at")
    member.leave()
    assert other.services.list("g") == []
    [left] = other.services.list("g", left=True)
    assert left.left_at is not None
    one.join("g", "m")
    eventually(lambda: other.services.list("g"))
    service = other.services.get("g", "m")
    assert (service.uuid, service.disabled, service.disabled_reason) == (uuid, True, "disk swap")
    assert service.forced_down
    assert not service.is_up
    other.services.unforce_down("g", "m")
    other.services.enable("g", "m")
    service = other.services.get("g", "m")
    assert service.is_up
    assert service.disabled_reason is None


def test_deleting_a_record_frees_the_driver_too(make, database, eventually):
    one, other = make(database=database), make(database=database)
    member = one.join("g", "m")
    eventually(lambda: other.services.list("g"))
    other.services.delete("g", "m")
    eventually(member.lost.is_set)
    assert other.get_members("g") == []
    with pytest.raises(NoSuchService, match="service list --all"):
        other.services.delete("g", "m")


def test_a_record_whose_member_is_not_in_the_store_is_down(
    make, database, store, eventually, fall_silent
):
    one, other = make(database=database), make(database=database)
    one.join("g", "m")
    eventually(lambda: other.services.list("g"))
    fall_silent(one)
    store.lose()
    assert other.liveness("g", "m").reason == "has a service record but has not joined"


def test_records_that_cannot_be_read_leave_a_watch_its_view(
    make, database, eventually, monkeypatch
):
    one, other = make(database=database), make(database=database)
    one.join("g", "m")
    one.join("g", "fenced")
    eventually(lambda: len(other.services.list("g")) == 2)
    other.services.force_down("g", "fenced")
    with other.watch("g") as watch:
        while watch.next_event(5).type is not EventType.READY:
            pass
        break_records(other, monkeypatch)
        with pytest.raises(DriverUnavailable):
            other.is_up("g", "m")
        assert watch.next_event(1.0) is None
        assert watch.is_up("m")
        assert not watch.is_up("fenced")


def test_a_database_that_is_away_does_not_keep_anybody_from_joining(
    make, database, eventually, monkeypatch
):
    one, other = make(database=database), make(use_records=False)
    break_records(one, monkeypatch)
    assert one.join("g", "m").alive
    assert other.is_up("g", "m")


def test_without_records_the_services_say_how_to_get_them(make):
    with pytest.raises(ConfigurationError, match="use_records=true"):
        _ = make().services
