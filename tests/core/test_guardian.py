"""A guardian that cannot be: a daemon joins all the same, and says once why it has none."""

import gc
import os
import sys
from pathlib import Path

import pytest

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
def will(monkeypatch):
    """Let the memory driver have a last will: of these."""

    def will(function, **arguments):
        monkeypatch.setattr(
            "servicegroup.testing.memory.MemoryDriver.last_will",
            lambda driver, reason: LastWill(function, arguments),
        )

    return will


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
    ("function", "arguments", "reason"),
    [
        ("servicegroup.nowhere:prepared", {}, "No module named 'servicegroup.nowhere'"),
        ("servicegroup.will:nothing", {}, "nothing"),
        ("builtins:dict", {"what": {1, 2}}, "not JSON serializable"),
    ],
)
def test_a_will_that_cannot_be_is_said_so_once(
    make, warnings, will, eventually, function, arguments, reason
):
    will(function, **arguments)
    group = make(guardian=True)
    group.join("g", "m")
    eventually(warnings)
    assert group.is_up("g", "m")
    [said] = warnings()
    assert reason in said


@pytest.mark.parametrize(
    ("interpreter", "reason"),
    [("/nowhere/python", "/nowhere/python"), ("/bin/false", "status 1"), ("", "not known")],
)
def test_an_interpreter_that_cannot_be_started_is_said_so_once(
    make, warnings, will, beat_on, monkeypatch, interpreter, reason
):
    will("builtins:dict")
    monkeypatch.setattr(sys, "executable", interpreter)
    group = make(guardian=True, service_down_time=60.0)
    group.join("g", "m")
    beat_on(group)
    [said] = warnings()
    assert reason in said
    assert group.is_up("g", "m")


def test_nothing_is_left_open(make, will, eventually):
    will("builtins:dict")
    group = make(guardian=True)

    def sockets():
        gc.collect()
        links = [os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
        return [link for link in links if link.startswith("socket:")]

    before = sockets()
    group.join("g", "m")
    assert len(sockets()) == len(before) + 1
    group.close()
    assert sockets() == before


def test_without_the_option_there_is_none(make, will, warnings, beat_on):
    will("builtins:dict")
    group = make()
    group.join("g", "m")
    beat_on(group)
    assert group._process.heart._guardian is None
    assert warnings() == []
