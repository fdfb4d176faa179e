"""Membership on behalf of a program: its signals, its status, and what becomes of it."""

import contextlib
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from fleet.guardian import guardians
from program.cli import HOST, INTERVAL, UNREACHABLE

from servicegroup import State

#: Writes down every signal it gets, and ends at SIGTERM with status 9.
LISTENER = """
import os, signal, sys, time
def note(signum, frame):
    print(signum, flush=True)
    if signum == signal.SIGTERM:
        os._exit(9)
for one in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    signal.signal(one, note)
print("ready", os.getpid(), flush=True)
while True:
    time.sleep(60)
"""
PASSED = ["HUP", "INT", "QUIT", "USR1", "USR2", "WINCH", "ALRM", "PWR", "RTMIN", "RTMAX", "TERM"]
BY_SIGNAL = 128


def python(code):
    return ["--", sys.executable, "-c", code]


@pytest.fixture
def listener(cli):
    """Start a listener through ``run``; returns the process and the child's id."""

    def listener(*arguments, **named):
        process = cli.start("run", "--group", "g", *arguments, *python(LISTENER), **named)
        word, pid = process.stdout.readline().split()
        assert word == "ready"
        return process, int(pid)

    return listener


@pytest.mark.parametrize(
    ("code", "status"),
    [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 128 + 9), ("kill -TERM $$", 128 + 15)],
)
def test_the_status_of_the_program_is_ours(cli, code, status):
    done = cli("run", "--group", "g", "--", "sh", "-c", f"echo out; echo err >&2; {code}")
    assert (done.returncode, done.stdout, done.stderr) == (status, "out\n", "err\n")


def test_it_is_a_member_while_the_program_runs(cli, service_group, listener):
    process, _ = listener("--name", "kind", "--attribute", "zone=east", "--attribute", "n=[1, 2]")
    (status,) = service_group.get_members("g")
    assert (status.member_id, status.hostname, status.name) == (HOST, HOST, "kind")
    assert status.process_id == process.pid
    assert status.attributes == {"zone": "east", "n": [1, 2]}
    assert status.is_up
    process.terminate()
    assert process.wait(10) == 9
    assert service_group.get_members("g") == []
    assert service_group.liveness("g", HOST).reason.startswith("left at")


def test_attributes_are_json_or_else_text(service_group, listener):
    published = {
        "a=3": 3,
        "b=true": True,
        'c="3"': "3",
        "d=": "",
        "e=a=b": "a=b",
        "f=NaN": "NaN",
        "g=-Infinity": "-Infinity",
        "h={broken": "{broken",
    }
    listener(*(word for given in published for word in ("--attribute", given)))
    (status,) = service_group.get_members("g")
    assert status.attributes == dict(zip("abcdefgh", published.values(), strict=True))
    assert status.name == Path(sys.executable).name


def test_signals_are_passed_on(listener):
    process, _ = listener()
    for name in PASSED:
        signum = getattr(signal, f"SIG{name}")
        process.send_signal(signum)
        assert process.stdout.readline() == f"{int(signum)}\n"
    assert process.wait(10) == 9
    assert process.stderr.read() == ""


def test_a_child_that_is_paused_goes_on_when_told_directly(listener):
    process, pid = listener()
    os.kill(pid, signal.SIGSTOP)
    process.send_signal(signal.SIGUSR1)
    time.sleep(0.2)
    assert process.poll() is None
    os.kill(pid, signal.SIGCONT)
    assert process.stdout.readline() == f"{int(signal.SIGUSR1)}\n"


def test_the_child_starts_with_the_mask_and_handlers_of_a_shell(cli):
    command = ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"]
    through = cli("run", "--group", "g", "--", *command)
    bare = subprocess.run(command, capture_output=True, text=True, check=True)
    assert _signal_sets(through.stdout) == _signal_sets(bare.stdout)
    assert set(_signal_sets(bare.stdout)) == {"SigBlk:", "SigIgn:", "SigCgt:"}


def test_what_was_ignored_stays_ignored(cli):
    code = "trap '' HUP; exec \"$@\""
    command = cli.command("run", "--group", "g", "--", "grep", "^SigIgn", "/proc/self/status")
    done = subprocess.run(
        ["sh", "-c", code, "sh", *command],
        capture_output=True,
        text=True,
        env=cli.environment,
        check=True,
    )
    assert _signal_sets(done.stdout) == {"SigIgn:": {signal.SIGHUP}}


def test_children_can_be_waited_for_where_they_were_ignored(cli):
    code = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = cli.command("run", "--group", "g", "--", "sh", "-c", "exit 5")
    done = subprocess.run(
        [sys.executable, "-c", code, *command], env=cli.environment, check=False, timeout=20
    )
    assert done.returncode == 5


def test_ctrl_c_on_a_terminal_reaches_the_program_once(cli):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(
            cli.command()[0],
            cli.command("run", "--group", "g", *python(LISTENER)),
            cli.environment,
        )
    settings = termios.tcgetattr(terminal)
    settings[3] |= termios.NOFLSH  # else the key may take with it what is written meanwhile
    termios.tcsetattr(terminal, termios.TCSANOW, settings)
    try:
        with os.fdopen(terminal, "r+b", buffering=0) as screen:
            shown = b""
            while b"\n" not in shown:
                shown += screen.read(1000)
            os.kill(pid, signal.SIGSTOP)  # two at once could be taken for one
            screen.write(b"\x03")
            while b"2\r\n" not in shown:
                shown += screen.read(1000)
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.3)
            os.kill(pid, signal.SIGTERM)
            with contextlib.suppress(OSError):  # the terminal hangs up when all are gone
                while more := screen.read(1000):
                    shown += more
    finally:
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 9
    assert shown.partition(b"\n")[2].replace(b"^C", b"").split() == [b"2", b"15"]


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        (["no-such-program"], 127, "'no-such-program' was not found"),
        (["./no-such-file"], 127, "there is no such file"),
        (["/"], 126, "cannot be executed"),
        (["./servicegroup.conf"], 126, "cannot be executed; check its permissions"),
        (["./no-interpreter"], 126, "cannot be executed: No such file"),
        (["./not-a-program"], 126, "cannot be executed: Exec format error"),
    ],
)
def test_programs_that_cannot_be_run(cli, service_group, command, status, words):
    for name, text in (("no-interpreter", "#!/nowhere\n"), ("not-a-program", "\0")):
        (cli.folder / name).write_text(text)
        (cli.folder / name).chmod(0o755)
    done = cli("run", "--group", "g", "--", *command)
    assert done.returncode == status
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert service_group.get_members("g") == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--group", "g"], "required: COMMAND"),
        (["--", "true"], "required: --group"),
        (["--group", "g", "--attribute", "zone", "--", "true"], "use NAME=VALUE"),
        (["--group", "g", "--attribute", "=x", "--", "true"], "use NAME=VALUE"),
        (["--group", "g", "--attribute", "k=" + "x" * 70_000, "--", "true"], "at most 65536"),
        (["--group", "", "--", "true"], "group id is empty"),
        (["--group", "g", "true", "--verbosely"], "unrecognized arguments"),
    ],
)
def test_our_own_failures_are_125(inside, arguments, words):
    done = inside("run", *arguments)
    assert done.returncode == 125
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_options_of_the_program_are_not_ours(cli):
    done = cli("run", "--group", "g", "--", "echo", "--debug", "-v", "--", "--help")
    assert done.stdout == "--debug -v -- --help\n"


def test_a_configuration_that_cannot_work_is_125(cli, inside):
    cli.configure(driver="etcd9")
    done = inside("run", "--group", "g", "--", "true")
    assert done.returncode == 125
    assert "installed are" in done.stderr


def test_a_store_that_is_away_does_not_keep_the_program(cli):
    cli.configure(database=UNREACHABLE)
    done = cli("run", "--group", "g", "--", "echo", "runs")
    assert (done.returncode, done.stdout) == (0, "runs\n")
    assert "echo is started all the same and joins as soon as the store answers" in done.stderr
    assert "Traceback" not in done.stderr


def test_nobody_takes_over_while_the_store_is_away(cli, inside):
    cli.configure(database=UNREACHABLE)
    done = inside("run", "--group", "g", "--no-takeover", "--", "echo", "runs")
    assert (done.returncode, done.stdout) == (125, "")
    assert "does not answer" in done.stderr


def test_it_joins_as_soon_as_the_store_answers(cli, service_group, until):
    with contextlib.closing(sqlite3.connect(cli.database, isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        process = cli.start("run", "--group", "g", *python(LISTENER))
        assert process.stdout.readline().startswith("ready")
        assert service_group.get_members("g") == []
        blocker.execute("ROLLBACK")
    until(lambda: service_group.is_up("g", HOST))
    process.terminate()
    assert process.wait(10) == 9
    assert "is started all the same" in process.stderr.read()


def test_a_second_one_supersedes_the_first_which_says_so(service_group, listener):
    older, _ = listener()
    newer, _ = listener()
    line = older.stderr.readline()
    assert f"superseded: process {newer.pid} on host {HOST} joined later" in line
    assert line.startswith("servicegroup: error: ")
    older.send_signal(signal.SIGUSR1)  # it is left alone, and still served
    assert older.stdout.readline() == f"{int(signal.SIGUSR1)}\n"
    older.terminate()
    assert older.wait(10) == 9
    assert [status.process_id for status in service_group.get_members("g")] == [newer.pid]


def test_with_no_takeover_the_second_one_fails(cli, listener):
    older, _ = listener()
    done = cli("run", "--group", "g", "--no-takeover", "--", "echo", "runs")
    assert (done.returncode, done.stdout) == (125, "")
    assert f"is held by process {older.pid} on host {HOST}" in done.stderr


def test_a_program_is_stopped_when_its_member_is_lost(listener):
    older, _ = listener("--stop-on-lost")
    listener()
    assert older.stdout.readline() == f"{int(signal.SIGTERM)}\n"
    assert older.wait(10) == 9
    assert "stopping process" in older.stderr.read()


def test_a_program_is_stopped_when_no_beat_can_be_stored(cli, listener):
    process, _ = listener("--stop-on-lost")
    with contextlib.closing(sqlite3.connect(cli.database, isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        assert process.wait(10) == 9
        blocker.execute("ROLLBACK")
    assert "others may soon call it down" in process.stderr.read()


def test_a_program_is_stopped_when_its_member_is_deleted(cli, service_group, listener):
    process, _ = listener("--stop-on-lost")
    assert cli("service", "delete", "g", HOST).returncode == 0
    assert process.wait(10) == 9
    assert "removed by an operator" in process.stderr.read()


@pytest.mark.usefixtures("steady")
@pytest.mark.parametrize(
    ("env", "reason"),
    [
        ({}, "process ended without leaving"),
        ({"OS_SERVICEGROUP__GUARDIAN": "false"}, "no beat for"),
    ],
)
def test_killed_itself_its_member_goes_down_and_the_program_goes_on(
    service_group, listener, until, env, reason
):
    process, child = listener(env=env)
    process.kill()
    process.wait()
    with contextlib.ExitStack() as last:
        last.callback(os.kill, child, signal.SIGKILL)
        until(lambda: service_group.liveness("g", HOST).state is State.DOWN)
        assert reason in service_group.liveness("g", HOST).reason
        assert Path(f"/proc/{child}").exists()


def test_the_guardian_gives_up_too_though_signals_are_held_back(cli, listener, until):
    process, child = listener()
    with contextlib.ExitStack() as last:
        last.callback(os.kill, child, signal.SIGKILL)
        assert len(guardians(process.pid)) == 1
        with contextlib.closing(sqlite3.connect(cli.database, isolation_level=None)) as blocker:
            blocker.execute("BEGIN IMMEDIATE")
            process.kill()
            process.wait()
            until(lambda: not guardians(process.pid))
            blocker.execute("ROLLBACK")


def test_asked_to_end_before_the_program_was_started(cli, service_group, until):
    program = cli.folder / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with contextlib.closing(sqlite3.connect(cli.database, isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")  # joining has to wait, some tenths of a second
        process = cli.start("run", "--group", "g", "--", str(program))
        until(lambda: _holds_back(process, signal.SIGTERM))
        program.unlink()  # whoever starts it will have to complain
        process.terminate()
        assert process.wait(15) == BY_SIGNAL + signal.SIGTERM
        assert "cannot be executed" not in process.stderr.read()
        blocker.execute("ROLLBACK")
    assert service_group.get_members("g") == []


def test_nothing_of_it_is_left(cli, listener):
    process, child = listener()
    process.terminate()
    process.wait(10)
    assert not Path(f"/proc/{child}").exists()
    time.sleep(INTERVAL)
    assert process.stderr.read() == ""


def _signal_sets(status):
    """Read sets of signals; without the C library's own two, which it hides from programs."""
    numbers = {name: int(bits, 16) for name, bits in map(str.split, status.splitlines())}
    valid = signal.valid_signals()
    return {
        name: {signum for signum in valid if bits & (1 << (signum - 1))}
        for name, bits in numbers.items()
    }


def _holds_back(process, signum):
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (blocked,) = (line.split()[1] for line in lines if line.startswith("SigBlk"))
    return bool(int(blocked, 16) & (1 << (signum - 1)))
