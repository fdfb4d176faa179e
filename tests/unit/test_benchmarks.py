"""The benchmark runs and prints its tables; its figures are nobody's business here."""

import pathlib
import subprocess
import sys

import pytest
from servers.fixtures import requirements
from servers.memcached import Memcached
from servers.zookeeper import ZooKeeper

ROOT = pathlib.Path(__file__).parents[2]

EVERYWHERE = (
    "beat of a process, 1 member",
    "full objects",
    "is_up by query",
    "is_up by a watch",
    "watch: first load",
    "watch: poll, no change",
    "join, one",
    "join, all by one process",
    "memory of a watch",
    "event: join to JOINED",
    "event: change to CHANGED",
)
BESIDE_TOOZ = (
    "full objects, seen before",
    "full objects, tooz one by one",
    "is_up by query, first look",
    "join storm: 2 processes, 50 joins",
    "join storm: until a watch told all",
)


@pytest.mark.parametrize(
    ("place", "server", "operations"),
    [
        ("sqlite", None, ("ids and verdicts", "full objects, of 10 processes")),
        pytest.param("zookeeper", ZooKeeper, BESIDE_TOOZ, marks=pytest.mark.server("zookeeper")),
        pytest.param("memcache", Memcached, BESIDE_TOOZ, marks=pytest.mark.server("memcached")),
    ],
)
def test_the_benchmark_prints_a_table(tmp_path, place, server, operations):
    if server is not None:
        with requirements():
            server.find()
    page = tmp_path / "benchmarks.md"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--sizes", "20"]
    command += ["--place", place, "--output", str(page)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    for operation in ("import servicegroup", "of it: oslo.config", *EVERYWHERE, *operations):
        assert any(row.startswith(f"| {operation} ") for row in rows), operation
    assert page.read_text().strip() == done.stdout.strip()


OF_PLACEMENT = ("map all nodes", "one look-up", "memory of a ring", "first page, sqlite")
OF_REST = ("GET /v1/service/", "GET /v2.1/os-services", "GET /v1/conductors/{hostname}")
OF_THE_SYNCHRONIZER = (
    *("body to differences, flat", "body to differences, nested", "child to parent"),
    *("memory of an unchanged entity", "peak of a child, read in pages"),
)


@pytest.mark.parametrize(
    ("place", "operations"),
    [("placement", OF_PLACEMENT), ("rest", OF_REST), ("synchronizer", OF_THE_SYNCHRONIZER)],
)
def test_what_is_no_store_is_measured_too(tmp_path, place, operations):
    page = tmp_path / "benchmarks.md"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--place", place, "--sizes", "20"]
    command += ["--output", str(page)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line for line in page.read_text().splitlines() if line.startswith("| ")]
    for operation in operations:
        assert any(row.startswith(f"| {operation} ") for row in rows), operation
