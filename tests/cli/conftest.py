"""Fixtures of the command line's tests."""

import logging
import os
import shutil
import subprocess
import time

import pytest
from program.cli import DOWN, INTERVAL, Cli

from servicegroup import ServiceGroup, schema
from servicegroup.cli.main import main


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database with tables and nothing in them, made once."""
    folder = tmp_path_factory.mktemp("database")
    cli = Cli(folder)
    schema.upgrade(cli.conf())
    return cli.database


@pytest.fixture
def fresh(tmp_path):
    """The program, with a database that has no tables yet."""
    cli = Cli(tmp_path)
    yield cli
    cli.end()


@pytest.fixture
def cli(fresh, empty_database):
    """The program, with a database that is ready."""
    shutil.copy(empty_database, fresh.database)
    return fresh


@pytest.fixture
def inside_fresh(fresh, monkeypatch, capsys):
    """Run the program within this process, which takes a tenth of the time."""

    def inside(*arguments, env=None, bare=False):
        for name in set(os.environ) - set(fresh.environment):
            monkeypatch.delenv(name)
        for name, value in (fresh.environment | (env or {})).items():
            monkeypatch.setenv(name, value)
        level = logging.getLogger().level
        try:
            status = main([*([] if bare else fresh.command()[1:]), *arguments])
        except SystemExit as exit_:
            status = exit_.code
        finally:
            logging.getLogger().setLevel(level)
        return subprocess.CompletedProcess(arguments, status, *capsys.readouterr())

    return inside


@pytest.fixture
def inside(cli, inside_fresh):
    """Run the program within this process, with a database that is ready."""
    return inside_fresh


@pytest.fixture
def service_group(cli):
    """The library, on the same database as the program."""
    with ServiceGroup(cli.conf()) as service_group:
        yield service_group


@pytest.fixture
def steady(service_group):
    """A bystander that has beaten long enough to bear witness to another's silence."""
    membership = service_group.join("bystanders", "bystander")
    time.sleep(DOWN + 2 * INTERVAL)
    return membership


@pytest.fixture
def until():
    """Wait for something to become true, and return it."""

    def until(what, seconds=10.0):
        deadline = time.monotonic() + seconds
        while not (result := what()):
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.02)
        return result

    return until
