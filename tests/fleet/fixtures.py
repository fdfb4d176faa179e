"""Fixtures for tests on databases: fresh ones, groups on them, and daemons as real processes."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fleet.group import configuration, service_group
from fleet.process import PATIENCE, Daemon

from servicegroup import ServiceGroup, schema

KINDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.server("postgresql")),
    pytest.param("mariadb", marks=pytest.mark.server("mariadb")),
]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Name each kind of database."""
    name: str = request.param
    return name


@pytest.fixture
def empty_url(kind: str, request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """Make a fresh, empty database."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/servicegroup.sqlite"
    url: str = request.getfixturevalue(f"{kind}_url")
    return url


@pytest.fixture
def url(empty_url: str) -> str:
    """Make a fresh database with our tables."""
    return migrated(empty_url)


@pytest.fixture
def make() -> Iterator[Callable[..., ServiceGroup]]:
    """Make ServiceGroups in this process; they are closed, and leave no thread behind."""
    before = set(threading.enumerate())
    made: list[ServiceGroup] = []

    def make(connection: str | None, **options: Any) -> ServiceGroup:
        made.append(service_group(connection, **options))
        return made[-1]

    yield make
    for group in made:
        group.close()
    assert not left_since(before), "threads left behind"


@pytest.fixture
def daemon() -> Iterator[Callable[..., Daemon]]:
    """Start daemons, each ended after the test; *wait* until it can be told."""
    with contextlib.ExitStack() as started:

        def start(connection: str | None, *, wait: bool = True, **named: Any) -> Daemon:
            daemon = Daemon(connection, **named)
            started.callback(daemon.close)
            return daemon.ready() if wait else daemon

        yield start


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Wait until something holds; fails with the last value if it never does."""

    def eventually(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        until = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > until:
                pytest.fail(f"did not come within {seconds} s: last value {value!r}")
            time.sleep(0.02)
        return value

    return eventually


def migrated(url: str) -> str:
    """Give the database at *url* our tables, and return the URL."""
    schema.upgrade(configuration(url))
    return url


def left_since(before: set[threading.Thread], seconds: float = PATIENCE) -> list[str]:
    """Name the library's threads started since *before* that do not end within *seconds*."""
    deadline = time.monotonic() + seconds
    fresh = [one for one in set(threading.enumerate()) - before if "servicegroup" in one.name]
    for thread in fresh:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread.name for thread in fresh if thread.is_alive()]
