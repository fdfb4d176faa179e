"""``servicegroup synchronizer``: one picture of what runs, on the command line."""

import json

import pytest
from program.cli import UNREACHABLE


@pytest.fixture
def file(cli, tmp_path):
    """A static file, and the program configured with it."""
    path = tmp_path / "static.yaml"
    data = "{rack: B, since: 2026-01-01T00:00:00Z}"
    path.write_text(f"entities:\n- {{key: a, state: up, data: {data}}}\n- {{key: b}}\n")
    cli.environment |= {
        "OS_SYNCHRONIZER__PLUGINS": "static",
        "OS_SYNCHRONIZER__BASELINE_PATH": str(tmp_path / "baseline.sqlite"),
        "OS_SYNCHRONIZER_STATIC__PATH": str(path),
    }
    return path


DATA = {"rack": "B", "since": "2026-01-01T00:00:00Z"}


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_run_prints_everything_and_goes_on_where_it_was(file, inside):
    done = inside("synchronizer", "run", "--timeout", "3", "--name", "me")
    assert done.returncode == 0
    first = lines(done)
    assert [one["op"] for one in first] == [
        *("snapshot_begin", "snapshot", "snapshot", "snapshot_end"),
    ]
    assert first[1]["key"] == "a"
    assert first[1]["data"] == DATA
    file.write_text("entities:\n- {key: a, state: down}\n")
    done = inside("synchronizer", "run", "--timeout", "3", "--name", "me", "--resume")
    assert sorted((one["op"], one["key"]) for one in lines(done)) == [
        *(("delete", "b"), ("update", "a")),
    ]


def test_snapshot_polls_and_prints(file, inside):
    done = inside("synchronizer", "snapshot", "--long", "-f", "json")
    assert done.returncode == 0
    assert [(one["Key"], one["State"], one["Data"]) for one in json.loads(done.stdout)] == [
        *(("a", "up", DATA), ("b", None, {})),
    ]
    assert not file.with_name("baseline.sqlite").exists(), "it keeps nothing"


def test_a_source_that_cannot_be_read_is_an_error(file, inside):
    file.unlink()
    done = inside("synchronizer", "snapshot")
    assert done.returncode != 0
    assert "No such file" in done.stderr
    assert done.stdout == ""


def test_plugins_are_listed(file, inside):
    done = inside("synchronizer", "plugins", "-f", "json")
    rows = {row["Name"]: row for row in json.loads(done.stdout)}
    assert rows["static"] == {
        "Name": "static",
        "Kind": "collector",
        "Entity Types": ["static"],
        "Status": "configured",
    }
    assert rows["servicegroup"]["Status"] == "installed"


def test_status_reads_the_baseline(file, inside):
    assert inside("synchronizer", "status").returncode == 2
    inside("synchronizer", "run", "--timeout", "3", "--name", "me")
    rows = json.loads(inside("synchronizer", "status", "-f", "json").stdout)
    assert {(row["Kind"], row["Name"], row["Status"], row["Entities"]) for row in rows} == {
        ("source", "static", "ok", None),
        ("consumer", "me", "up to date", None),
        ("type", "static", "complete", 2),
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--type", "nova.server"], "no configured plugin delivers 'nova.server'"),
        (["run", "--resume"], "needs the name="),
        (["snapshot", "--type", "nova.server"], "there are: static"),
    ],
)
def test_bad_input_is_said(file, inside, words, said):
    done = inside("synchronizer", *words)
    assert done.returncode != 0
    assert said in done.stderr


def test_the_demo_keeps_what_it_promises(cli):
    done = cli("synchronizer", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "delete   demo.machine         vm-1" in done.stdout


def test_doctor_looks_at_it_also_where_the_store_is_silent(cli, file, inside):
    assert inside("doctor").returncode == 0
    file.unlink()
    cli.configure(database=UNREACHABLE)
    done = inside("doctor")
    assert done.returncode == 3
    assert "plugin static" in done.stdout
    assert "static.yaml cannot be read" in done.stdout
