"""Closing keeps its deadline while the database is down, hangs or is a black hole."""

import contextlib
import socket
import threading
import time

import pytest
from fleet.fixtures import left_since, migrated
from fleet.outage import LockOutage, ServerOutage

from servicegroup import DriverUnavailable

#: Seconds; what stands in the way lasts until the test ends it.
DEADLINE = 1.0
#: Seconds until what hangs is told from what is slow.
SURELY = 60.0
AWAY = ["stopped", "killed", "paused"]


@pytest.fixture
def closed_in_time(make):
    """Close a group: that comes back, and its threads end, though nothing it waits for does."""
    before = set(threading.enumerate())

    def closed_in_time(group):
        group.close()
        assert not left_since(before, SURELY)

    return closed_in_time


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request):
    return request.getfixturevalue(f"{request.param}_server")()


def busy(group):
    """Something of everything that has to end."""
    joined = group.join("g", "m")
    watch = group.watch("g")
    group.services.list()
    return joined, watch


def test_a_server_that_is_away(server, make, closed_in_time):
    for how in AWAY:
        outage = ServerOutage(server, how)
        group = make(migrated(outage.url), stop_deadline=DEADLINE)
        joined, watch = busy(group)
        outage.begin()
        closed_in_time(group)
        assert not joined.alive
        assert not watch.fresh
        assert watch.next_event() is None
        outage.end()


def test_a_server_that_was_away_for_longer(server, make, closed_in_time, eventually):
    outage = ServerOutage(server, "paused")
    group = make(migrated(outage.url), stop_deadline=DEADLINE)
    joined, watch = busy(group)
    outage.begin()
    eventually(lambda: joined.lost.is_set() and not watch.fresh)
    closed_in_time(group)
    outage.end()


def test_a_file_that_is_locked(tmp_path, make, closed_in_time):
    outage = LockOutage(str(tmp_path / "file.sqlite"), "locked by a stopped writer")
    group = make(migrated(outage.url), stop_deadline=DEADLINE)
    busy(group)
    outage.begin()
    closed_in_time(group)
    outage.end()


@pytest.fixture
def black_hole():
    """Somebody who lets connect whoever wants to, and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listening:
        yield listening


def port(black_hole):
    return black_hole.getsockname()[1]


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_black_hole(scheme, black_hole, make, closed_in_time):
    group = make(f"{scheme}://u:p@127.0.0.1:{port(black_hole)}/d", stop_deadline=DEADLINE)
    joined = group.join("g", "m", wait=False)
    watch = group.watch("g")
    assert group.liveness("g", "m").reason.startswith("the store did not answer: ")
    assert not joined.alive
    assert not watch.fresh
    closed_in_time(group)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_many_threads_wait_for_a_black_hole_together(scheme, black_hole, make):
    group = make(f"{scheme}://u:p@127.0.0.1:{port(black_hole)}/d")
    told, all_there = [], threading.Barrier(40)

    def ask():
        all_there.wait()
        with pytest.raises(DriverUnavailable, match="does not answer"):
            group.groups()
        told.append(True)

    askers = [threading.Thread(target=ask) for _ in range(40)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert told == [True] * 40
    assert connected(black_hole) < 10, "one tries, and the others wait for what becomes of it"


def connected(black_hole):
    """Count who has connected."""
    black_hole.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            black_hole.accept()[0].close()
            count += 1
    return count


def test_leaving_is_confirmed_or_not(server, make):
    outage = ServerOutage(server, "paused")
    group, other = make(migrated(outage.url)), make(outage.url)
    left, still = group.join("g", "left"), group.join("g", "still")
    assert left.leave() is True
    outage.begin()
    assert still.leave() is False
    outage.end()
    with contextlib.closing(other):
        until = time.monotonic() + 20
        while other.get_members("g"):  # it goes on trying while it is open
            assert time.monotonic() < until
            time.sleep(0.05)
