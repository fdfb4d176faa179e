"""Fixtures of the REST faces' tests: one server for a whole module, on one database."""

import contextlib
import time

import pytest
from program.api import Api
from program.cli import Cli

from servicegroup import ServiceGroup, schema
from servicegroup.exceptions import NoSuchService


@pytest.fixture(scope="module")
def cli(tmp_path_factory):
    """The program, with a database that is ready."""
    cli = Cli(tmp_path_factory.mktemp("rest"))
    schema.upgrade(cli.conf())
    yield cli
    cli.end()


@pytest.fixture(scope="module")
def service_group(cli):
    """The library, on the same database as the server."""
    with ServiceGroup(cli.conf()) as service_group:
        yield service_group


@pytest.fixture(scope="module")
def api(cli, service_group):
    """The server, over real HTTP."""
    return Api(cli)


@pytest.fixture
def join(service_group):
    """Join, and leave without a trace after the test."""
    joined = []

    def join(group, member, **options):
        membership = service_group.join(group, member, **options)
        joined.append(membership)
        return membership

    yield join
    for membership in joined:
        membership.leave()
        with contextlib.suppress(NoSuchService):
            service_group.roster.delete(membership.member.group_id, membership.member.member_id)


@pytest.fixture(scope="session")
def until():
    """Wait for something to become true, and return it."""

    def until(what, seconds=10.0):
        deadline = time.monotonic() + seconds
        while not (result := what()):
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.02)
        return result

    return until
