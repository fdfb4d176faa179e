"""Whether all is well, and what to do if not."""

import importlib.metadata
from importlib.metadata import EntryPoint

import pytest
from program.cli import UNREACHABLE

from servicegroup import ServiceGroup, doctor
from servicegroup.driver import Finding
from servicegroup.testing import MemoryStore

#: Whoever is killed just falls silent.
SILENT = {"OS_SERVICEGROUP__GUARDIAN": "false"}


def findings(done):
    """Read the findings of one run: {check: (result, remedy)}, the last one of a check wins."""
    rows = [line.strip("|").split("|") for line in done.stdout.splitlines() if line[0] == "|"]
    return {check.strip(): (result.strip(), remedy.strip()) for check, result, remedy in rows[1:]}


def test_all_is_well(cli, service_group):
    service_group.join("g", "m")
    done = cli("doctor")
    found = findings(done)
    assert done.returncode == 0, done.stdout
    assert done.stderr == "", "no library's word to developers either"
    assert list(found) == [
        *("configuration", "driver", "tables", "store", "file system", "processes", "members")
    ]
    assert all(result.startswith("ok: ") for result, _ in found.values())
    assert str(cli.config) in found["configuration"][0]
    assert "installed are db" in found["driver"][0]
    assert " ms" in found["store"][0]
    assert found["processes"][0] == "ok: 1 beat, 0 are silent or ended"
    assert found["members"][0] == "ok: 1 of 1 are up"


def test_tables_are_missing(inside_fresh):
    done = inside_fresh("doctor")
    assert done.returncode == 1
    assert findings(done)["tables"][1] == "run 'servicegroup db upgrade'"
    assert "store" not in findings(done)


def test_the_store_does_not_answer(cli, inside):
    cli.configure(database=UNREACHABLE)
    done = inside("doctor")
    assert done.returncode == 3
    result, remedy = findings(done)["store"]
    assert result.startswith("wrong: ")
    assert "127.0.0.1:1" in result
    assert "secret" not in result
    assert remedy


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"driver": "etcd9"}, "driver='etcd9' is not installed"),
        ({"report_to": "memory,etcd9"}, "report_to='etcd9' is not installed"),
        ({"service_down_time": 0.3}, "use at least 0.66"),
        ({"report_interval": "soon"}, "'soon'"),
    ],
)
def test_the_configuration_cannot_work(cli, inside, options, words):
    cli.configure(**options)
    done = inside("doctor")
    assert done.returncode == 1
    assert words in findings(done)["configuration"][0]


def test_a_file_that_is_not_there(inside):
    done = inside("--config-file", "nowhere.conf", "doctor")
    assert done.returncode == 1
    assert "nowhere.conf" in findings(done)["configuration"][0]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("report_intervall", "write report_interval"),
        ("service-down-time", "write service_down_time"),
        ("zzz", "take it out"),
        ("OS_SERVICEGROUP__DRIVR", "write driver"),
        ("OS_SERVICEGROUP_DRIVER", "write driver"),
    ],
)
def test_settings_that_nobody_reads(cli, inside, name, meant):
    if name.startswith("OS_"):
        done = inside("doctor", env={name: "db"})
    else:
        cli.configure(**{name: 3})
        done = inside("doctor")
    assert done.returncode == 1
    result, remedy = findings(done)["configuration"]
    assert name in result
    assert "nobody reads it" in result
    assert remedy == meant


def test_options_of_others_are_no_concern(cli, inside):
    with cli.config.open("a") as file:
        file.write("max_pool_size = 3\n[nova]\nanything = 1\n")
    assert inside("doctor").returncode == 0


def test_silent_members(cli, steady, inside, until, service_group):
    process = cli.start("run", "--group", "g", "--", "sleep", "30", env=SILENT)
    until(lambda: service_group.groups() == ["bystanders", "g"])
    process.kill()
    until(lambda: not service_group.is_up("g", "node-1", unknown=True))
    done = inside("doctor")
    assert done.returncode == 1
    result, remedy = findings(done)["members"]
    assert "1 of 2 are up; g/node-1: no beat for" in result
    assert "servicegroup service delete" in remedy
    assert "1 beat, 1 are silent" in findings(done)["processes"][0]


def test_the_operators_word_is_no_trouble(inside, service_group):
    service_group.join("g", "m")
    service_group.services.force_down("g", "m", "fenced")
    done = inside("doctor")
    assert done.returncode == 0
    assert findings(done)["members"][0] == "ok: 0 of 1 are up"


def test_processes_that_beat_too_seldom(cli, inside):
    cli.configure(report_interval=300, service_down_time=1200)
    with ServiceGroup(cli.conf()) as rare:
        rare.join("g", "m")
        cli.configure(service_down_time=60)
        done = inside("doctor")
    assert done.returncode == 1
    result, remedy = findings(done)["processes"]
    assert "too seldom for service_down_time=60" in result
    assert "beats every 5 min" in result
    assert "the same report_interval" in remedy


def test_members_that_came_back_without_having_left(cli, inside):
    for _ in range(3):
        crashed = ServiceGroup(cli.conf())
        crashed.join("g", "m")
        crashed._process.heart._memberships.clear()  # so that closing it leaves nothing
        crashed.close()
    done = inside("doctor")
    assert done.returncode == 1
    result, remedy = findings(done)["returns"]
    assert result == "wrong: 1 came back lately without having left: g/m (2 times)"
    assert "two processes use one member id" in remedy


@pytest.fixture
def reporting(cli):
    """A process that is judged by the database and reports to the memory store as well."""
    cli.configure(report_to="memory,db")
    with ServiceGroup(cli.conf()) as reporting:
        yield reporting


def test_a_fleet_that_can_switch(reporting, inside, until):
    reporting.join("g", "m")
    until(lambda: reporting.readiness()[0].ready)
    done = inside("doctor")
    assert done.returncode == 0, done.stdout
    found = findings(done)
    words = "ok: ready to switch: all 1 members of 'g' also report to memory"
    assert found["report_to memory"][0] == words
    assert found["driver"][0] == "ok: db of report_to is left out: it is named already"


def test_a_fleet_that_cannot_switch_yet(service_group, reporting, inside, until):
    reporting.join("g", "m")
    for number in range(5):
        service_group.join("g", f"old-{number}")
    until(lambda: len(reporting.readiness()[0].missing) == 5)
    done = inside("doctor")
    assert done.returncode == 1
    result, remedy = findings(done)["report_to memory"]
    assert result == (
        "wrong: not ready to switch: 1 of 6 members of 'g' also report to memory; missing: "
        "old-0 (not there), old-1 (not there), old-2 (not there) and 2 more"
    )
    assert "report_to=memory there" in remedy


def test_a_further_store_that_is_away(reporting, inside):
    reporting.join("g", "m")
    store = MemoryStore.named("default")
    store.unavailable = True
    try:
        done = inside("doctor")
    finally:
        store.unavailable = False
    assert done.returncode == 1
    result, remedy = findings(done)["report_to memory"]
    assert "not ready to switch: the store of driver 'memory' did not answer" in result
    assert "no verdict depends on it" in remedy


@pytest.mark.parametrize(("used", "well"), [(80, True), (81, False)])
def test_connections_that_run_out(used, well):
    finding = doctor._connections(used, 100)
    assert finding.well is well
    assert f"{used} of 100 connections" in finding.result
    assert ("max_connections" in finding.remedy) is not well


def calm(_conf):
    yield Finding("calm", True, "nothing to say")


def tired(_conf):
    yield Finding("rack", True, "has 3 slots")
    raise LookupError("the fourth slot")


def test_whoever_contributes_and_fails_fails_alone(cli, inside, monkeypatch):
    """One cannot be imported, one fails half-way; all the others are heard."""
    others = [
        EntryPoint("gone", "no_such_package:examine", doctor.NAMESPACE),
        EntryPoint("tired", f"{__name__}:tired", doctor.NAMESPACE),
        EntryPoint("calm", f"{__name__}:calm", doctor.NAMESPACE),
    ]
    real = importlib.metadata.entry_points

    def entry_points(**which):
        return others if which == {"group": doctor.NAMESPACE} else real(**which)

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    done = inside("doctor")
    assert done.returncode == 1
    found = findings(done)
    assert found["store"][0].startswith("ok: ")
    assert found["rack"] == ("ok: has 3 slots", "")
    assert "no_such_package:examine cannot be used: ModuleNotFoundError" in found["gone"][0]
    assert "LookupError: the fourth slot" in found["tired"][0]
    assert "uninstall" in found["gone"][1]
    assert found["calm"][0] == "ok: nothing to say"


def test_nothing_is_changed(cli, inside):
    before = cli.database.read_bytes()
    assert inside("doctor").returncode == 0
    assert cli.database.read_bytes() == before
