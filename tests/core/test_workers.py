"""Several worker processes that are one member together; here each is a ServiceGroup of its own."""

import time

import pytest

from servicegroup import ConfigurationError, EventType, InvalidMember, MemberExists, State
from servicegroup.db import migrate
from servicegroup.db.engine import Database
from servicegroup.driver import Capability
from servicegroup.seats import Seats
from servicegroup.testing.memory import MemoryDriver
from servicegroup.workers import MOST, family, place, worker_id

SERVICE = ("conductor", "host-1")


@pytest.fixture
def state(tmp_path, monkeypatch):
    """A folder for the numbers of this host."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "servicegroup"


@pytest.fixture
def workers(make, state):
    """Three workers of one service, which the heart of each keeps alive."""
    groups = [make() for _ in range(3)]
    return [group.join(*SERVICE, worker=True) for group in groups]


def reason(group):
    return group.liveness(*SERVICE).reason


def test_they_are_one_member_and_the_reason_counts_them(make, workers):
    looking = make()
    assert [one.member.member_id for one in workers] == [
        "host-1",
        "host-1#worker-1",
        "host-1#worker-2",
    ]
    assert all(one.alive for one in workers)
    assert looking.states("conductor") == {"host-1": State.UP}
    assert [one.member_id for one in looking.get_members("conductor")] == ["host-1"]
    assert [one.member_id for one in looking.roster.list()] == ["host-1"]
    assert reason(looking).endswith("(3 of 3 workers up)")
    assert looking.roster.get(*SERVICE).reason.endswith("(3 of 3 workers up)")


@pytest.fixture
def dies(fall_silent):
    """Let a worker's process be over: no beat of it comes any more."""

    def dies(group, membership, looking):
        fall_silent(group)
        looking._process.door.end(membership.member.instance_id, "process ended without leaving")

    return dies


def test_it_is_up_while_any_lives_and_down_when_none_does(make, state, dies):
    groups = [make(report_interval=10.0, service_down_time=60.0) for _ in range(3)]
    workers = [group.join(*SERVICE, worker=True) for group in groups]
    looking = make(report_interval=10.0, service_down_time=60.0)
    for left, index in ((2, 0), (1, 2)):
        dies(groups[index], workers[index], looking)
        assert looking.is_up(*SERVICE)
        assert looking.states("conductor") == {"host-1": State.UP}
        assert reason(looking).endswith(f"({left} of 3 workers up)")
    dies(groups[1], workers[1], looking)
    assert not looking.is_up(*SERVICE)
    assert looking.states("conductor") == {"host-1": State.DOWN}
    assert reason(looking) == "process ended without leaving (0 of 3 workers up)"


def test_the_first_one_may_leave_before_the_others(make, workers):
    looking = make()
    workers[0].leave()
    assert looking.is_up(*SERVICE)
    assert looking.states("conductor") == {"host-1": State.UP}
    assert reason(looking).endswith("(2 of 2 workers up)")
    workers[1].leave()
    workers[2].leave()
    assert looking.get_members("conductor") == []
    assert not looking.is_up(*SERVICE)


@pytest.mark.parametrize("native", [True, False])
def test_a_watch_tells_of_the_member_not_of_its_workers(make, state, native, dies, monkeypatch):
    if not native:
        monkeypatch.setattr(MemoryDriver, "capabilities", Capability.REMEMBERS)
    looking, one, two = (make(report_interval=2.0, service_down_time=10.0) for _ in range(3))
    with looking.watch("conductor") as watch:
        assert watch.next_event(5).type is EventType.READY
        first = one.join(*SERVICE, worker=0)
        assert told(watch) == (EventType.JOINED, "host-1")
        second = two.join(*SERVICE, worker=1)
        assert told(watch) == (EventType.CHANGED, "host-1")
        assert watch.liveness("host-1").reason.endswith("(2 of 2 workers up)")
        dies(one, first, looking)
        assert told(watch) == (EventType.CHANGED, "host-1")
        assert watch.is_up("host-1")
        assert [status.member_id for status in watch.members] == ["host-1"]
        dies(two, second, looking)
        events = [told(watch), told(watch)]
        assert events == [(EventType.CHANGED, "host-1"), (EventType.DOWN, "host-1")]


def told(watch):
    event = watch.next_event(5)
    assert event is not None
    return event.type, event.member_id


def test_numbers_are_held_while_the_process_lives(make, state):
    one, two = make(), make()
    one.join(*SERVICE, worker=True).leave()
    assert two.join(*SERVICE, worker=True).member.member_id == "host-1#worker-1"
    assert one.join(*SERVICE, worker=True).member.member_id == "host-1"
    assert one.join("other", "host-1", worker=True).member.member_id == "host-1"
    one.close()
    assert make().join(*SERVICE, worker=True).member.member_id == "host-1"


def test_an_operators_word_is_for_all_of_them(make, state, database):
    groups = [make(database=database, use_records=True) for _ in range(2)]
    for group in groups:
        group.join(*SERVICE, worker=True)
    looking = make(database=database, use_records=True)
    recorded(looking, 2)
    [service] = looking.services.list()
    assert (service.member_id, service.is_up) == (*SERVICE[1:], True)
    looking.services.force_down(*SERVICE, "maintenance")
    assert not looking.is_up(*SERVICE)
    assert reason(looking).startswith("forced down by the operator")
    groups[0].leave(*SERVICE)
    assert not looking.is_up(*SERVICE)  # the other one lives, but the word stands
    [service] = looking.services.list()
    assert service.forced_down_reason == "maintenance"
    looking.services.unforce_down(*SERVICE)
    assert looking.is_up(*SERVICE)
    looking.services.delete(*SERVICE)
    assert looking.services.list(left=True) == []
    assert looking.get_members("conductor") == []


@pytest.fixture
def database(tmp_path, make):
    url = f"sqlite:///{tmp_path}/records.sqlite"
    one = make(database=url, use_records=True)
    migrate.upgrade(Database(one._conf, one.settings))
    return url


def recorded(group, count):
    until = time.monotonic() + 10
    while (
        len(group._process.records.driver.records.sight.records(None, left=False).members) < count
    ):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_an_operator_removes_all_of_them(make, workers, eventually):
    looking = make()
    assert looking.leave(*SERVICE)
    assert looking.get_members("conductor") == []
    for worker in workers:
        eventually(worker.lost.is_set)
        assert worker.lost_reason == "removed by an operator"


def test_bad_numbers_and_ids(make, state, monkeypatch):
    one = make()
    for number in (-1, MOST, "2", 1.0):
        with pytest.raises(InvalidMember, match="must be a number from 0 to 127, or True"):
            one.join(*SERVICE, worker=number)
    with pytest.raises(InvalidMember, match="kept for a worker"):
        one.join("conductor", "host-1#worker-3")
    for odd in ("host-1#worker-0", "host-1#worker-03", "#worker-3", "a#worker-999", "a#worker-"):
        assert place(odd) == (odd, 0)
        one.join("odd", odd)
    with pytest.raises(InvalidMember, match="worker's id has 264 characters"):
        one.join("conductor", "h" * 255, worker=1)
    two = make()
    two.join(*SERVICE, worker=1)
    with pytest.raises(MemberExists):
        one.join(*SERVICE, worker=1, takeover=False)
    assert one.liveness("conductor", "host-1#worker-1").workers is None


def test_no_place_and_no_number_left(make, state, monkeypatch):
    one = make()
    state.parent.mkdir()
    state.write_text("not a folder")
    with pytest.raises(ConfigurationError, match=r"set XDG_STATE_HOME .* or give each worker"):
        one.join(*SERVICE, worker=True)
    state.unlink()
    seats = [Seats() for _ in range(MOST)]
    assert [one.take("g", "m") for one in seats] == list(range(MOST))
    with pytest.raises(ConfigurationError, match="128 workers here"):
        Seats().take("g", "m")
    for one in seats:
        one.free()


def test_ids_and_back():
    assert [place(one) for one in family("a")] == [("a", number) for number in range(MOST)]
    assert worker_id("a\nb", 3) == "a\nb#worker-3"
    assert place("a\nb#worker-3") == ("a\nb", 3)
