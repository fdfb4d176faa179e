"""Events as they come: a line each, for people or for programs."""

import json
import os
import signal
from datetime import datetime

import pytest
from program.cli import HOST

KEYS = [
    *("time", "event", "group", "member", "name", "hostname", "process_id", "state", "reason"),
    *("enabled", "version", "attributes", "created_at", "instance_id", "incarnation"),
]


@pytest.fixture
def watched(cli):
    """Start a watch on group g; returns the process and a function that reads an event."""

    def watched(*arguments):
        process = cli.start("watch", "g", *arguments)
        return process, lambda: json.loads(process.stdout.readline())

    return watched


def test_each_event_is_a_json_object(watched, service_group):
    membership = service_group.join("g", "m", name="kind", attributes={"zone": "east"})
    process, event = watched("--json")
    joined = event()
    assert list(joined) == KEYS
    assert joined["event"] == "joined"
    assert (joined["group"], joined["member"], joined["name"]) == ("g", "m", "kind")
    assert (joined["hostname"], joined["process_id"]) == (HOST, os.getpid())
    assert (joined["state"], joined["enabled"]) == ("up", True)
    assert joined["attributes"] == {"zone": "east"}
    assert joined["instance_id"] == membership.member.instance_id
    assert datetime.fromisoformat(joined["time"]).utcoffset().total_seconds() == 0
    ready = event()
    assert (ready["event"], ready["member"]) == ("ready", None)

    membership.update({"zone": "west"})
    assert event()["reason"] == "attributes: zone=west"
    service_group.services.disable("g", "m", "new memory")
    disabled = event()
    assert (disabled["event"], disabled["reason"]) == ("changed", "disabled: new memory")
    assert disabled["enabled"] is False
    service_group.services.force_down("g", "m", "fenced")
    assert event()["reason"] == "forced down: fenced"
    down = event()
    if down["event"] == "unknown":  # on a slow machine the bystander may not be heard for a moment
        down = event()
    assert (down["event"], down["state"]) == ("down", "down")
    assert down["reason"].startswith("forced down by the operator at ")
    service_group.services.unforce_down("g", "m")
    assert event()["reason"] == "no longer forced down"
    assert event()["event"] == "up"
    membership.leave()
    left = event()
    assert (left["event"], left["state"], left["reason"]) == ("left", None, "")
    again = service_group.join("g", "m")
    assert event()["event"] == "joined"
    again.leave()

    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert process.stderr.read() == ""


def test_a_new_life_is_told(watched, service_group, cli):
    service_group.join("g", "m")
    _, event = watched("--json")
    assert [event()["event"], event()["event"]] == ["joined", "ready"]
    taker = cli.start("run", "--group", "g", "--member", "m", "--name", "other", "--", "sleep", "9")
    changed = event()
    assert changed["event"] == "changed"
    assert changed["reason"] == f"a new life: other, process {taker.pid} on {HOST}"
    assert changed["incarnation"] == 2


def test_lines_for_people(watched, service_group):
    service_group.join("g", "m\x1b", name="kind")
    process, _ = watched()
    joined = process.stdout.readline()
    when, word, who, *reason = joined.split()
    assert datetime.fromisoformat(when).utcoffset().total_seconds() == 0
    assert (word, who) == ("joined", "m\\x1b")
    assert " ".join(reason) == f"kind, process {os.getpid()} on {HOST}"
    assert process.stdout.readline().split()[1:3] == ["ready", "-"]
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert (process.stdout.read(), process.stderr.read()) == ("", "")


def test_silence_is_seen(watched, steady, cli):
    victim = cli.start("run", "--group", "g", "--", "sleep", "30")
    _, event = watched("--json")
    seen = []
    while seen[-2:] != ["joined", "ready"] and seen[-2:] != ["ready", "joined"]:
        seen.append(event()["event"])
    victim.send_signal(signal.SIGSTOP)
    down = event()
    if down["event"] == "unknown":  # on a slow machine the bystander may not be heard for a moment
        down = event()
    assert (down["event"], down["state"]) == ("down", "down")
    assert down["reason"].startswith("no beat for ")
    victim.send_signal(signal.SIGCONT)
    back = [event()["event"]]
    if back == ["changed"]:  # that it came back is written down, and may be read at the same look
        back.append(event()["event"])
    assert back[-1] == "up"


def test_it_ends_by_itself_when_told_to(cli):
    done = cli("watch", "g", "--timeout", "0.5")
    assert done.returncode == 0
    assert done.stdout.split()[1] == "ready"
    assert done.stderr == ""


def test_it_ends_quietly_when_nobody_reads(watched, service_group):
    process, event = watched("--json")
    assert event()["event"] == "ready"
    process.stdout.close()
    service_group.join("g", "m")
    assert process.wait(10) == 0
    assert process.stderr.read() == ""
    process.stdout = None


def test_an_outage_is_one_line_and_its_end_another(watched, cli, postgresql_server):
    server = postgresql_server()
    cli.configure(database=server.create_database())
    assert cli("db", "upgrade").returncode == 0
    process, event = watched("--json")
    assert event()["event"] == "ready"
    server.kill()
    stale = event()
    assert (stale["event"], stale["member"]) == ("stale", None)
    assert stale["reason"].startswith("the store cannot be read, nobody can tell who is up: ")
    server.start()
    assert event()["event"] == "fresh"
    process.terminate()
    assert process.wait(10) == 0
    assert "Traceback" not in process.stderr.read()
