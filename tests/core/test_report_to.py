"""Reporting to further drivers: they are told everything, and nothing here depends on them."""

import logging
import threading

import pytest

from servicegroup import ConfigurationError, EventType
from servicegroup.db import migrate
from servicegroup.db.engine import Database
from servicegroup.driver import Capability
from servicegroup.testing.memory import MemoryDriver, MemoryStoreDown


@pytest.fixture
def database(tmp_path, make):
    url = f"sqlite:///{tmp_path}/judged.sqlite"
    one = make(database=url)
    migrate.upgrade(Database(one._conf, one.settings))
    return url


@pytest.fixture
def moving(make, database):
    """Make a ServiceGroup that is judged by the database and reports to the memory store, too."""

    def moving(**options):
        return make(**{"driver": "db", "database": database, "report_to": ["memory"], **options})

    return moving


@pytest.fixture
def judged(make, database):
    """Look by what everybody is judged by."""
    return make("db", database)


@pytest.fixture
def further(make):
    """Look by the other one."""
    return make(use_records=False)


@pytest.fixture
def beats(monkeypatch, eventually):
    """Wait until the database took some more beats of a ServiceGroup."""

    def beats(one, count=5):
        came = threading.Semaphore(0)
        door = one._process.door
        heartbeat = door.heartbeat

        def counted(*arguments):
            answer = heartbeat(*arguments)
            came.release()
            return answer

        monkeypatch.setattr(door, "heartbeat", counted)
        for _ in range(count):
            assert came.acquire(timeout=10)
        monkeypatch.undo()

    return beats


def logged(caplog, words, level=logging.WARNING):
    return [one for one in caplog.records if words in one.getMessage() and one.levelno >= level]


def members(one):
    return {status.member_id: status for status in one.get_members("g")}


def test_joins_changes_and_leaves_reach_all(moving, judged, further, eventually):
    one = moving()
    held = one.join("g", "m", attributes={"zone": "a"})
    for looker in (judged, further):
        eventually(lambda looker=looker: looker.is_up("g", "m", unknown=False))
    assert members(further)["m"].member.instance_id == members(judged)["m"].member.instance_id
    held.update({"zone": "b"})
    eventually(lambda: members(further)["m"].attributes == {"zone": "b"})
    assert members(judged)["m"].attributes == {"zone": "b"}
    assert held.leave()
    eventually(lambda: members(further) == {})
    assert members(judged) == {}


def test_closing_leaves_everywhere(moving, judged, further, eventually):
    one = moving()
    one.join("g", "m")
    eventually(lambda: members(further))
    one.close()
    assert members(further) == members(judged) == {}


def test_unhealthy_everywhere(moving, judged, further, eventually):
    well = threading.Event()
    one = moving()
    one.join("g", "m", health=well.is_set)
    for looker in (judged, further):
        eventually(lambda looker=looker: "unhealthy" in looker.liveness("g", "m").reason)
    well.set()
    for looker in (judged, further):
        eventually(lambda looker=looker: looker.is_up("g", "m", unknown=False))


@pytest.mark.parametrize("fault", ["hang", "unavailable"])
def test_a_further_store_that_fails_is_only_reported(
    fault, moving, judged, further, *, store, beats, eventually, caplog
):
    one = moving()
    held = one.join("g", "m")
    eventually(lambda: members(further))
    with judged.watch("g") as watch:
        while watch.next_event(5).type is not EventType.READY:
            pass
        store.unavailable = fault == "unavailable"
        if fault == "hang":
            store.hang.set()
        beats(one)
        other = one.join("g", "other")
        other.update({"zone": "b"})
        beats(one)
        assert other.leave()
        eventually(lambda: logged(caplog, "lost contact with the store of driver memory"))
        assert held.alive
        assert judged.liveness("g", "m").is_up
        store.hang.clear()
        store.unavailable = False
        eventually(lambda: logged(caplog, "driver memory answers again"))
        eventually(lambda: members(further).keys() == {"m"})
        events = list(iter(lambda: watch.next_event(0), None))
    assert not [event for event in events if event.member_id == "m"]
    [error] = logged(caplog, "lost contact")
    assert "(report_to: no verdict here depends on it)" in error.getMessage()


def test_its_return_makes_nobody_hurry(moving, further, store, *, beats, eventually, caplog):
    one = moving()
    one.join("g", "m")
    eventually(lambda: members(further))
    store.unavailable = True
    eventually(lambda: logged(caplog, "lost contact"))
    store.unavailable = False
    eventually(lambda: logged(caplog, "answers again"))
    beats(one, 2)
    assert one._process.heart._recoveries == 0


def test_joining_does_not_wait_for_it(moving, judged, store):
    store.hang.set()
    one = moving()
    assert one.join("g", "m").alive
    assert judged.is_up("g", "m")
    store.hang.clear()


def test_closing_while_it_hangs(moving, judged, further, *, store, eventually, caplog):
    one = moving(stop_deadline=0.5)
    one.join("g", "m")
    eventually(lambda: members(further))
    store.hang.set()
    one.close()
    assert members(judged) == {}
    assert logged(caplog, "driver 'memory' did not answer")
    store.hang.clear()


def test_a_join_that_it_took_without_saying_so_is_taken_back(
    moving, further, monkeypatch, eventually
):
    join = MemoryDriver.join

    def half(driver, joining):
        join(driver, joining)
        raise MemoryStoreDown("the answer got lost")

    monkeypatch.setattr(MemoryDriver, "join", half)
    held = moving().join("g", "m")
    eventually(lambda: members(further))
    held.leave()
    eventually(lambda: members(further) == {})


@pytest.mark.parametrize("removed", [False, True])
def test_a_member_that_only_it_lost_stays_one(
    removed, moving, judged, further, *, beats, eventually, caplog
):
    one = moving()
    held = one.join("g", "m")
    eventually(lambda: members(further))
    if removed:
        assert further.leave("g", "m")
    else:
        further.join("g", "m")
    [error] = eventually(lambda: logged(caplog, "but not in memory any more", logging.ERROR))
    assert ("removed by an operator" if removed else "superseded") in error.getMessage()
    held.update({"zone": "b"})
    beats(one)
    assert held.alive
    assert members(judged)["m"].attributes == {"zone": "b"}
    if removed:
        assert members(further) == {}
    else:
        assert members(further)["m"].member.instance_id != held.member.instance_id


def test_a_member_that_only_it_lost_returns_if_told_so(moving, further, eventually):
    one = moving(rejoin_removed=True)
    held = one.join("g", "m")
    eventually(lambda: members(further))
    assert further.leave("g", "m")
    eventually(lambda: further.is_up("g", "m", unknown=False))
    assert held.alive


def test_a_member_that_is_superseded_leaves_it(moving, judged, further, eventually):
    held = moving().join("g", "m")
    eventually(lambda: members(further))
    judged.join("g", "m")
    eventually(lambda: not held.alive)
    eventually(lambda: members(further) == {})


@pytest.mark.parametrize("how", ["leave", "services", "roster"])
def test_an_operator_removes_a_member_everywhere(
    how, moving, judged, further, eventually, fall_silent
):
    crashed = moving()
    crashed.join("g", "m")
    eventually(lambda: members(further))
    crashed._process.heart._memberships.clear()  # so that closing it leaves nothing
    fall_silent(crashed)
    operator = moving()
    if how == "leave":
        assert operator.leave("g", "m")
    elif how == "services":
        operator.services.delete("g", "m")
    else:
        operator.roster.delete("g", "m")
    assert members(further) == members(judged) == {}


def test_an_operator_is_told_what_may_have_stayed(moving, judged, further, store, caplog):
    operator = moving()
    judged.join("g", "m")
    store.unavailable = True
    assert operator.leave("g", "m")
    assert members(judged) == {}
    assert logged(caplog, "g/m may still be in memory")
    store.unavailable = False


# -- configuration ------------------------------------------------------------------------------


def test_the_one_that_judges_is_left_out_by_any_name(make):
    one = make("memory", report_to=["memory", "memory"])
    assert one._process.further == {}


def test_a_driver_that_is_not_installed(make):
    with pytest.raises(ConfigurationError, match=r"report_to='memroy' is not installed; .*memory"):
        make(report_to=["memroy"])


def test_a_driver_that_only_reads(make, database, monkeypatch):
    monkeypatch.setattr(MemoryDriver, "capabilities", Capability.READ_ONLY)
    with pytest.raises(ConfigurationError, match="report_to='memory' cannot be"):
        make("db", database, report_to=["memory"])


def test_an_option_of_a_further_driver_that_cannot_work(make):
    with pytest.raises(ConfigurationError, match="servicegroup_database"):
        make(report_to=["db"], database="nonsense")


@pytest.mark.parametrize("use_records", [False, True])
def test_records_and_reports_in_one_database_are_one(
    make, database, judged, eventually, use_records
):
    one = make(report_to=["db"], database=database, use_records=use_records)
    process = one._process
    assert (process.records is process.further["db"]) is use_records
    assert len(process.doors()) == 2
    reports = process.heart._everywhere
    assert [report._interval for report in reports] == [one.settings.report_interval] * 2
    one.join("g", "m")
    eventually(lambda: judged.is_up("g", "m", unknown=False))


# -- how far a fleet is -------------------------------------------------------------------------


def test_a_fleet_that_is_ready(moving, make, database, further, eventually):
    one = moving()
    for member_id in ("a", "b"):
        one.join("g", member_id)
    one.join("h", "c")
    eventually(lambda: len(members(further)) == 2 and further.groups() == ["g", "h"])
    seen = one.readiness()
    assert [(each.driver, each.group_id, each.alive, each.ready) for each in seen] == [
        ("memory", "g", 2, True),
        ("memory", "h", 1, True),
    ]


def test_who_is_missing_and_why(moving, judged, further, eventually):
    one = moving()
    one.join("g", "both")
    one.join("g", "taken")
    judged.join("g", "one only")
    further.join("g", "stale")
    eventually(lambda: len(members(further)) == 3)
    further.join("g", "taken")
    [seen] = one.readiness()
    assert not seen.ready
    assert seen.alive == 3
    assert dict(seen.missing) == {
        "one only": "not there",
        "taken": "an earlier or other life of it is there",
    }
    assert seen.stale == ("stale",)


def test_who_is_down_there(moving, further, store, eventually, fall_silent):
    one = moving()
    one.join("g", "m")
    [status] = eventually(lambda: further.get_members("g"))
    fall_silent(one)
    store.pulses[status.member.instance_id].ended_at = store.clock()
    [seen] = one.readiness()
    assert seen.missing["m"].startswith("down there: ")


def test_who_is_down_here_need_not_be_there(moving, judged, eventually):
    one = moving()
    one.join("g", "well")
    judged.join("g", "ill", health=lambda: False)
    eventually(lambda: not judged.liveness("g", "ill").is_up)
    eventually(lambda: one.readiness()[0].ready)
    assert one.readiness()[0].alive == 1


def test_a_further_store_that_does_not_answer(moving, store):
    one = moving()
    one.join("g", "m")
    store.unavailable = True
    [seen] = one.readiness()
    assert not seen.ready
    assert "'memory' did not answer" in seen.silent
    store.unavailable = False


def test_without_further_drivers_there_is_nothing_to_say(judged):
    judged.join("g", "m")
    assert judged.readiness() == []
