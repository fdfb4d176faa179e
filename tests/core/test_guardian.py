"""A guardian that cannot be: a daemon joins all the same, and says once why it has none."""

import sys
import threading
from pathlib import Path

import pytest

from servicegroup.guardian.handle import Guardian
from servicegroup.testing.memory import MemoryDriver
from servicegroup.will import LastWill


@pytest.fixture
def warnings(caplog):
    """List what was said about guardians."""
    return lambda: [
        one.getMessage() for one in caplog.records if "servicegroup.guardian" in one.name
    ]


@pytest.fixture
def beat_on(eventually):
    """Wait until a group has looked after its guardian a few times."""

    def beat_on(group):
        steps = []
        heart = group._process.heart
        before, heart.step = heart.step, lambda now: steps.append(now) or before(now)
        eventually(lambda: len(steps) > 10)

    return beat_on


@pytest.fixture
def asked():
    """Collect the reasons that last wills were asked with: one for each start of a guardian."""
    return []


@pytest.fixture
def guarded(make, monkeypatch, asked):
    """Make a group on a driver that offers a last will: this one."""

    def guarded(function="builtins:dict", arguments=None, **options):
        will = LastWill(function, arguments or {})

        def last_will(driver, reason):
            asked.append(reason)
            return will

        monkeypatch.setattr(MemoryDriver, "last_will", last_will)
        return make(**{"guardian": True, **options})

    return guarded


@pytest.fixture
def tried(asked, eventually):
    """Wait until a guardian was tried to be started several times."""
    return lambda: eventually(lambda: len(asked) > 3, 30)


def test_a_driver_without_a_last_will_is_said_so_once(make, warnings, beat_on):
    group = make(guardian=True)
    group.join("g", "m")
    group.join("g", "n")
    beat_on(group)
    [said] = warnings()
    assert "driver 'memory' offers no last will" in said
    assert "by its age only" in said
    assert group.is_up("g", "m")


@pytest.mark.parametrize(
    ("will", "reason"),
    [
        (("servicegroup.nowhere:prepared",), "No module named 'servicegroup.nowhere'"),
        (("servicegroup.will:nothing",), "nothing"),
        (("builtins:dict", {"what": {1, 2}}), "not JSON serializable"),
    ],
)
def test_a_will_that_cannot_be_is_said_so_once(tried, guarded, warnings, will, reason):
    group = guarded(*will)
    group.join("g", "m")
    tried()
    assert group.is_up("g", "m")
    [said] = warnings()
    assert reason in said


@pytest.mark.parametrize(
    ("interpreter", "reason"),
    [("/nowhere/python", "/nowhere/python"), ("/bin/false", "status 1"), ("", "not known")],
)
def test_who_cannot_start_one_says_so_once(tried, guarded, warnings, interpreter, reason):
    group = guarded()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", interpreter)
        group.join("g", "m")
        tried()
    [said] = warnings()
    assert reason in said
    assert group.is_up("g", "m")


def test_nothing_is_left_open(guarded):
    group = guarded()
    before = sockets()
    group.join("g", "m")
    assert len(sockets() - before) == 1
    group.close()
    assert sockets() == before


def sockets():
    links = [one.readlink() for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return {str(link) for link in links if str(link).startswith("socket:")}


def test_without_the_option_there_is_none(guarded, beat_on):
    group = guarded(guardian=False)
    before = sockets()
    group.join("g", "m")
    beat_on(group)
    assert sockets() == before


TESTAMENT = """
import os

def prepared(path):
    prepared_in = os.getcwd()
    def carry_out():
        with open(path, "w") as file:
            file.write(f"{os.environ['WHO']} {prepared_in}")
    return carry_out
"""


def test_it_works_where_its_daemon_does_and_with_what_that_has(tmp_path, monkeypatch, eventually):
    (tmp_path / "testament.py").write_text(TESTAMENT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHO", "somebody")
    guardian = Guardian(lambda _: [LastWill("testament:prepared", {"path": "said"})], 30.0)
    guardian.start(0.0)
    guardian.wait()
    guardian.dismiss(clean=False)
    said = tmp_path / "said"
    eventually(lambda: said.exists() and said.read_text() == f"somebody {tmp_path}", 30)


def test_where_no_thread_can_be_started_a_join_does_not_fail(guarded, warnings):
    start = threading.Thread.start

    def refused(thread):
        if thread.name == "servicegroup-guardian":
            raise RuntimeError("can't start new thread")
        start(thread)

    group = guarded()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        group.join("g", "m")
    assert group.is_up("g", "m")
    [said] = warnings()
    assert "can't start new thread" in said
