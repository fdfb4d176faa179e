"""The demo shows what it promises, and leaves nothing behind, however it ends."""

import os
import signal
import time
from pathlib import Path

import pytest
from program.cli import PROGRAM

from servicegroup.cli import demo

#: What must be seen, in this order.
STORY = [
    *("1. Six daemons", "joined", "servicegroup service list"),
    *("nova-compute", "node-1", "2. An operator", "--disable", "disabled: new memory"),
    *("--force-down", "forced down by the operator at", "3. One is stopped", "left", "gone after"),
    *("4. One is killed", "process ended without leaving", "That took", "no beat for"),
    *("Reason", "no: new memory"),
    *("5. The paused one", "up", "up again", "Try next", "servicegroup run"),
]


@pytest.fixture
def nothing_left(fresh):
    """Check afterwards: no file in the temporary directory, and no process that knows it."""
    before = {path.name for path in fresh.folder.iterdir()}
    yield
    until = time.monotonic() + 2
    while _processes(fresh.folder) and time.monotonic() < until:
        time.sleep(0.05)
    assert _processes(fresh.folder) == []
    assert {path.name for path in fresh.folder.iterdir()} - before == set()


def test_it_shows_what_it_promises(fresh, nothing_left):
    env = {"OS_SERVICEGROUP__DRIVER": "etcd9", "HOST_HOSTNAME": "elsewhere"}  # not its concern
    done = fresh.bare("demo", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    place = 0
    for words in STORY:
        found = done.stdout.find(words, place)
        assert found >= 0, f"{words!r} is not in {done.stdout[place:]}"
        place = found + len(words)
    assert done.stdout.count("joined") == 6


@pytest.mark.parametrize(
    ("act", "signum", "status"),
    [
        ("1. ", signal.SIGINT, 130),
        ("4. ", signal.SIGTERM, 128 + 15),
        ("2. ", signal.SIGHUP, 128 + 1),
    ],
)
def test_interrupted_it_cleans_up(fresh, nothing_left, act, signum, status):
    process = fresh.start("demo")
    while not process.stdout.readline().startswith(act):
        assert process.poll() is None
    process.stdout.readline()
    process.send_signal(signum)
    assert process.wait(20) == status
    assert "Traceback" not in process.stderr.read()


def test_killed_its_daemons_end(fresh):
    process = fresh.start("demo")
    while "service list" not in process.stdout.readline():
        assert process.poll() is None
    assert len(_processes(fresh.folder)) > len(demo.DAEMONS)
    process.kill()
    process.wait()
    until = time.monotonic() + 10
    while any("demo_daemon" in line for line in _processes(fresh.folder)):
        assert time.monotonic() < until
        time.sleep(0.05)
    for pid in _pids(fresh.folder):  # programs under `run` end with their minute
        os.kill(pid, signal.SIGKILL)


def test_what_does_not_happen_is_said(fresh, inside, monkeypatch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    monkeypatch.setattr(demo, "PATIENCE", 10.0)
    monkeypatch.setattr(demo, "PROGRAM", ("no-such-program",))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    done = inside("demo")
    assert done.returncode == 1
    first, *rest = done.stderr.splitlines()
    assert "nobody saw cache/node-1 joined within 10 s" in first
    assert any("'no-such-program' was not found" in line for line in rest)
    assert list(folder.iterdir()) == []


def test_the_program_is_the_installed_one():
    assert Path(PROGRAM).exists()


def _pids(folder):
    """Find processes whose environment names *folder*; not those of other tests."""
    mark = f"TMPDIR={folder}".encode()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)
        except OSError:
            continue


def _processes(folder):
    lines = []
    for pid in _pids(folder):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        lines.append(f"{pid} {line}")
    return lines
