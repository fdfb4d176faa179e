"""The guardian, beside real daemons: who dies is down at once, and nothing fools it.

No limit is ever reached here (``service_down_time`` is a minute): whatever is called down was
called so by a guardian.
"""

import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest
from fleet.fixtures import KINDS, migrated
from fleet.guardian import guardians, loaded, private_memory
from fleet.outage import LockOutage, ServerOutage
from fleet.process import environment_of_daemons

from servicegroup import EventType, State
from servicegroup.status import Cause

PATIENT = {"report_interval": 0.5, "service_down_time": 60.0}
REASON = "process ended without leaving"
#: MB: what a guardian may take of its own, and what one with PostgreSQL's client library may.
SMALL, WITH_PSYCOPG = 20.0, 35.0


OTHERS = [pytest.param(name, marks=pytest.mark.server(name)) for name in ("zookeeper", "memcached")]


@pytest.fixture(params=[*KINDS, *OTHERS])
def kind(request):
    """Name each kind of store that has guardians."""
    return request.param


@pytest.fixture
def url(kind, request, monkeypatch):
    """A fresh store: the URL of a database, or ``None`` where the environment says the rest."""
    if kind == "zookeeper":
        use_zookeeper(monkeypatch, request.getfixturevalue(kind).address)
    elif kind == "memcached":
        use_memcached(monkeypatch, request.getfixturevalue(kind).address)
    else:
        return migrated(request.getfixturevalue("empty_url"))
    return None


def use_zookeeper(monkeypatch, address):
    monkeypatch.setenv("OS_SERVICEGROUP__DRIVER", "zookeeper")
    monkeypatch.setenv("OS_SERVICEGROUP_ZOOKEEPER__HOSTS", address)
    monkeypatch.setenv("OS_SERVICEGROUP_ZOOKEEPER__ROOT", f"/test-{uuid.uuid4()}")


def use_memcached(monkeypatch, address):
    monkeypatch.setenv("OS_SERVICEGROUP__DRIVER", "memcache")
    monkeypatch.setenv("OS_SERVICEGROUP_MEMCACHE__SERVERS", address)
    monkeypatch.setenv("OS_SERVICEGROUP_MEMCACHE__NAMESPACE", f"test-{uuid.uuid4()}")


@pytest.fixture
def guarded(daemon):
    """Start a daemon that has a guardian when it joins."""

    def guarded(url, **options):
        return daemon(url, **{"guardian": True, **PATIENT, **options})

    return guarded


@pytest.fixture
def observer(make, url):
    return make(url, **PATIENT)


@pytest.fixture
def at_rest(eventually):
    """Wait until a daemon's guardian is at rest: it has imported everything and waits."""

    def at_rest(daemon):
        def resting():
            before = guardians(daemon.pid)  # one that is being started may still be its own parent
            ready = daemon.tell("guarded")
            return before if ready and before == guardians(daemon.pid) else None

        [guardian] = eventually(resting)
        return guardian

    return at_rest


@pytest.fixture
def joined(url, guarded, at_rest):
    """A daemon that is a member, and its guardian at rest."""
    process = guarded(url)
    process.join("g", "m")
    return process, at_rest(process)


def down(observer, member_id, group_id="g"):
    """Say what is asked until it is so: the verdict, once it is down."""

    def asked():
        verdict = observer.liveness(group_id, member_id)
        return verdict if verdict.state is State.DOWN else None

    return asked


def gone(process):
    return lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def assert_told(verdict):
    assert verdict.cause is Cause.ENDED
    assert verdict.reason.startswith(REASON)
    assert 0 <= verdict.since < PATIENT["service_down_time"]


def test_a_killed_process_is_down_at_once_and_says_why(url, guarded, observer, eventually):
    process = guarded(url)
    process.join("g", "a")
    process.join("h", "b")
    with observer.watch("g") as watch:
        while watch.next_event(10).type is not EventType.READY:
            pass
        process.kill()
        event = watch.next_event(30)
        assert (event.type, event.member_id) == (EventType.DOWN, "a")
        assert event.status.reason.startswith(REASON)
    assert_told(observer.liveness("g", "a"))
    assert_told(eventually(down(observer, "b", "h")))
    assert [status.member_id for status in observer.get_members("g")] == ["a"]
    eventually(lambda: not guardians(process.pid))


@pytest.mark.parametrize("way", ["close", "exit"])
def test_who_leaves_is_not_talked_about(joined, observer, eventually, way):
    process, guardian = joined
    process.tell("close") if way == "close" else process.close()
    eventually(gone(guardian))
    verdict = observer.liveness("g", "m")
    assert verdict.cause is Cause.LEFT, verdict
    process.kill()
    assert observer.liveness("g", "m").cause is Cause.LEFT


def test_a_worker_that_lives_on_does_not_hide_the_crash(url, guarded, observer, eventually):
    process = guarded(url)
    process.join("g", "m")
    worker, program = process.tell("worker"), process.tell("program")
    try:
        process.kill()
        assert_told(eventually(down(observer, "m")))
        assert psutil.pid_exists(worker)
        assert psutil.pid_exists(program)
    finally:
        os.kill(program, signal.SIGKILL)


def test_a_worker_that_joins_has_a_guardian_of_its_own(url, guarded, observer, eventually):
    process = guarded(url)
    process.join("g", "parent")
    worker = process.tell("worker", "g", "worker")
    assert len(guardians(worker)) == 1
    os.kill(worker, signal.SIGKILL)
    assert_told(eventually(down(observer, "worker")))
    assert observer.is_up("g", "parent")
    process.kill()
    assert_told(eventually(down(observer, "parent")))


def test_whoever_waits_for_any_child_never_meets_it(url, guarded, at_rest):
    process = guarded(url)
    process.join("g", "m")
    assert process.tell("any_child") is None
    guardian = at_rest(process)
    assert guardian.ppid() != process.pid
    assert os.getsid(guardian.pid) not in (os.getsid(process.pid), guardian.pid)


def test_it_sees_nothing_of_its_surroundings(url, guarded, at_rest):
    process = guarded(url)
    process.tell("inheritable", "/dev/zero")
    process.join("g", "m")
    guardian = at_rest(process)
    links = {one.name: str(one.readlink()) for one in Path(f"/proc/{guardian.pid}/fd").iterdir()}
    assert links.pop("0").startswith("socket:")
    assert links == {"1": "/dev/null", "2": "/dev/null"}
    assert guardian.cwd() == "/"


def test_it_shows_no_secret(url, guarded, at_rest, kind, monkeypatch):
    monkeypatch.setenv("A_SECRET", "swordfish")
    process = guarded(url)
    process.join("g", "m")
    guardian = at_rest(process)
    shown = " ".join(guardian.cmdline()) + json.dumps(guardian.environ())
    assert "swordfish" not in shown
    assert str(url) not in shown
    assert "PYTHONPATH" in guardian.environ()  # it is its own environment that was looked at


def test_it_is_small_and_holds_no_connection(url, guarded, at_rest, kind):
    process = guarded(url)
    process.join("g", "m")
    guardian = at_rest(process)
    memory = private_memory(guardian)
    assert 1.0 < memory < (WITH_PSYCOPG if kind == "postgresql" else SMALL)
    assert guardian.net_connections("inet") == []
    assert "sqlalchemy" not in loaded(guardian)
    assert [one.path for one in guardian.open_files() if "sqlite" in one.path] == []


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_supervisor_that_ends_what_is_left_does_not_end_it(joined, observer, eventually, signum):
    process, guardian = joined
    guardian.send_signal(signum)
    process.kill()
    assert_told(eventually(down(observer, "m")))


def test_the_signals_reach_nobody_while_it_starts(url, guarded, observer, eventually):
    process = guarded(url)
    process.begin("join", "g", "m")
    for one in eventually(lambda: guardians(process.pid)):
        one.send_signal(signal.SIGTERM)
    process.finish()
    process.kill()
    assert_told(eventually(down(observer, "m")))


def test_a_successor_is_untouched(url, guarded, observer, at_rest, eventually):
    process, successor = guarded(url), guarded(url)
    process.join("g", "m")
    process.join("g", "alone")
    guardian = at_rest(process)
    guardian.suspend()  # so slow that its word comes after the successor's
    process.kill()
    joined = successor.join("g", "m")
    guardian.resume()
    assert_told(eventually(down(observer, "alone")))
    [status] = [one for one in observer.get_members("g") if one.member_id == "m"]
    assert status.state is State.UP
    assert [status.member.instance_id, status.member.incarnation] == joined[:2]


def test_a_guardian_that_is_killed_is_replaced(url, guarded, observer, at_rest, eventually):
    process = guarded(url)
    process.join("g", "m")
    for _ in range(2):
        guardian = at_rest(process)
        guardian.kill()
        eventually(gone(guardian))
        successor = at_rest(process)
        assert successor.pid != guardian.pid
        process.wait_until(lambda: process.logged("has a guardian again"))
    assert len(process.logged("it was killed; another one is being started", "WARNING")) == 2
    process.kill()
    assert_told(eventually(down(observer, "m")))


@pytest.fixture
def outage(kind, request, monkeypatch, tmp_path):
    """A store that can be taken away, ready for members."""
    if kind == "sqlite":
        outage = LockOutage(str(tmp_path / "away.sqlite"), "locked by a running writer")
    else:
        server = request.getfixturevalue(f"{kind}_server")()
        # A memcached that is stopped comes back with nobody in it.
        outage = ServerOutage(server, "paused" if kind == "memcached" else "stopped")
        if kind == "zookeeper":
            use_zookeeper(monkeypatch, server.address)
        elif kind == "memcached":
            use_memcached(monkeypatch, server.address)
    if outage.url is not None:
        migrated(outage.url)
    yield outage
    outage.end()


def test_a_database_that_is_away_when_it_dies_is_told_later(
    outage, guarded, make, at_rest, eventually
):
    process = guarded(outage.url)
    process.join("g", "m")
    guardian = at_rest(process)
    outage.begin()
    process.kill()
    process.silent()  # whoever reads its output does not wait for the guardian
    assert guardian.is_running()
    outage.end()
    assert_told(eventually(down(make(outage.url, **PATIENT), "m")))
    eventually(gone(guardian))


def test_who_left_needs_no_database_to_dismiss_it(outage, guarded, at_rest, eventually):
    process = guarded(outage.url)
    process.join("g", "m")
    guardian = at_rest(process)
    process.tell("leave", "g", "m")
    outage.begin()
    process.tell("close")
    eventually(gone(guardian))


def test_who_cannot_leave_at_its_end_is_ended(outage, guarded, make, at_rest, eventually):
    process = guarded(outage.url, stop_deadline=0.1)
    process.join("g", "m")
    at_rest(process)
    outage.begin()
    process.close()
    outage.end()
    assert_told(eventually(down(make(outage.url, **PATIENT), "m")))


def test_its_work_is_bounded(outage, guarded, at_rest, eventually):
    process = guarded(outage.url, report_interval=0.2, service_down_time=1.0)
    process.join("g", "m")
    guardian = at_rest(process)
    outage.begin()
    process.kill()
    eventually(gone(guardian))


@pytest.mark.usefixtures("url")
@pytest.mark.parametrize("kind", [pytest.param("zookeeper", marks=pytest.mark.server("zookeeper"))])
def test_all_stores_are_told(daemon, make, at_rest, tmp_path):
    url = migrated(f"sqlite:///{tmp_path}/records.sqlite")
    process = daemon(url, guardian=True, **PATIENT)
    process.join("g", "m")
    memory = private_memory(at_rest(process))
    records = make(url, driver="db", **PATIENT)
    with make(url, **PATIENT).watch("g") as members, records.watch("g") as recorded:
        process.kill()
        for watch in (members, recorded):
            while (event := watch.next_event(30)).type is not EventType.DOWN:
                pass
            assert_told(event.status.liveness)
    assert memory < SMALL


@pytest.mark.parametrize("kind", ["sqlite"])
def test_green_threads_have_one_too(url, observer, eventually):
    options = json.dumps({"guardian": True, **PATIENT, "report_interval": 0.1})
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "fleet.green", url, options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment_of_daemons(),
    )
    try:
        assert process.stdout.readline() == "beating\n"
        assert len(guardians(process.pid)) == 1
    finally:
        process.kill()
        _, complaints = process.communicate()
    assert "no guardian" not in complaints
    assert_told(eventually(down(observer, "green")))
