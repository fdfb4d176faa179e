"""A guardian that cannot be: a daemon joins all the same, and says once why it has none."""

import sys
from pathlib import Path

import pytest

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
def guarded(make, monkeypatch):
    """Make a group on a driver that offers a last will: this one."""

    def guarded(function="builtins:dict", arguments=None, **options):
        will = LastWill(function, arguments or {})
        monkeypatch.setattr(MemoryDriver, "last_will", lambda driver, reason: will)
        return make(**{"guardian": True, **options})

    return guarded


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
def test_a_will_that_cannot_be_is_said_so_once(guarded, warnings, eventually, will, reason):
    group = guarded(*will)
    group.join("g", "m")
    eventually(warnings)
    assert group.is_up("g", "m")
    [said] = warnings()
    assert reason in said


@pytest.mark.parametrize(
    ("interpreter", "reason"),
    [("/nowhere/python", "/nowhere/python"), ("/bin/false", "status 1"), ("", "not known")],
)
def test_who_cannot_start_one_says_so_once(guarded, warnings, beat_on, interpreter, reason):
    group = guarded(service_down_time=60.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", interpreter)
        group.join("g", "m")
        beat_on(group)
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
