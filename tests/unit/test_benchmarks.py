"""The benchmark runs and prints its tables; its figures are nobody's business here."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]


def test_the_benchmark_prints_a_table(tmp_path):
    page = tmp_path / "benchmarks.md"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--sizes", "20"]
    command += ["--database", "sqlite", "--output", str(page)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    for operation in (
        "import servicegroup",
        "beat of a process, 1 member",
        "ids and verdicts",
        "full objects",
        "is_up by query",
        "is_up by a watch",
        "watch: first load",
        "join, one",
        "memory of a watch",
        "event: join to JOINED",
    ):
        assert any(row.startswith(f"| {operation} ") for row in rows), operation
    assert page.read_text().strip() == done.stdout.strip()
