"""Joining and staying a member: what the heart does about losses of every kind."""

import logging
import threading
import time

import pytest

from servicegroup import DriverUnavailable, InvalidMember, MemberExists, ServiceGroupError
from servicegroup.testing.memory import MemoryStoreDown


def heard(caplog, words):
    return [record for record in caplog.records if words in record.getMessage()]


def test_a_member_is_seen_with_what_it_said_of_itself(make):
    one, other = make(host="rack-1"), make()
    member = one.join("compute", "node-1", name="nova", attributes={"zone": "a"}, version=7)
    [status] = other.get_members("compute")
    assert (status.name, status.hostname, status.attributes) == ("nova", "rack-1", {"zone": "a"})
    assert status.member.version == 7
    assert status.is_up
    assert status.created_at is not None
    assert member.alive
    assert other.is_up("compute", "node-1")
    assert not other.is_up("compute", "node-2")
    assert other.liveness("compute", "node-2").reason == "no such member"
    assert other.groups() == ["compute"]
    assert {key: state.value for key, state in other.states("compute").items()} == {"node-1": "up"}


def test_leaving_is_seen_at_once(make):
    one, other = make(), make()
    with one.join("g", "m") as member:
        assert other.is_up("g", "m")
    assert not other.is_up("g", "m")
    assert other.get_members("g") == []
    assert not member.alive
    assert member.leave()
    with pytest.raises(ServiceGroupError, match="no longer a member"):
        member.update({})


def test_the_name_is_the_groups_unless_told(make):
    assert make().join("g", "m").member.name == "g"


def test_new_attributes_are_seen_and_bad_ones_change_nothing(make):
    one, other = make(), make()
    member = one.join("g", "m", attributes={"a": 1})
    member.update({"b": 2})
    assert other.get_members("g")[0].attributes == {"b": 2}
    with pytest.raises(InvalidMember):
        member.update({"c": object()})
    assert other.get_members("g")[0].attributes == {"b": 2}


def test_one_process_holds_a_member_once(make):
    one = make()
    one.join("g", "m")
    with pytest.raises(ServiceGroupError, match="already member"):
        one.join("g", "m")


@pytest.mark.parametrize("bad", [{"group_id": ""}, {"member_id": "a\0"}, {"name": "x" * 256}])
def test_ids_are_checked_where_they_are_given(make, bad):
    arguments = {"group_id": "g", "member_id": "m", **bad}
    with pytest.raises(InvalidMember):
        make().join(arguments.pop("group_id"), arguments.pop("member_id"), **arguments)


@pytest.mark.parametrize("version", [-1, 2**31, "7", 1.5])
def test_versions_are_numbers(make, version):
    with pytest.raises(ServiceGroupError, match="version"):
        make().join("g", "m", version=version)


def test_the_older_of_two_learns_who_took_over(make, eventually, caplog):
    older, newer = make(host="old-host"), make(host="new-host")
    told = []
    first = older.join("g", "m", on_lost=lambda membership, reason: told.append(reason))
    second = newer.join("g", "m")
    eventually(first.lost.is_set)
    assert "on host new-host" in first.lost_reason
    assert not first.alive
    assert second.alive
    eventually(lambda: told == [first.lost_reason])
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "stops beating" in errors[0].getMessage()
    assert newer.get_members("g")[0].hostname == "new-host"


def test_who_must_not_take_over_is_refused_while_the_older_one_beats(make, eventually):
    older, newer = make(host="old-host"), make()
    member = older.join("g", "m")
    with pytest.raises(MemberExists, match="old-host"):
        newer.join("g", "m", takeover=False)
    assert member.alive
    member.leave()
    assert newer.join("g", "m", takeover=False).alive
    with pytest.raises(ServiceGroupError, match="wait=False"):
        newer.join("g", "n", takeover=False, wait=False)


def test_an_operators_removal_stops_the_member_once(make, eventually, caplog):
    one, operator = make(), make()
    member = one.join("g", "m")
    assert operator.leave("g", "m") is True
    assert operator.leave("g", "m") is False
    assert operator.leave("g", "stranger") is False
    eventually(member.lost.is_set)
    assert member.lost_reason == "removed by an operator"
    assert len(heard(caplog, "removed by an operator")) == 1
    assert not operator.is_up("g", "m")


def test_a_removed_member_joins_again_where_that_is_configured(make, eventually):
    one, operator = make(rejoin_removed=True), make()
    member = one.join("g", "m")
    operator.leave("g", "m")
    eventually(lambda: operator.is_up("g", "m"))
    assert member.alive


def test_a_store_that_lost_everything_is_told_again(make, store, eventually):
    one, other = make(), make()
    member = one.join("g", "m", attributes={"a": 1})
    one.join("h", "n")
    store.lose()
    eventually(lambda: other.is_up("g", "m") and other.is_up("h", "n"))
    assert other.get_members("g")[0].attributes == {"a": 1}
    assert member.alive


def test_lost_fires_before_others_may_call_the_member_down(make, store, eventually, caplog):
    one = make()
    told = threading.Event()
    member = one.join("g", "m", on_lost=lambda *_: told.set())
    store.unavailable = True
    eventually(member.lost.is_set)
    assert told.wait(30)
    assert "no beat of this process was stored" in member.lost_reason
    age = store.clock() - store.pulses[member.member.instance_id].beat_at
    assert age < one.settings.service_down_time
    store.unavailable = False
    eventually(lambda: member.alive)
    assert member.lost_reason is None
    assert len(heard(caplog, "lost contact")) == 1
    assert len(heard(caplog, "answers again")) == 1


def test_lost_fires_in_time_also_when_the_store_hangs(make, store, eventually):
    member = make(report_interval=1.0, service_down_time=3.3).join("g", "m")
    store.hang.set()
    eventually(member.lost.is_set)
    assert not member.alive
    store.hang.clear()
    eventually(lambda: member.alive)


def test_a_failed_join_leaves_nothing_behind(make, store, eventually):
    one = make()
    store.unavailable = True
    with pytest.raises(DriverUnavailable) as caught:
        one.join("g", "m")
    assert caught.value.__cause__ is not None
    store.unavailable = False
    assert one.get_members("g") == []
    assert one.join("g", "m").alive


def test_a_join_that_was_stored_without_our_hearing_so_is_taken_back(make, store, eventually):
    one, other = make(report_interval=0.2, service_down_time=60.0), make()
    driver = one._process.door.driver

    def stored_but_not_said(members, join=driver.join):
        join(members)
        raise MemoryStoreDown("the answer was lost")

    driver.join = stored_but_not_said
    with pytest.raises(DriverUnavailable, match="the answer was lost"):
        one.join("g", "m")
    eventually(lambda: other.get_members("g") == [])


def test_a_daemon_may_start_before_its_store(make, store, eventually):
    store.unavailable = True
    one, other = make(), make()
    member = one.join("g", "m", wait=False)
    assert not member.alive
    store.unavailable = False
    eventually(lambda: member.alive and other.is_up("g", "m"))


def test_an_update_that_found_no_store_is_made_up_for(make, store, eventually):
    one, other = make(), make()
    member = one.join("g", "m")
    store.unavailable = True
    with pytest.raises(DriverUnavailable):
        member.update({"a": 2})
    store.unavailable = False
    eventually(lambda: other.get_members("g")[0].attributes == {"a": 2})


def test_a_leave_that_found_no_store_is_made_up_for(make, store, eventually):
    one, other = make(service_down_time=60.0), make()
    member = one.join("g", "m")
    store.unavailable = True
    assert member.leave() is False
    store.unavailable = False
    eventually(lambda: other.get_members("g") == [])


def test_one_beat_carries_all_members(make, store, eventually):
    one = make()
    for index in range(20):
        one.join("g", f"m{index}")
    driver = one._process.door.driver
    beats = []
    heartbeat = driver.heartbeat
    driver.heartbeat = lambda instance, members: (
        beats.append(len(members)) or heartbeat(instance, members)
    )
    eventually(lambda: len(beats) >= 3)
    assert set(beats) == {20}


def test_health_takes_the_member_out_and_brings_it_back(make, eventually):
    one, other = make(), make()
    answers = {"sick": False}
    one.join("g", "m", health=lambda: not answers["sick"])
    one.join("g", "well")
    answers["sick"] = True
    eventually(lambda: not other.is_up("g", "m"))
    assert other.liveness("g", "m").reason == "unhealthy: its health check says no"
    assert other.is_up("g", "well")
    answers["sick"] = False
    eventually(lambda: other.is_up("g", "m"))


def test_a_health_check_that_raises_or_hangs_is_unhealthy(make, eventually):
    one, other = make(), make()
    release = threading.Event()
    one.join("g", "raises", health=lambda: 1 / 0)
    one.join("g", "hangs", health=lambda: release.wait(30))
    eventually(lambda: "ZeroDivisionError" in other.liveness("g", "raises").reason)
    eventually(lambda: "has not answered" in other.liveness("g", "hangs").reason)
    release.set()
    eventually(lambda: other.is_up("g", "hangs"))


def test_who_was_down_for_long_is_forgotten(make, eventually, fall_silent):
    one, dead = make(forget_after=1.0), make()
    dead.join("g", "dead")
    one.join("g", "alive")
    fall_silent(dead)
    eventually(lambda: [s.member_id for s in one.get_members("g")] == ["alive"], 10)


def test_where_the_store_itself_ends_lives_lost_fires_before_that(make, store, eventually):
    one = make(report_interval=20.0, service_down_time=80.0)
    driver = one._process.door.driver
    driver.ends_after = 1.5
    beats = []
    heartbeat = driver.heartbeat
    driver.heartbeat = lambda *arguments: beats.append(1) or heartbeat(*arguments)
    member = one.join("g", "m")
    eventually(lambda: len(beats) >= 3, 3.0)
    assert member.alive
    store.unavailable = True
    eventually(member.lost.is_set)
    store.unavailable = False
    eventually(lambda: member.alive)


def _returns(group):
    [status] = group.get_members("g")
    flaps = status.member.flaps
    return 0 if flaps is None else flaps.times


def test_a_process_that_pauses_again_and_again_is_seen_flapping(make, eventually):
    one, other = make(), make()
    member = one.join("g", "m")
    for times in range(1, 4):
        assert other.get_members("g")[0].flapping is None
        with one._process.heart._wake:  # its thread stands still, as that of a stopped process does
            time.sleep(1.2 * one.settings.service_down_time)
        eventually(lambda times=times: _returns(other) == times)
    eventually(lambda: member.alive)
    status = eventually(lambda: [one for one in other.get_members("g") if one.is_up])[0]
    assert status.flapping.times == 3
    assert "flapping: it came back 3 times since 20" in status.reason


def test_an_outage_of_the_store_is_no_flap_of_its_members(make, store, eventually):
    one, other = make(), make()
    member = one.join("g", "m")
    store.unavailable = True
    eventually(member.lost.is_set)
    time.sleep(one.settings.service_down_time)
    store.unavailable = False
    eventually(lambda: member.alive)
    time.sleep(3 * one.settings.report_interval)
    assert _returns(other) == 0


def test_who_recovers_from_an_illness_came_back(make, eventually):
    well, other = threading.Event(), make()
    well.set()
    make().join("g", "m", health=well.is_set)
    well.clear()
    eventually(lambda: not other.is_up("g", "m", unknown=False))
    assert _returns(other) == 0
    well.set()
    eventually(lambda: other.is_up("g", "m", unknown=False))
    assert _returns(other) == 1
