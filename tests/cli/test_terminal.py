"""Colours where a terminal is attached and wants them; none anywhere else. Help for everything."""

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from importlib.metadata import entry_points

import pytest

GREEN_UP = "\x1b[32mup\x1b[0m"
WIDTH = 200


def on_terminal(cli, *arguments, width=WIDTH, **environment):
    """Run the program on a pseudo terminal; returns its status and all that it showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        environment = cli.environment | {"TERM": "xterm"} | environment
        os.execve(cli.command()[0], cli.command(*arguments), environment)
    shown = b""
    with contextlib.suppress(OSError):  # it hangs up when all are gone
        while more := os.read(terminal, 65536):
            shown += more
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), shown.decode().replace("\r\n", "\n")


@pytest.fixture
def member(service_group):
    return service_group.join("compute", "node-1", name="nova-compute")


def test_a_terminal_is_shown_colours(cli, member):
    status, shown = on_terminal(cli, "service", "list")
    assert status == 0
    assert GREEN_UP in shown
    assert on_terminal(cli, "is-up", "compute", "node-1")[1].startswith(GREEN_UP)
    assert "\x1b[31merror\x1b[0m" in on_terminal(cli, "service", "show", "compute", "x")[1]


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_that_wants_none_is_shown_none(cli, member, environment):
    _, shown = on_terminal(cli, "service", "list", **environment)
    assert "nova-compute" in shown
    assert "\x1b" not in shown


def test_a_pipe_gets_none(cli, member):
    assert "\x1b" not in cli("service", "list").stdout
    assert "\x1b" not in cli("service", "show", "compute", "x").stderr


def test_what_cannot_be_shown_there_is_escaped(cli, service_group):
    service_group.join("compute", "node-2", name="名")
    done = cli("service", "list", "-c", "Name", env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, "\\u540d" in done.stdout) == (0, True), done.stderr


def test_streams_that_are_closed(cli, service_group):
    """As those who start daemons leave them."""
    command = cli.command("run", "--group", "g", "--", "touch", str(cli.folder / "touched"))
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command]
    assert subprocess.run(closed, env=cli.environment, check=False, timeout=60).returncode == 0
    assert (cli.folder / "touched").exists()


def test_columns_stay_in_line_with_colours(cli, member, service_group):
    service_group.join("compute", "node-2", name="a-name-that-is-much-longer")
    service_group.services.force_down("compute", "node-2")
    _, shown = on_terminal(cli, "service", "list")
    plain = _without_colours(shown).splitlines()
    assert len({len(line) for line in plain}) == 1


def test_a_wide_table_fits_a_narrow_terminal(cli, member):
    _, shown = on_terminal(cli, "service", "list", "--long", width=150)
    assert max(len(line) for line in _without_colours(shown).splitlines()) <= 150


def test_machine_formats_have_no_colours_on_a_terminal(cli, member):
    assert "\x1b" not in on_terminal(cli, "service", "list", "-f", "json")[1]


def test_every_command_has_examples(inside):
    for entry in entry_points(group="servicegroup.cli"):
        name = entry.name.replace("_", " ")
        done = inside(*name.split(), "--help")
        assert done.returncode == 0
        _, _, examples = done.stdout.partition("\nexamples:\n")
        assert examples.strip().startswith("servicegroup "), name
        assert f" {name}" in examples


def test_the_help_names_all_commands(inside):
    shown = inside("--help").stdout
    for entry in entry_points(group="servicegroup.cli"):
        assert f"\n  {entry.name.replace('_', ' ')} " in shown
    assert "Exit status" in shown


def test_the_version(cli):
    done = cli.bare("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("servicegroup ")


def test_help_loads_no_database_library(cli):
    code = (
        "import atexit, sys\n"
        "from servicegroup.cli.main import main\n"
        "atexit.register(lambda: print(*{name.partition('.')[0] for name in sys.modules}))\n"
        "sys.exit(main(['--help']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=cli.folder
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "cliff" in loaded
    assert not loaded & {"sqlalchemy", "alembic", "oslo_db", "sqlite3", "psycopg", "cmd2"}


def test_verbosity(cli, inside):
    cli.config.write_text("")
    assert inside("service", "list").stderr == ""
    assert "servicegroup: info: " in inside("-v", "service", "list").stderr
    inside("--log-file", str(cli.folder / "log"), "service", "list")
    assert "is not set: keeping records in" in (cli.folder / "log").read_text()


def _without_colours(shown):
    for code in ("\x1b[0m", "\x1b[31m", "\x1b[32m", "\x1b[33m"):
        shown = shown.replace(code, "")
    return shown
