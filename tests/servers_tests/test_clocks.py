"""Wall clocks are moved under processes and servers; monotonic clocks stay real."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import faketime
import pytest
from servers.account import ServerError
from servers.fixtures import requirements
from sqlalchemy import create_engine, text

CLOCKS = ("CLOCK_REALTIME", "CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW", "CLOCK_BOOTTIME")
READ = f"""
import json, threading, time
began = time.monotonic()
time.sleep(0.2)
condition = threading.Condition()
with condition:
    condition.wait(0.2)
threading.Event().wait(0.2)
waited = time.monotonic() - began
read = {{name: time.clock_gettime(getattr(time, name)) for name in {CLOCKS!r}}}
print(json.dumps([waited, read, time.time()]))
"""


@pytest.fixture
def faked():
    with requirements():
        return faketime.library()


def clocks():
    return {name: time.clock_gettime(getattr(time, name)) for name in CLOCKS}


@pytest.mark.parametrize("seconds", [3600, -3600, 0.5])
def test_only_the_wall_clock_of_a_process_is_skewed(faked, seconds):
    environment = faketime.skewed_environment(seconds)
    before = clocks()
    argv = [sys.executable, "-c", READ]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    after = clocks()
    waited, read, wall = json.loads(done.stdout)
    assert waited >= 0.59
    assert before["CLOCK_REALTIME"] <= wall - seconds <= after["CLOCK_REALTIME"]
    assert before["CLOCK_REALTIME"] <= read.pop("CLOCK_REALTIME") - seconds
    assert all(before[name] <= value <= after[name] for name, value in read.items()), read


def test_what_runs_under_a_skewed_clock_keeps_its_own_search_path(faked, tmp_path):
    (tmp_path / "mine.py").write_text("")
    environment = faketime.skewed_environment(60, {"PYTHONPATH": str(tmp_path)})
    subprocess.run([sys.executable, "-c", "import mine"], env=environment, check=True)


@pytest.mark.parametrize(
    ("factory", "now"),
    [
        ("postgresql_server", "SELECT extract(epoch FROM clock_timestamp())"),
        ("mariadb_server", "SELECT unix_timestamp(now(6))"),
        ("mariadb_server", "SELECT timestampdiff(MICROSECOND, '1970-01-01', utc_timestamp(6))/1e6"),
    ],
)
def test_the_clock_of_a_running_server_is_stepped(faked, request, factory, now):
    server = request.getfixturevalue(factory)(skewable=True)
    engine = create_engine(server.create_database())

    def ahead(connection):
        return float(connection.execute(text(now)).scalar_one()) - time.time()

    with engine.connect() as connection:
        assert ahead(connection) == pytest.approx(0, abs=0.5)
        server.step_clock(300)
        assert ahead(connection) == pytest.approx(300, abs=0.5)
        server.step_clock(-900)
        assert ahead(connection) == pytest.approx(-600, abs=0.5)
    engine.dispose()
    server.restart()
    with engine.connect() as connection:
        assert ahead(connection) == pytest.approx(-600, abs=0.5)
        server.step_clock(600)
        assert ahead(connection) == pytest.approx(0, abs=0.5)
    engine.dispose()


def test_a_killed_server_leaves_no_shared_memory(faked, mariadb_server):
    server = mariadb_server(skewable=True)
    left = [Path("/dev/shm", name.format(server.pid)) for name in NAMES]
    assert any(path.exists() for path in left)
    server.kill()
    assert not any(path.exists() for path in left)


NAMES = ("faketime_shm_{}", "sem.faketime_sem_{}")


def test_a_server_by_the_real_clock_cannot_be_stepped(mariadb):
    with pytest.raises(ServerError, match="skewable=True"):
        mariadb.step_clock(1)


def test_the_zone_of_a_server_is_nobodys(postgresql_url, mariadb_url):
    assert os.environ.get("TZ") != "<+1245>-12:45"
    for url, question, answer in (
        (postgresql_url, "SELECT to_char(now(), 'OF')", "+12:45"),
        (mariadb_url, "SELECT timediff(now(), utc_timestamp()) = '12:45:00'", 1),
    ):
        engine = create_engine(url)
        with engine.connect() as connection:
            assert connection.execute(text(question)).scalar_one() == answer
        engine.dispose()
