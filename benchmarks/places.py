"""What is measured: a store on a server private to the run, by name."""

from __future__ import annotations

import abc
import contextlib
import importlib
import pathlib
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from oslo_config import cfg

from benchmarks.rivals import Rival
from servicegroup import config, loading
from servicegroup.door import Door
from servicegroup.driver import Context
from servicegroup.model import Member

#: Where each place is defined.
_MODULES = {
    "sqlite": "databases",
    "postgresql": "databases",
    "mariadb": "databases",
    "zookeeper": "zookeeper",
    "memcache": "memcache",
    "k8s": "k8s",
    "tooz": "tooz",
}
PLACES = tuple(_MODULES)

GROUP = "compute"
#: Seconds: long enough that nobody who beat at the beginning goes down during a run.
DOWN_TIME = 6000.0
#: The seven fields that a daemon of a control plane publishes: 130 bytes of JSON.
ATTRIBUTES: dict[str, Any] = {
    "region": "RegionOne",
    "zone": "az-1",
    "rack": "r-17",
    "drivers": ["ipmi", "redfish"],
    "api": "1.82",
    "weight": 100,
    "url": "http://10.0.0.17",
}

#: Where the tests keep what starts private servers.
_TESTS = pathlib.Path(__file__).parents[1] / "tests"


class Fleet(Protocol):
    """The members of one group, whose processes all beat when it was made."""

    def set_size(self, size: int) -> None:
        """Leave nothing in the store but *size* members, each of a process of its own."""

    def remove(self, group_id: str) -> None:
        """Remove the members of a group without a trace."""

    def instance_of(self, member_id: str) -> str:
        """Return the life that holds a member."""

    def close(self) -> None:
        """Close the connections, and leave."""


class Place(abc.ABC):
    """One store, reached at *address*; made anew from name and address in other processes."""

    name: ClassVar[str]
    driver: ClassVar[str]
    #: Numbers of members to measure at.
    sizes: ClassVar[Sequence[int]] = (100, 1_000, 10_000)
    #: Distributions whose versions matter for the figures.
    libraries: ClassVar[Sequence[str]] = ()
    #: The group that joins are measured in. Where joining costs more the more members a group has,
    #: it is the one that has many.
    joined: ClassVar[str] = GROUP
    #: Whether to measure a listing by somebody who has most of it from an earlier one.
    looks_again: ClassVar[bool] = False
    #: The largest number of members among which many processes joining at once are measured.
    storms_until: ClassVar[int] = 0
    #: Connections that a driver keeps open once it has joined and beats.
    connections: ClassVar[int] = 1
    #: Whether a driver can beat for its own life only.
    one_life: ClassVar[bool] = False
    #: Whether a member whose process died stays listed; else nobody is told that it is down.
    remembers: ClassVar[bool] = True

    def __init__(self, address: str, title: str = "", server: int | None = None) -> None:
        self.address = address
        self.title = title
        #: The server's process, where there is one.
        self.server = server

    @classmethod
    @abc.abstractmethod
    def serve(cls) -> contextlib.AbstractContextManager[Place]:
        """Make an empty store, and remove it afterwards with its server."""

    @abc.abstractmethod
    def options(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the options of the driver, by group."""

    @abc.abstractmethod
    def fleet(self) -> Fleet:
        """Return what fills the store."""

    @abc.abstractmethod
    def rivals(self) -> list[Rival]:
        """Return who else is measured, the bare client first."""

    def silence(self, seconds: float) -> Mapping[str, Mapping[str, Any]]:  # noqa: ARG002
        """Return options by which the store itself ends lives after that silence, by group."""
        return {}

    def told_within(self, down_time: float, poll: float) -> float:  # noqa: ARG002
        """Return the documented longest time from a death to the word of a watch, by silence."""
        return down_time

    def writes(self) -> int | None:
        """Return how many writes the server was asked for since the last call, where it tells."""
        return None

    def configuration(self, **core: Any) -> cfg.ConfigOpts:
        """Return a configuration of this store; *core* are options of ``[servicegroup]``."""
        conf = cfg.ConfigOpts()
        conf([], project="servicegroup", default_config_files=[], default_config_dirs=[])
        config.register(conf)
        loading.register_options(conf, loading.load(self.driver))
        wanted = {"driver": self.driver, "service_down_time": DOWN_TIME} | core
        for group, options in {**self.options(), config.GROUP: wanted}.items():
            for option, value in options.items():
                conf.set_override(option, value, group=group)
        return conf

    def process(self, conf: cfg.ConfigOpts | None = None) -> tuple[Door, str]:
        """Return a door and the life that beats through it, as another process would have them."""
        conf = conf or self.configuration()
        life = str(uuid.uuid4())
        driver = loading.load(self.driver)(Context(conf, config.settings(conf), life))
        door = Door(self.driver, driver)
        door.start()
        return door, life


def member_id(number: int) -> str:
    return f"node-{number:05d}"


def member(number: int, life: str, group_id: str = GROUP) -> Member:
    """Return a member as a process hands it to its driver."""
    name = member_id(number)
    return Member(
        group_id, name, "nova-compute", name, 1, attributes=ATTRIBUTES, version=1, instance_id=life
    )


def kind(name: str) -> type[Place]:
    """Return the class of a place."""
    module = importlib.import_module(f"benchmarks.{_MODULES[name]}.place")
    places: dict[str, type[Place]] = module.PLACES
    return places[name]


@contextlib.contextmanager
def servers() -> Iterator[Any]:
    """Let private servers be imported from the tests; yields the folder in which they live."""
    if str(_TESTS) not in sys.path:
        sys.path.insert(0, str(_TESTS))
    from servers.home import Home

    with Home() as home:
        yield home
