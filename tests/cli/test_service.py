"""Who is there, in words for people and in values for programs; the operator's word on each."""

import csv
import io
import json
import os
from datetime import datetime, timedelta

import pytest
import yaml
from program.cli import HOST

from servicegroup import ServiceGroup

SHORT = ["Name", "Process Id", "Hostname", "Created At", "Status", "Uptime"]
LONG = [*SHORT, "Group", "Member", "Reason", "Last Seen", "Enabled", "Version", "Attributes"]


@pytest.fixture
def rows(inside):
    """Run a command and read its JSON."""

    def rows(*arguments):
        done = inside(*arguments, "-f", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return rows


@pytest.fixture
def member(service_group):
    attributes = {"zone": "east", "weight": 3}
    return service_group.join(
        "compute", "node-1", name="nova-compute", attributes=attributes, version=7
    )


def test_a_table_shows_the_columns_of_the_specification(cli, member):
    done = cli("service", "list")
    head, row = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in done.stdout.splitlines()
        if line.startswith("|")
    )
    assert head == SHORT
    assert row[:3] == ["nova-compute", str(os.getpid()), HOST]
    assert row[4] == "up"
    assert row[5].endswith(" s")
    assert done.returncode == 0
    assert done.stderr == ""


def test_json_holds_exactly_these_keys_and_values_for_machines(rows, member):
    (one,) = rows("service", "list")
    assert list(one) == SHORT
    assert one["Name"] == "nova-compute"
    assert one["Process Id"] == os.getpid()
    assert one["Hostname"] == HOST
    assert one["Status"] == "up"
    assert 0 < one["Uptime"] < 60
    created = datetime.fromisoformat(one["Created At"])
    assert created.utcoffset() == timedelta(0)
    assert one["Created At"].endswith("+00:00")
    assert created == member.member.created_at.replace(microsecond=0)


def test_long_adds_to_the_short_columns(rows, inside, member):
    (one,) = rows("service", "list", "--long")
    assert list(one) == LONG
    assert (one["Group"], one["Member"], one["Version"]) == ("compute", "node-1", 7)
    assert one["Enabled"] is True
    assert one["Attributes"] == {"zone": "east", "weight": 3}
    assert one["Reason"].startswith("last beat")
    age = datetime.now().astimezone() - datetime.fromisoformat(one["Last Seen"])
    assert timedelta(0) <= age < timedelta(seconds=20)
    assert "weight=3, zone=east" in inside("service", "list", "--long").stdout


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("csv", lambda text: list(csv.DictReader(io.StringIO(text)))),
        ("yaml", yaml.safe_load),
    ],
)
def test_other_formats_hold_the_same(inside, member, name, read):
    done = inside("service", "list", "-f", name)
    (one,) = read(done.stdout)
    assert set(one) == set(SHORT)
    assert int(one["Process Id"]) == os.getpid()
    assert one["Status"] == "up"


def test_columns_can_be_chosen_and_sorted_by(inside, cli):
    cli.configure(report_interval=60, service_down_time=600)  # a silence would begin uptimes anew
    with ServiceGroup(cli.conf()) as group:
        for member_id in ("b", "c", "a"):
            group.join("g", member_id, name=f"service-{member_id}")
        done = inside("service", "list", "-f", "value", "-c", "Name", "--sort-column", "Name")
        assert done.stdout.split() == ["service-a", "service-b", "service-c"]
        done = inside("service", "list", "-f", "value", "-c", "Name", "--sort-column", "Uptime")
        assert done.stdout.split() == ["service-a", "service-c", "service-b"]
        assert done.stderr == ""


def test_filters(rows, service_group, member):
    service_group.join("other", "forced")
    service_group.services.force_down("other", "forced", "flaky")
    member.leave()

    def names(*arguments):
        return [one["Name"] for one in rows("service", "list", *arguments)]

    assert names() == ["other"]
    assert names("--all") == ["nova-compute", "other"]
    assert names("--group", "compute") == []
    assert names("--group", "compute", "--all", "--status", "down") == ["nova-compute"]
    assert names("--status", "up") == []


def test_one_that_left_says_when(rows, member):
    member.leave()
    (one,) = rows("service", "list", "--all", "--long")
    assert one["Status"] == "down"
    assert one["Reason"].startswith("left at 20")
    assert one["Uptime"] is None


def test_an_empty_list_still_has_its_head(rows, inside):
    assert "Process Id" in inside("service", "list").stdout
    assert rows("service", "list") == []


def test_names_from_elsewhere_cannot_steer_the_terminal(rows, inside, service_group):
    name = "red\x1b[31m\nline\x07"
    service_group.join("g", "m", name=name, attributes={"k\x1b": "\x9b2J"})
    table = inside("service", "list", "--long").stdout
    assert not any(ord(char) < 32 and char != "\n" for char in table)
    assert "\x9b" not in table
    assert "red\\x1b[31m\\nline\\x07" in table
    assert rows("service", "list")[0]["Name"] == name


def test_show_has_everything(rows, inside, service_group, member):
    service_group.services.disable("compute", "node-1", "new memory")
    one = rows("service", "show", "compute", "node-1")
    assert {*LONG, "UUID", "Disabled Reason", "Forced Down", "Incarnation"} < set(one)
    assert one["Enabled"] is False
    assert one["Disabled Reason"] == "new memory"
    assert one["Forced Down"] is False
    assert one["UUID"] == service_group.services.get("compute", "node-1").uuid
    assert one["Instance Id"] == member.member.instance_id
    words = inside("service", "show", "compute", "node-1").stdout
    assert "no: new memory" in words


def test_disabled_and_enabled_again(inside, service_group, member):
    which = ("compute", "node-1")
    done = inside("service", "set", *which, "--disable", "--reason", "new memory")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    service = service_group.services.get(*which)
    assert (service.disabled, service.disabled_reason) == (True, "new memory")
    assert service.is_up
    assert inside("service", "set", *which, "--enable").returncode == 0
    service = service_group.services.get(*which)
    assert (service.disabled, service.disabled_reason) == (False, None)


def test_forced_down_and_let_go(inside, service_group, member):
    which = ("compute", "node-1")
    assert inside("service", "set", *which, "--force-down", "--reason", "fenced").returncode == 0
    assert not service_group.is_up(*which)
    assert service_group.services.get(*which).forced_down_reason == "fenced"
    assert inside("service", "set", *which, "--no-force-down").returncode == 0
    assert service_group.is_up(*which)


def test_two_words_at_once(inside, service_group, member):
    done = inside(
        "service", "set", "compute", "node-1", "--disable", "--force-down", "--reason", "x"
    )
    assert done.returncode == 0
    service = service_group.services.get("compute", "node-1")
    assert (service.disabled_reason, service.forced_down_reason) == ("x", "x")


def test_deleting_several_goes_on_past_one_that_is_not_there(inside, service_group, member, until):
    service_group.join("compute", "node-2")
    done = inside("service", "delete", "compute", "node-1", "nobody", "node-2")
    assert done.returncode == 1
    assert "'nobody'" in done.stderr
    assert "service list" in done.stderr
    assert service_group.services.list(left=True) == []
    until(member.lost.is_set)
    assert "removed" in member.lost_reason


def test_is_up_answers_with_its_status(inside, service_group, member):
    yes = inside("is-up", "compute", "node-1")
    assert yes.returncode == 0
    assert yes.stdout.startswith("up: last beat")
    assert inside("-q", "is-up", "compute", "node-1").stdout == ""
    service_group.services.force_down("compute", "node-1", "fenced")
    no = inside("is-up", "compute", "node-1")
    assert no.returncode == 1
    assert no.stdout.startswith("down: forced down by the operator at ")
    nobody = inside("is-up", "compute", "nobody")
    assert (nobody.returncode, nobody.stdout) == (1, "down: no such member\n")


@pytest.mark.parametrize("members", [1, 60])
def test_output_that_nobody_reads_is_no_error(cli, service_group, members):
    for number in range(members):
        service_group.join("g", f"{number}" * 100, attributes={"big": "x" * 1000})
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as nowhere:
        process = cli.start("service", "list", "--long", stdout=nowhere)
        assert process.wait(30) == 141
        assert process.stderr.read() == ""
