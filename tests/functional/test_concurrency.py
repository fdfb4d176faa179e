"""Many processes at the same time: nobody is refused, and everybody knows whose it is."""

import random
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from fleet.group import configuration
from fleet.process import environment_of_daemons

from servicegroup import config, schema
from servicegroup.db import listen, payload
from servicegroup.db.engine import Database

PROCESSES = 8
#: Eight processes share two processors: one statement may take its time.
PATIENT = {"report_interval": 2.0, "service_down_time": 60.0}
MEMBERS = [f"m{number}" for number in range(40)]

#: Forks what is to happen at the same time: six imports of everything would come one by one.
UPGRADE = """
import os, sys
import servicegroup.db.migrate, alembic.command
from fleet.group import configuration
from servicegroup import schema
waiting, starting = os.pipe()
children = []
for _ in range(6):
    child = os.fork()
    if child == 0:
        os.close(starting)
        os.read(waiting, 1)
        schema.upgrade(configuration(sys.argv[1], service_down_time=60.0))
        os._exit(0)
    children.append(child)
os.close(starting)
print([os.waitpid(child, 0)[1] for child in children])
"""


def test_overlapping_joins_in_any_order(url, daemon, make, eventually):
    processes = [daemon(url, wait=False, **PATIENT) for _ in range(PROCESSES)]
    for process in processes:
        process.ready()
    # Half of them one by one, half of them many in a transaction, which is how deadlocks come.
    for number, process in enumerate(processes):
        how = ("join_all", "join_together")[number % 2]
        process.begin(how, "g", random.sample(MEMBERS, len(MEMBERS)))
    given = [process.finish() for process in processes][::2]
    for member_id in MEMBERS:
        assert len({one[member_id] for one in given}) == PROCESSES // 2
    observer = make(url, **PATIENT)

    def held():
        members = observer.get_members("g")
        if [one.member.incarnation for one in members] != [PROCESSES] * len(MEMBERS):
            return None
        return {one.member_id: one.process_id for one in members}

    holders = eventually(held)
    assert set(holders) == set(MEMBERS)

    def alive():
        told = [(one.pid, one.tell("alive", "g")) for one in processes]
        return {(m, pid) for pid, members in told for m, alive in members.items() if alive}

    eventually(lambda: alive() == set(holders.items()))
    errors = [error for process in processes for error in process.logged("", "ERROR")]
    assert [error for error in errors if "superseded: process" not in error] == []
    assert len(errors) == (PROCESSES - 1) * len(MEMBERS)


def test_six_processes_upgrade_one_empty_database(empty_url):
    run = [sys.executable, "-c", UPGRADE, empty_url]
    done = subprocess.run(
        run, env=environment_of_daemons(), capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{[0] * 6}\n", done.stderr
    assert schema.read(configuration(empty_url)).is_current


def test_a_new_file_that_another_writes_is_waited_for(tmp_path):
    file = tmp_path / "servicegroup.sqlite"
    conf = configuration(f"sqlite:///{file}", **PATIENT)
    upgraded = threading.Thread(target=schema.upgrade, args=[conf])
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")  # beside it, SQLite refuses the first switch at once
        upgraded.start()
        time.sleep(0.5)
        other.execute("COMMIT")
    upgraded.join()
    assert schema.read(conf).is_current


def test_eight_processes_make_the_default_database(daemon, tmp_path):
    environment = {"XDG_STATE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    settings = {"environment": environment, **PATIENT}
    processes = [daemon(None, wait=False, **settings) for _ in range(PROCESSES)]
    for process in processes:
        process.ready()
    for number, process in enumerate(processes):
        process.begin("join", "g", f"m{number}")
    for process in processes:
        process.finish()
    file = Path(tmp_path, "servicegroup", "servicegroup.sqlite")
    assert file.exists()
    for process in processes:
        assert process.tell("states", "g") == {f"m{n}": "up" for n in range(PROCESSES)}
        assert len(process.logged(f"keeping records in {file}")) == 1
        assert not [one for one in process.heard("log") if one["level"] != "INFO"]


@pytest.mark.server("postgresql")
@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
def test_notices_of_strangers_do_not_deafen_a_watch(url, make, eventually):
    group = make(url, report_interval=600.0, service_down_time=3600.0)
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with group.watch("g") as watch, engine.connect() as stranger:
        for words in ("", "5", '["g"]', '["g", 5]', '["g", [["m"]]]', "[7, null]", "[" * 5000):
            notify = sa.select(sa.func.pg_notify(payload.CHANNEL, words))
            eventually(lambda notify=notify: stranger.execute(notify) and watch.fresh)
        group.join("g", "m")
        assert eventually(lambda: watch.is_up("m", unknown=False))
    engine.dispose()


def test_the_connection_for_notices_is_opened_like_the_others(monkeypatch):
    conf = configuration("postgresql://u@h/d?options=-cwork_mem%3D8MB")
    conf.set_override("connection_parameters", "sslmode=require", config.DATABASE_GROUP)
    asked = {}
    monkeypatch.setattr(listen, "connector", lambda timeout: lambda **named: asked.update(named))
    listen.Listener(Database(conf, config.settings(conf)))._connect()
    assert asked["sslmode"] == "require"
    assert asked["options"].startswith("-cwork_mem=8MB -c ")
    assert asked["application_name"] == "servicegroup-listen"
