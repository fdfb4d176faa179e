"""The options of the core and their check, together and at construction. No globals."""

from __future__ import annotations

import math
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from oslo_config import cfg

from servicegroup.exceptions import ConfigurationError
from servicegroup.hashring import LARGEST_EXPONENT, PARTITION_EXPONENT
from servicegroup.liveness import Limits
from servicegroup.model import check_text
from servicegroup.policy import BOUNDED_LOAD, POLICIES, RING, Policy

GROUP = "servicegroup"
DATABASE_GROUP = "servicegroup_database"

#: Records beside another driver beat this many times more slowly than the members.
RECORD_INTERVALS = 3
#: A record is silent after this many of its own intervals.
RECORD_WINDOWS = 4
#: The shortest window, in intervals, in which an outage can be told from a death: what an outage
#: takes at most to be over for a member (OUTAGE_INTERVALS), and a regular beat with its jitter.
LEAST_INTERVALS = 3.3
#: Intervals by which a living member's last beat may be older than an outage is long.
OUTAGE_INTERVALS = 2.1

#: Seconds, 30 years: what every clock and wait can do. oslo.config takes inf and nan for numbers.
LONGEST = 1e9

#: Seconds: without service records a crashed member is forgotten after a day; with them, never.
FORGET_AFTER = 86400.0

#: How oslo.config writes where a value came from; the detail is the file or the variable.
_LOCATION = re.compile(r"option (\w+) from LocationInfo\(location=.*?, detail='(.*?)'\)")

T = TypeVar("T")

OPTIONS: Sequence[cfg.Opt] = (
    cfg.StrOpt(
        "driver",
        default="db",
        help="Name of the driver that keeps the signs of life: an entry point of the namespace "
        "servicegroup.drivers. All members of a fleet must use the same one.",
    ),
    cfg.ListOpt(
        "report_to",
        default=[],
        help="Names of further drivers that members of this process beat in as well, so that a "
        "fleet can move from one driver to another while it runs. Nobody here is judged by them: "
        "one that fails changes no verdict, and is logged. The one named by 'driver' may be among "
        "them, and is left out. Each costs one more write per process and interval.",
    ),
    cfg.StrOpt(
        "host",
        sample_default="<$HOST_HOSTNAME, else the system's host name>",
        help="Host name that members of this process are shown with. Set it in containers, whose "
        "own host name says nothing.",
    ),
    cfg.FloatOpt(
        "report_interval",
        default=10.0,
        min=0.01,
        help="Seconds between two beats of a process. Shorter means sooner detection and more "
        "writes: one per process and interval.",
    ),
    cfg.FloatOpt(
        "service_down_time",
        default=60.0,
        min=0.02,
        help="Seconds without a beat after which a member is down; exactly that old is still up. "
        "At least 3.3 times report_interval, or an outage of the store could not be told from a "
        "death. Must be the same in the processes that report and those that look.",
    ),
    cfg.BoolOpt(
        "use_records",
        sample_default="<true with driver db or with [servicegroup_database] connection set>",
        help="Keep a service record (enabled or disabled, forced down, version) in the database "
        "for every member that joins, also beside another driver.",
    ),
    cfg.FloatOpt(
        "record_interval",
        min=0.01,
        sample_default="<3 report_intervals>",
        help="Seconds between two beats of the records beside a driver other than db. Longer "
        "relieves the database.",
    ),
    cfg.FloatOpt(
        "record_down_time",
        min=0.02,
        sample_default="<4 record_intervals>",
        help="Seconds without a beat after which a record beside a driver other than db counts as "
        "silent. At least 3.3 times record_interval.",
    ),
    cfg.FloatOpt(
        "poll_interval",
        default=1.0,
        min=0.01,
        help="Seconds between two looks of a watch at a store that cannot call back. Shorter "
        "means sooner events and more reads: one per watch and interval.",
    ),
    cfg.BoolOpt(
        "rejoin_removed",
        default=False,
        help="Whether a member that an operator removed while its process lives joins again by "
        "itself. With false it stops and says so once in the log.",
    ),
    cfg.FloatOpt(
        "forget_after",
        min=1.0,
        sample_default="<never with service records, 86400 without>",
        help="Seconds after which a member that is down is removed from the store.",
    ),
    cfg.BoolOpt(
        "guardian",
        default=False,
        help="Whether a small process beside this one tells everybody at once if this one dies "
        "without leaving, so that nobody has to wait for service_down_time. It takes 5 to 20 MB "
        "of memory and no connection. On by default in 'servicegroup run'.",
    ),
    cfg.FloatOpt(
        "stop_deadline",
        default=5.0,
        min=0.0,
        help="Seconds within which closing returns, also while the store does not answer. What "
        "could not leave by then goes down by its age.",
    ),
)

CONDUCTOR_GROUP = "servicegroup_conductor"
CONDUCTOR_OPTIONS: Sequence[cfg.Opt] = (
    cfg.StrOpt(
        "group",
        default="ironic-conductor",
        help="Group whose members are the conductors.",
    ),
    cfg.IntOpt(
        "partition_exponent",
        default=PARTITION_EXPONENT,
        min=0,
        max=LARGEST_EXPONENT,
        help="Each conductor has 2 to the power of this number points on the ring. More points "
        "share the nodes more evenly and take more memory: 20 bytes each. All processes of a "
        "fleet must use the same; Ironic's is 5.",
    ),
    cfg.StrOpt(
        "policy",
        default=RING,
        choices=POLICIES,
        help="How the conductors share the nodes. 'ring' is Ironic's own way, and the only one by "
        "which the nodes of a conductor are found by index; 'rendezvous' is more even; 'bounded' "
        "is the ring with a limit to what one conductor has; 'static' follows a table. All "
        "processes of a fleet must use the same.",
    ),
    cfg.FloatOpt(
        "bounded_load",
        default=BOUNDED_LOAD,
        min=1.0,
        help="With policy 'bounded': how many times its fair share of the nodes a conductor may "
        "have. Closer to 1 is more even, and moves more nodes when conductors or nodes come or go.",
    ),
    cfg.StrOpt(
        "static_table",
        sample_default="<none>",
        help="With policy 'static': path of a JSON file, an object of node uuids and the host "
        "names of their conductors. Read once, at the start.",
    ),
    cfg.StrOpt(
        "static_otherwise",
        sample_default="<nobody>",
        help="With policy 'static': host name of the conductor of all nodes that are not in the "
        "table.",
    ),
)
HYPERVISOR_GROUP = "servicegroup_hypervisor"
HYPERVISOR_OPTIONS: Sequence[cfg.Opt] = (
    cfg.StrOpt(
        "group",
        default="compute",
        help="Group whose members run the hypervisors.",
    ),
)


@dataclass(frozen=True)
class Settings:
    """The checked values of ``[servicegroup]``; all times in seconds."""

    driver: str
    report_to: tuple[str, ...]
    host: str
    report_interval: float
    service_down_time: float
    use_records: bool
    record_interval: float
    record_down_time: float
    poll_interval: float
    rejoin_removed: bool
    forget_after: float | None
    guardian: bool
    stop_deadline: float
    conductor_group: str
    placement: Policy
    hypervisor_group: str

    @property
    def call_timeout(self) -> float:
        """Longest wait for one answer of a store: below the interval, so a beat cannot pile up."""
        return min(max(self.report_interval * 0.8, 0.5), 30.0)

    @property
    def steady_gap(self) -> float:
        """Longest gap between two beats of one instance that still counts as unbroken.

        A store that was away must break every instance's beat before it can make a living member
        look silent. Such a member may have beaten last one interval before the outage; after it, a
        request that hangs has to run into its time-out and the next try comes within a quarter of
        an interval: hence 2.1 intervals less than ``service_down_time`` (doc/decisions/0002). At
        least 1.2 intervals, which a regular beat keeps within.
        """
        return self.service_down_time - OUTAGE_INTERVALS * self.report_interval

    @property
    def limits(self) -> Limits:
        """What members are judged by."""
        return Limits(self.service_down_time, self.record_down_time, self.driver)


def register(conf: cfg.ConfigOpts) -> None:
    """Register the core's options on *conf*. May be called again."""
    conf.register_opts(OPTIONS, group=GROUP)
    conf.register_opts(CONDUCTOR_OPTIONS, group=CONDUCTOR_GROUP)
    conf.register_opts(HYPERVISOR_OPTIONS, group=HYPERVISOR_GROUP)


def settings(conf: cfg.ConfigOpts) -> Settings:
    """Read and check the core's options together.

    :raises ConfigurationError: values that cannot work, each or together
    """
    register(conf)
    _checked(conf, CONDUCTOR_GROUP, CONDUCTOR_OPTIONS)
    _checked(conf, HYPERVISOR_GROUP, HYPERVISOR_OPTIONS)
    _checked(conf, GROUP, OPTIONS)
    return _settings(conf)


def invalid(error: cfg.ConfigSourceValueError, group: str | None = None) -> ConfigurationError:
    """Return *error* as one of ours, which names the place without oslo.config's inner types.

    And the right place: oslo.config names the file also where a variable came before it.
    """

    def place(match: re.Match[str]) -> str:
        variable = f"OS_{group}__{match[1]}".upper()
        return f"option {match[1]} from {variable if variable in os.environ else match[2]}"

    words = _LOCATION.sub(place, str(error))
    return ConfigurationError(f"[{group}] {words}" if group else words)


def _settings(conf: cfg.ConfigOpts) -> Settings:
    values = conf[GROUP]
    interval, down = values.report_interval, values.service_down_time
    _room("service_down_time", down, "report_interval", interval)
    record_interval = _or(values.record_interval, RECORD_INTERVALS * interval)
    record_down = _or(values.record_down_time, RECORD_WINDOWS * record_interval)
    _room("record_down_time", record_down, "record_interval", record_interval)
    use_records = values.use_records
    if use_records is None:
        use_records = values.driver == "db" or _connection(conf) is not None
    elif not use_records and values.driver == "db":
        raise ConfigurationError(
            f"[{GROUP}] use_records=false cannot be with driver=db, whose members are service "
            f"records; leave use_records out or choose another driver"
        )
    return Settings(
        driver=values.driver,
        report_to=tuple(dict.fromkeys(name for name in values.report_to if name)),
        host=_host(values.host),
        report_interval=interval,
        service_down_time=down,
        use_records=use_records,
        record_interval=record_interval,
        record_down_time=record_down,
        poll_interval=values.poll_interval,
        rejoin_removed=values.rejoin_removed,
        forget_after=_or(values.forget_after, None if use_records else FORGET_AFTER),
        guardian=values.guardian,
        stop_deadline=values.stop_deadline,
        conductor_group=conf[CONDUCTOR_GROUP].group,
        placement=Policy.read(conf[CONDUCTOR_GROUP]),
        hypervisor_group=conf[HYPERVISOR_GROUP].group,
    )


def _checked(conf: cfg.ConfigOpts, group: str, options: Sequence[cfg.Opt]) -> None:
    for option in options:
        try:
            value = conf[group][option.dest]
        except cfg.ConfigSourceValueError as error:
            raise invalid(error, group) from error
        if group == GROUP and isinstance(value, float) and not value <= LONGEST:  # nan is not
            raise ConfigurationError(
                f"[{group}] {option.dest}={value:g} is no time: use at most {LONGEST:g} seconds"
            )
        if option.dest == "group":
            check_text(f"[{group}] group", value)


def _or(value: float | None, default: T) -> float | T:
    return default if value is None else value


def _room(down_name: str, down: float, interval_name: str, interval: float) -> None:
    least = LEAST_INTERVALS * interval
    if down < least and not math.isclose(down, least):
        raise ConfigurationError(
            f"[{GROUP}] {down_name}={down:g} leaves no room for lost beats at "
            f"{interval_name}={interval:g}: a short outage of the store would look like deaths; "
            f"use at least {least:g}"
        )


def _host(configured: str | None) -> str:
    host = configured or os.environ.get("HOST_HOSTNAME") or socket.gethostname()
    return check_text(f"[{GROUP}] host", host)


def database_options() -> list[cfg.Opt]:
    """Return oslo.db's options, as they stand in our own group."""
    from oslo_db.options import database_opts

    return list(database_opts)


def register_database(conf: cfg.ConfigOpts) -> None:
    """Register the database options on *conf*. Loads no database library. May be called again."""
    conf.register_opts(database_options(), group=DATABASE_GROUP)


def _connection(conf: cfg.ConfigOpts) -> str | None:
    register_database(conf)
    connection: str | None = conf[DATABASE_GROUP].connection
    return connection or None  # as empty as left out
