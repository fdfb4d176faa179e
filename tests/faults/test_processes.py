"""Members as real processes: killed, stopped beyond their limit, and by wall clocks that lie."""

import contextlib
import sqlite3
import time

import faketime
import pytest
import sqlalchemy as sa
from fleet.group import DOWN, INTERVAL
from servers.fixtures import requirements

from servicegroup import NoSuchService, State
from servicegroup.db.tables import instances

HOUR = 3600.0


@pytest.fixture
def skewed():
    with requirements():
        faketime.library()
    return lambda seconds: {"environment": faketime.skewed_environment(seconds)}


@pytest.fixture
def observer(make, url):
    """A group whose member also bears witness: somebody is heard throughout."""
    observer = make(url)
    observer.join("other", "witness")
    return observer


def verdict_of(observer, member_id, state):
    """Say what is asked until it is so: the verdict, once it is *state*."""

    def asked():
        verdict = observer.liveness("g", member_id)
        return verdict if verdict.state is state else None

    return asked


def instance_ids(url):
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = set(connection.scalars(sa.select(instances.c.instance_id)))
    engine.dispose()
    return found


def test_wall_clocks_an_hour_off_change_nothing(url, observer, daemon, skewed, eventually):
    members = {
        "ahead": daemon(url, wait=False, **skewed(HOUR)),
        "behind": daemon(url, wait=False, **skewed(-HOUR)),
    }
    onlookers = [
        daemon(url, wait=False, **skewed(HOUR)),
        daemon(url, wait=False, **skewed(-HOUR)),
    ]
    for process in (*members.values(), *onlookers):
        process.ready()
    for member_id, process in members.items():
        process.join("g", member_id)
    until = time.monotonic() + 3 * INTERVAL
    while time.monotonic() < until:
        assert observer.states("g") == {"ahead": State.UP, "behind": State.UP}
        for onlooker in onlookers:
            assert onlooker.tell("states", "g") == {"ahead": "up", "behind": "up"}
    for process in members.values():
        process.kill()
    for member_id in members:
        verdict = eventually(verdict_of(observer, member_id, State.DOWN))
        assert verdict.age > DOWN
        assert verdict.since == pytest.approx(verdict.age - DOWN)
        assert verdict.reason == f"no beat for {verdict.age:.1f} s, more than {DOWN:.1f} s"
    for onlooker in onlookers:
        assert onlooker.tell("states", "g") == {"ahead": "down", "behind": "down"}
        assert "no beat for" in onlooker.tell("reason", "g", "ahead")


def test_a_stopped_process_goes_down_and_comes_back(url, observer, daemon, eventually):
    stopped = daemon(url)
    joined = stopped.join("g", "m")
    stopped.pause()
    verdict = eventually(verdict_of(observer, "m", State.DOWN))
    assert "no beat for" in verdict.reason
    assert verdict.since is not None
    assert not stopped.heard("lost")
    stopped.resume()
    lost = stopped.wait_until(lambda: stopped.heard("lost"))
    assert "no beat of this process was stored for" in lost[0]["reason"]
    eventually(verdict_of(observer, "m", State.UP))
    stopped.wait_until(lambda: stopped.logged("is seen again"))
    eventually(lambda: stopped.tell("alive", "g") == {"m": True})
    assert stopped.tell("lost", "g", "m") is None
    [status] = observer.get_members("g")
    assert [status.member.instance_id, status.member.incarnation, status.process_id] == joined
    assert status.uptime < DOWN  # it counts from coming back


def test_what_befell_a_stopped_process_it_learns_when_it_wakes(url, observer, daemon, eventually):
    stopped, newer = daemon(url, wait=False), daemon(url, wait=False, host="node-b")
    stopped.ready()
    for member_id in ("superseded", "left", "deleted", "kept"):
        stopped.join("g", member_id)
    newer.ready()
    _pause_outside_a_write(stopped, url)
    _take_away(observer, newer)
    stopped.resume()
    _learns(stopped, newer)
    _stays_so(observer, newer, stopped, eventually)


def test_it_learns_so_when_even_its_row_was_swept(url, observer, daemon, make, eventually):
    stopped, newer = daemon(url, wait=False), daemon(url, wait=False, host="node-b")
    stopped.ready()
    for member_id in ("superseded", "left", "deleted"):
        instance_id, *_ = stopped.join("g", member_id)
    newer.ready()
    _pause_outside_a_write(stopped, url)
    _take_away(observer, newer)
    assert instance_id in instance_ids(url)

    def swept():
        # The first join of a process sweeps what has no members and is silent for two windows.
        make(url).join("other", f"sweeper-{time.monotonic()}").leave()
        time.sleep(INTERVAL)
        return instance_id not in instance_ids(url)

    time.sleep(2 * DOWN)
    eventually(swept)
    stopped.resume()
    _learns(stopped, newer)
    _stays_so(observer, newer, stopped, eventually)


def _pause_outside_a_write(process, url):
    """Stop it where it does not hold SQLite's one write lock, which would stop all others too."""
    database = sa.make_url(url)
    process.pause()
    while database.get_backend_name() == "sqlite" and _locked(database.database):
        process.resume()
        time.sleep(INTERVAL / 10)
        process.pause()


def _locked(path):
    with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False


def _take_away(observer, newer):
    newer.join("g", "superseded")
    assert observer.leave("g", "left") is True
    observer.services.delete("g", "deleted")


def _learns(stopped, newer):
    def told():
        return {one["lost"]: one["reason"] for one in stopped.heard("lost") if _final(one)}

    assert stopped.wait_until(lambda: told() if len(told()) == 3 else None) == {
        "superseded": f"superseded: process {newer.pid} on host node-b joined later under the "
        f"same member id",
        "left": "removed by an operator",
        "deleted": "removed by an operator",
    }


def _final(one):
    return "no beat of this process" not in one["reason"]


def _stays_so(observer, newer, stopped, eventually):
    """What was done stays done, while the process that woke up beats on."""
    until = time.monotonic() + 3 * INTERVAL
    while time.monotonic() < until:
        members = {status.member_id: status.process_id for status in observer.get_members("g")}
        assert members.pop("kept", stopped.pid) == stopped.pid
        assert members == {"superseded": newer.pid}
        time.sleep(INTERVAL)
    with pytest.raises(NoSuchService):
        observer.services.get("g", "deleted")
    assert observer.services.get("g", "left").left_at is not None
    assert observer.is_up("g", "superseded")
    assert newer.tell("alive", "g") == {"superseded": True}
    assert not any(
        alive for one, alive in stopped.tell("alive", "g").items() if one not in ("kept",)
    )
    errors = stopped.logged("is no longer a member", "ERROR")
    assert len(errors) == 3
    [superseded] = [error for error in errors if "superseded" in error.partition(": ")[2]]
    assert f"process {newer.pid} on host node-b" in superseded
