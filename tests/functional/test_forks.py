"""A process that is a member forks: the child has connections of its own, the parent keeps its."""

import gc
import multiprocessing
import os
import sqlite3
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from fleet.fork import in_child
from fleet.group import DOWN

from servicegroup import ServiceGroupError, State
from servicegroup.db import forks

OPEN = Path("/proc/self/fd")
IDENTITY = {
    "sqlite": "SELECT 0",  # it has no server that could tell connections apart
    "postgresql": "SELECT pg_backend_pid()",
    "mariadb": "SELECT connection_id()",
}

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def forked(work):
    return in_child(work)


def multiprocessed(work):
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sending.send(work()))
    child.start()
    sending.close()
    child.join()
    assert child.exitcode == 0  # else it printed why
    return receiving.recv()


@pytest.fixture(params=[forked, multiprocessed])
def run(request):
    return request.param


#: The heart uses no connection while another one is looked at.
STILL = {"report_interval": 10.0, "service_down_time": 60.0}


@pytest.fixture
def connections(kind):
    """Name the two connections of a process, as the server knows them."""

    def connections(group):
        database = group._process.door.driver.records.database
        statement = sa.text(IDENTITY[kind])
        return [one(lambda c: c.scalar(statement)) for one in (database.read, database.beat)]

    return connections


def test_a_forked_child_has_connections_of_its_own(url, make, connections, run):
    group = make(url, **STILL)
    parent = group.join("g", "parent")
    connections(group)
    time.sleep(0.3)  # the first beat
    before = connections(group)

    def child():
        assert not parent.alive
        assert group.is_up("g", "parent")
        mine = group.join("g", "child")
        seen = {one.member_id: one.process_id for one in group.get_members("g")}
        assert seen == {"parent": os.getppid(), "child": os.getpid()}
        theirs = connections(group)
        group.close()
        gc.collect()  # an inherited connection that is closed hangs up the parent's
        return mine.member.instance_id, theirs

    instance_id, theirs = run(child)
    assert instance_id != parent.member.instance_id
    assert connections(group) == before
    if before != [0, 0]:
        assert not set(before) & set(theirs)
    parent.update({"after": "the fork"})
    assert [one.attributes for one in group.get_members("g")] == [{"after": "the fork"}]


def test_the_parent_beats_on_while_children_come_and_go(url, make, run, caplog):
    group, other = make(url), make(url)
    parent = group.join("g", "parent")
    until = time.monotonic() + DOWN
    while time.monotonic() < until:
        run(lambda: group.join("g", "child").leave() and group.close())
        assert other.states("g") == {"parent": State.UP}
    assert parent.alive
    assert not [one for one in caplog.records if one.levelname in ("WARNING", "ERROR")]


def test_a_child_that_ends_without_a_word_goes_down_alone(url, make, run, eventually):
    group = make(url)
    group.join("g", "parent")
    run(lambda: group.join("g", "child").alive)
    assert eventually(lambda: group.states("g")["child"] is State.DOWN)
    assert group.is_up("g", "parent")


def test_a_watch_stays_with_the_parent(url, make, run, eventually):
    group = make(url)
    with group.watch("g") as watch:

        def child():
            assert not watch.fresh
            assert watch.next_event(0) is None
            with group.watch("g") as own:
                group.join("g", "child")
                until = time.monotonic() + 20
                while not own.is_up("child", unknown=False):
                    assert time.monotonic() < until
                    time.sleep(0.02)
            group.close()

        run(child)
        group.join("g", "parent")
        eventually(lambda: watch.is_up("parent", unknown=False))


def test_what_was_asked_of_it_before_the_fork_talks_to_the_parents_store_only(url, make):
    group = make(url, **STILL)
    group.join("g", "parent")
    services, roster = group.services, group.roster

    def child():
        for one in (services, roster):
            with pytest.raises(ServiceGroupError, match="stayed with the parent process of a fork"):
                one.list()
        return [one.member_id for one in group.services.list()]

    assert in_child(child) == ["parent"]
    assert [one.member_id for one in services.list()] == ["parent"]


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_the_file_survives_children(url, make):
    group = make(url)
    group.join("g", "parent")

    def child():
        group.join("g", f"child-{os.getpid()}").leave()
        group.close()

    for _ in range(5):
        in_child(child)
        group.services.disable("g", "parent", "still written")
    path = sa.make_url(url).database
    file = sqlite3.connect(path)
    assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert file.execute("SELECT count(*) FROM services").fetchone() == (6,)
    file.close()


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_no_connection_is_open_while_the_process_forks(url, make):
    group = make(url, report_interval=0.01, service_down_time=1.0)
    parent = group.join("g", "parent")
    path = sa.make_url(url).database

    def inherited():
        return [one for one in map(_opened, OPEN.iterdir()) if one.startswith(path)]

    for _ in range(20):
        group.get_members("g")
        assert inherited()
        assert in_child(inherited) == []
    assert parent.alive


def test_a_connection_that_two_threads_wanted_is_waited_for_once(monkeypatch, caplog):
    pool = forks.ForkSafePool(lambda: sqlite3.connect(":memory:"), pool_size=1, max_overflow=0)
    may_open, races = pool._inc_overflow, iter(["lost"])
    monkeypatch.setattr(pool, "_inc_overflow", lambda: next(races, None) is None and may_open())
    pool.connect().close()
    monkeypatch.setattr(forks, "PATIENCE", 0.1)
    in_child(os.getpid)
    assert "while SQLite is in use" not in caplog.text
    pool.dispose()


def _opened(descriptor):
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:  # the one that was used to list them
        return ""
