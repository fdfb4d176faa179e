"""The same daemons in another store make the same table: only the configuration differs."""

import json
import os
import signal
from datetime import datetime, timedelta

import pytest
from program.cli import HOST
from program.stores import OTHERS, settings

DAEMONS = ("node-1", "node-2", "node-3")


@pytest.fixture
def table_of(cli, until):
    """Run the daemons, kill one of them, and return the table with what must differ replaced."""

    def table_of(environment):
        env = environment | {"OS_SERVICEGROUP__GUARDIAN": "false"}

        def rows():
            done = cli("service", "list", "-f", "json", env=env)
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout)

        daemons = {}
        for member in DAEMONS:
            command = ["--group", "compute", "--member", member, "--name", member]
            daemons[member] = cli.start("run", *command, "--", "sleep", "600", env=env)
        until(lambda: [row["Status"] for row in rows()] == ["up"] * len(DAEMONS), 60)
        killed = daemons["node-2"]
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
        until(lambda: "down" in [row["Status"] for row in rows()], 60)
        table = [_comparable(row) for row in rows()]
        for one in daemons.values():
            if one is not killed:
                one.terminate()
                one.wait()
        return table

    return table_of


def _comparable(row):
    created = datetime.fromisoformat(row["Created At"])
    assert abs(datetime.now().astimezone() - created) < timedelta(seconds=100)
    assert isinstance(row["Process Id"], int)
    up = row["Uptime"] is not None
    assert not up or 0 <= row["Uptime"] < 100
    return row | {"Created At": "lately", "Process Id": "its own", "Uptime": up}


@pytest.fixture(scope="module")
def made():
    """The table of the database, made once."""
    return []


@pytest.mark.parametrize("server", OTHERS)
def test_the_table_is_the_same_in_another_store(table_of, made, request, server):
    if not made:
        made.append(table_of({}))
    [in_database] = made
    assert [(row["Name"], row["Status"]) for row in in_database] == [
        ("node-1", "up"),
        ("node-2", "down"),
        ("node-3", "up"),
    ]
    assert {row["Hostname"] for row in in_database} == {HOST}
    if server == "kubernetes":  # the shared one's clock was stepped by whoever tests ages
        there = request.getfixturevalue("kubernetes_server")()
    else:
        there = request.getfixturevalue(server)
    assert table_of(settings(there)) == in_database
