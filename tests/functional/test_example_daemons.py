"""The daemons of the documentation, as they stand there: all of them at once, on each store."""

import configparser
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fleet.fixtures import migrated
from oslo_config import cfg
from program.stores import settings
from servers.ports import free_ports

import servicegroup

FOLDER = Path(__file__).parents[2] / "doc/examples/daemons"
UNIT = FOLDER / "backupd.service"
BIN = Path(sys.executable).parent
#: How many workers each group has together.
WORKERS = {"conductor": 2, "notifier": 2, "web": 2, "collector": 1, "backup": 1}
HOST = "node-1"
#: A beat may come late where seven programs start at once; nothing here waits for a death.
TIMES = {"REPORT_INTERVAL": "0.5", "SERVICE_DOWN_TIME": "10", "STOP_DEADLINE": "5"}
#: What the unit starts, in the place of a daemon that nobody has.
BACKUPD = '#!/bin/sh\ntest "$*" = --foreground && exec sleep 600\n'


@pytest.fixture(params=["postgresql", "zookeeper", "memcached"])
def store(request):
    """A server that may be restarted, and the settings that make it the store."""
    server = request.getfixturevalue(f"{request.param}_server")()
    if request.param == "postgresql":
        url = migrated(server.create_database())
        return server, {"OS_SERVICEGROUP_DATABASE__CONNECTION": url}
    return server, settings(server)


def exec_start(folder):
    """The command of the unit, with the programs where they are here."""
    unit = configparser.RawConfigParser()
    unit.read(UNIT)
    backupd = folder / "backupd"
    backupd.write_text(BACKUPD)
    backupd.chmod(0o755)
    places = {"/usr/bin/servicegroup": str(BIN / "servicegroup"), "/usr/bin/backupd": str(backupd)}
    words = shlex.split(unit["Service"]["ExecStart"])
    assert places.keys() <= set(words)
    return [places.get(word, word) for word in words]


@pytest.fixture
def daemons(store, tmp_path, monkeypatch):
    """Start them all; whatever is left is killed, each with its workers."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    for name, value in TIMES.items():
        monkeypatch.setenv(f"OS_SERVICEGROUP__{name}", value)
    monkeypatch.setenv("OS_SERVICEGROUP__HOST", HOST)
    for name, value in store[1].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (port,) = free_ports(1)
    bind = ["--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    commands = {
        "conductor": [sys.executable, "oslo_service_daemon.py"],
        "notifier": [sys.executable, "cotyledon_daemon.py"],
        "web": [str(BIN / "gunicorn"), "--config", "gunicorn.conf.py", *bind, "web"],
        "collector": [sys.executable, "asyncio_daemon.py"],
        "backup": exec_start(tmp_path),
    }
    started = {}
    for name, command in commands.items():
        with (tmp_path / f"{name}.log").open("wb") as log:
            started[name] = subprocess.Popen(
                command, cwd=FOLDER, stdout=log, stderr=log, start_new_session=True
            )
    yield started
    for process in started.values():
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def looking(daemons):
    conf = cfg.ConfigOpts()
    conf([], project="servicegroup")
    with servicegroup.ServiceGroup(conf) as looking:
        yield looking


def heard(looking, since=float("-inf")):
    """Who is up in each group, with all its workers, and was heard since."""
    found = {}
    for group, workers in WORKERS.items():
        for one in looking.get_members(group):
            beaten = one.liveness.age is None or one.liveness.age < time.monotonic() - since
            if (
                one.is_up
                and beaten
                and one.liveness.workers == (None if workers == 1 else (workers,) * 2)
            ):
                member = one.member
                found[group] = one.member_id, member.process_id, member.instance_id
    return found


def test_they_join_survive_a_restart_of_the_store_and_leave(
    store, daemons, looking, tmp_path, eventually
):
    def all_heard(**since):
        for name, process in daemons.items():
            assert process.poll() is None, (tmp_path / f"{name}.log").read_text()
        try:
            found = heard(looking, **since)
        except servicegroup.ServiceGroupError:
            return None
        return found if found.keys() == WORKERS.keys() else None

    before = eventually(all_heard)
    assert {member_id for member_id, *_ in before.values()} == {HOST}
    server = store[0]
    server.kill()
    if server.name == "zookeeper":  # what memcached does anyway: who is seen again has told it anew
        server.lose_data()
    server.start()
    restarted = time.monotonic()
    assert eventually(lambda: all_heard(since=restarted)) == before  # the same processes and lives

    for process in daemons.values():
        process.terminate()
    for name, process in daemons.items():
        status = process.wait(30)
        log = (tmp_path / f"{name}.log").read_text()
        assert status == (128 + signal.SIGTERM if name == "backup" else 0), log
        assert "Traceback" not in log, log
        assert looking.get_members(name) == []


def test_systemd_has_nothing_to_say_of_the_unit(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd here")
    command = shlex.join(exec_start(tmp_path))
    lines = [
        f"ExecStart={command}" if line.startswith("ExecStart=") else line
        for line in UNIT.read_text().splitlines()
    ]
    unit = tmp_path / UNIT.name
    unit.write_text("\n".join(lines))
    verify = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
