"""The fleet simulator: what it says of a tiny fleet, and how its table judges."""

import math
import pathlib
import re
import signal
import subprocess
import sys

import psutil
import pytest
from servers.fixtures import requirements
from servers.memcached import Memcached

from benchmarks.load.beating import Beat, Beating
from benchmarks.load.kills import Kills
from benchmarks.load.page import Seen, rows_of

ROOT = pathlib.Path(__file__).parents[2]

TINY = (
    *("--seconds", "1", "--members", "6", "--processes", "1", "--instances", "8"),
    *("--connections", "4", "--kills", "2", "--victims", "2", "--beside", "4"),
    *("--interval", "0.3", "--down-time", "30", "--poll", "0.2"),
    *("--short-interval", "0.3", "--short-down-time", "3"),
)


def command(place, *more):
    return [sys.executable, "-m", "benchmarks.load", "--place", place, *TINY, *more]


@pytest.mark.server("memcached")
def test_a_tiny_fleet_beats_and_is_killed_and_nobody_else_is_called_down(tmp_path):
    with requirements():
        Memcached.find()
    page = tmp_path / "load.md"
    done = subprocess.run(
        command("memcache", "--output", str(page)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert page.read_text().strip() == done.stdout.strip()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in done.stdout.splitlines()
        if line.startswith("| ")
    ]
    titles = [name for name, *_ in rows if name.startswith("**")]
    assert "**6 members in 1 process**" in titles
    assert any(name.startswith("**8 instances over 4 connections") for name in titles)
    assert "**2 processes killed, with guardian**" in titles
    assert "**2 processes killed, without guardian**" in titles
    found = {}
    for name, value, *_ in rows:
        found.setdefault(name, []).append(value)
    assert found["false downs"] == ["0"] * 4
    assert all(float(re.match(r"[\d.]+", one)[0]) > 0 for one in found["beats a second"])
    assert "never" not in found["detection, max"], "somebody who was killed was not called down"


def test_an_interrupted_run_leaves_no_process():
    run = subprocess.Popen(
        command("sqlite", "--seconds", "60"), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    with run:
        while "members" not in run.stderr.readline():
            pass
        started = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(signal.SIGINT)
        _, left = psutil.wait_procs(started, timeout=60)
        assert not left
        words = run.stderr.read()
    assert run.returncode == 130, words


BEATING = Beating(10, "how", False, 1.0, 1.0, 0.0, 0, 0.01, 0.02, 0.0015, None, 0, 0)


def verdicts(beating=BEATING, kills=()):
    seen = Seen(None, Beat(ours=1.5e-3, bare=1e-3, rested=4e-3, spread=1e-3), [beating], kills)
    return {row.what: row.reached for row in rows_of(seen) if row.reached is not None}


def test_a_beat_may_take_half_as_much_again_as_the_bare_clients():
    assert verdicts()["processor time of a beat, clients"]
    much = BEATING._replace(clients=0.0016)
    assert not verdicts(much)["processor time of a beat, clients"]
    resting = much._replace(rests=True)
    assert verdicts(resting)["processor time of a beat, clients"]


def test_one_false_down_is_one_too_many():
    assert not verdicts(BEATING._replace(false_downs=1))["false downs"]


def test_with_a_guardian_one_of_a_hundred_may_be_told_late():
    late = Kills(True, 0.05, [0.01] * 99 + [9.0], 0, 0)
    assert verdicts(kills=[late])["detection, p99"]
    assert not verdicts(kills=[late._replace(latencies=[0.01] * 98 + [9.0] * 2)])["detection, p99"]


def test_without_one_nobody_may_be_told_late_or_never():
    late = Kills(False, 5.05, [4.0] * 99 + [math.inf], 0, 0)
    assert not verdicts(kills=[late])["detection, max"]
    assert verdicts(kills=[late._replace(latencies=[5.0] * 100)])["detection, max"]
