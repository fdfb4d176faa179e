"""Each mistake is one line that names the option or the value and what to do; no traceback."""

import os

import pytest
from program.cli import UNREACHABLE

LIST = ("service", "list")


def complaint(done, status):
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("servicegroup")
    return line


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"driver": "etcd9"}, ["[servicegroup] driver='etcd9'", "installed are", "db"]),
        ({"report_interval": "soon"}, ["report_interval", "'soon'", "servicegroup.conf"]),
        ({"report_interval": "-1"}, ["report_interval", "greater than or equal to 0.01"]),
        ({"report_interval": 9, "service_down_time": 15}, ["service_down_time=15", "least 29.7"]),
        ({"use_records": "false"}, ["use_records=false", "driver=db"]),
        ({"host": "x" * 256}, ["[servicegroup] host", "at most 255"]),
        ({"database": "oracle://u:secret@h/d"}, ["connection", "'oracle'", "use one of sqlite"]),
        ({"database": "elsewhere"}, ["connection", "is not a database URL"]),
        ({"database": "sqlite://"}, ["in memory", "name a file"]),
        ({"database": "sqlite:////nowhere/at/all.db"}, ["/nowhere/at/all.db", "its directory"]),
    ],
)
def test_settings_that_cannot_work(cli, inside, options, words):
    cli.configure(**options)
    line = complaint(inside(*LIST), 2)
    for word in words:
        assert word in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("OS_SERVICEGROUP__REPORT_INTERVAL", "soon", ["REPORT_INTERVAL", "'soon'"]),
        ("OS_SERVICEGROUP_DATABASE__MAX_POOL_SIZE", "many", ["MAX_POOL_SIZE", "'many'"]),
        ("OS_SERVICEGROUP__DRIVER", "etcd9", ["driver='etcd9'", "installed are"]),
    ],
)
def test_variables_that_cannot_work(inside, variable, value, words):
    line = complaint(inside(*LIST, env={variable: value}), 2)
    for word in words:
        assert word in line


def test_a_database_without_tables(inside_fresh):
    for command in (LIST, ("watch", "g"), ("is-up", "g", "m"), ("service", "delete", "g", "m")):
        assert "run 'servicegroup db upgrade'" in complaint(inside_fresh(*command), 2)


def test_a_database_that_is_none(fresh):
    fresh.database.write_bytes(os.urandom(5000))
    line = complaint(fresh(*LIST), 2)
    assert "file is not a database" in line
    assert str(fresh.database) in line


@pytest.mark.parametrize("command", [LIST, ("service", "show", "g", "m"), ("db", "upgrade")])
def test_a_database_that_does_not_answer(cli, inside, command):
    cli.configure(database=UNREACHABLE)
    line = complaint(inside(*command), 3)
    assert "127.0.0.1:1" in line
    assert "refused" in line
    assert "check that the server runs" in line
    assert "secret" not in line


def test_nobody_can_tell_is_not_no(cli, inside):
    cli.configure(database=UNREACHABLE)
    done = inside("is-up", "g", "m")
    assert done.returncode == 3
    assert done.stdout.startswith("unknown: the store did not answer")
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ("", "member id is empty; use 1 to 255 characters"),
        ("x" * 256, "256 characters"),
        ("\udcff", "lone surrogate"),
    ],
)
def test_ids_that_no_store_could_keep(inside, member, words):
    for command in (("service", "show", "g"), ("service", "set", "--enable", "g"), ("is-up", "g")):
        assert words in complaint(inside(*command, member), 2)
    assert words in complaint(inside("run", "--group", "g", "--member", member, "--", "true"), 125)


@pytest.mark.parametrize(
    "command",
    [
        ("service", "show", "g", "nobody"),
        ("service", "set", "g", "nobody", "--disable"),
        ("service", "delete", "g", "nobody"),
    ],
)
def test_what_is_not_there(inside, command):
    line = complaint(inside(*command), 1)
    assert "'nobody'" in line
    assert "service list" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sevrice", "list"], "did you mean 'service"),
        (["service"], "did you mean 'service delete'"),
        (["help", "sing"], "there is no command 'sing'"),
        (["--dirver", "db", "service", "list"], "there is no option '--dirver'"),
        (["service", "list", "--longer"], "see 'servicegroup service list --help'"),
        (["service", "list", "--lon"], "unrecognized arguments: --lon"),
        (["service", "list", "-c", "Name", "-c", "Colour"], "there is no column 'Colour'"),
        (["service", "show", "g"], "required: MEMBER"),
        (["db", "version", "-c", "Colour"], "there is no column 'Colour'"),
        (["service", "set", "g", "m"], "nothing to set: give --enable"),
        (["service", "set", "g", "m", "--enable", "--reason", "x"], "--reason goes with"),
        (["service", "set", "g", "m", "--enable", "--disable"], "not allowed with"),
        (["watch", "g", "--timeout", "soon"], "'soon' is not a number of seconds"),
        (["watch", "g", "--timeout", "-1"], "'-1' is not a number of seconds"),
        (["watch", "g", "--timeout", "nan"], "'nan' is not a number of seconds"),
        (["--config-file", "nowhere.conf", "service", "list"], "nowhere.conf"),
        (["--log-file", "/nowhere/log", "is-up", "g", "m"], "--log-file /nowhere/log cannot be"),
    ],
)
def test_command_lines_that_mean_nothing(inside, arguments, words):
    assert words in complaint(inside(*arguments), 2)


def test_a_configuration_file_that_is_none(cli):
    cli.config.write_text("[servicegroup\ndriver = db\n")
    assert "servicegroup.conf:1" in complaint(cli(*LIST), 2)


def test_no_command_at_all(cli):
    done = cli.bare()
    assert done.returncode == 2
    assert "usage: servicegroup" in done.stderr


def test_debug_shows_where(cli):
    cli.configure(driver="etcd9")
    done = cli("--debug", *LIST)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "DriverNotFound" in done.stderr


def test_an_error_that_nobody_foresaw_is_neither_yes_nor_no(cli, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import servicegroup.roster as roster\n"
        "def broken(*_, **__): raise TypeError('two\\nlines')\n"
        "roster.Roster.list = broken\n"
    )
    line = complaint(cli(*LIST, env={"PYTHONPATH": str(tmp_path)}), 70)
    assert "TypeError: two lines" in line
    assert "--debug" in line
