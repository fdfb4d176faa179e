"""Whether this host's configuration, driver, store and members are well, and what to do if not."""

from __future__ import annotations

import importlib.metadata
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from oslo_config import cfg

from servicegroup import config, loading, mounts, skew, spelling
from servicegroup.api import ServiceGroup
from servicegroup.driver import Finding
from servicegroup.exceptions import ConfigurationError, DriverUnavailable
from servicegroup.flaps import came_back_lately
from servicegroup.model import State
from servicegroup.readiness import Readiness
from servicegroup.status import Cause, MemberStatus, in_words

if TYPE_CHECKING:  # it loads a database library
    from servicegroup.db.survey import Process

#: Entry points of what else there is to examine: functions that take the configuration and yield
#: findings, and that change nothing either.
NAMESPACE = "servicegroup.doctor"
#: Round trips measured.
TRIES = 5
#: A round trip this share of its time-out is too long to rely on.
SLOW = 0.25
#: Share of a database's connections in use above which the next outage may need more.
CROWDED = 0.8
#: Most members named in one finding.
NAMED = 3
#: Asked for to measure a round trip: a member that nobody joins as.
PROBE = ("servicegroup-doctor", "servicegroup-doctor")

#: Down without an operator's word: someone should look.
_TROUBLE = {Cause.SILENT, Cause.ENDED, Cause.WITHDRAWN, Cause.RECORD_SILENT, Cause.NOT_JOINED}


def examine(load: Callable[[], cfg.ConfigOpts]) -> list[Finding]:
    """Check everything in order, and no further than makes sense. Changes nothing, never raises.

    :param load: returns the configuration, or raises :exc:`ConfigurationError`
    """
    try:
        conf = load()
    except ConfigurationError as error:
        return [_wrong(error)]
    further = importlib.metadata.entry_points(group=NAMESPACE)
    contributed = [finding for entry in further for finding in _contributed(entry, conf)]
    return [*_found(_checks(conf)), *contributed]


def _contributed(entry: importlib.metadata.EntryPoint, conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Yield what another's checks find; if they fail, that is a finding as well."""
    try:
        yield from _found(entry.load()(conf))
    except Exception as error:  # noqa: BLE001 - it is the other's
        words = f"{entry.value} cannot be used: {type(error).__name__}: {error}"
        remedy = f"correct or uninstall what has this entry point in {NAMESPACE}"
        yield Finding(entry.name, False, words, remedy)


def _found(checks: Iterable[Finding]) -> Iterator[Finding]:
    """Yield what was found before an error, and the error."""
    try:
        yield from checks
    except ConfigurationError as error:
        yield _wrong(error)
    except DriverUnavailable as error:
        remedy = "check that it runs, and that this host reaches it"
        yield Finding("store", False, str(error), remedy, silent=True)


def _wrong(error: ConfigurationError) -> Finding:
    return Finding("configuration", False, str(error), "correct it, and look again")


def _checks(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    settings = config.settings(conf)
    yield _configuration(conf, settings)
    yield from spelling.findings(conf, loading.list_opts())
    loading.load(settings.driver)
    yield Finding("driver", True, f"{settings.driver} loads; {_installed()}")
    yield from _left_out(settings)
    if settings.use_records:
        tables = _tables(conf)
        yield tables
        if not tables.well:
            return
    with ServiceGroup(conf) as service_group:
        yield _round_trip(service_group)
        yield from service_group.findings()
        if settings.use_records:
            yield from _database(conf, settings)
        statuses = service_group.roster.list()
        yield _members(statuses, service_group.roster.only_reads)
        yield from _returns(statuses)
        for readiness in service_group.readiness():
            yield _moving(readiness)


def _configuration(conf: cfg.ConfigOpts, settings: config.Settings) -> Finding:
    files = ", ".join(conf.config_file or ()) or "no file"
    words = (
        f"driver {settings.driver}, host {settings.host}, beats every "
        f"{in_words(settings.report_interval)}, down after {in_words(settings.service_down_time)}; "
        f"read from {files} and the environment"
    )
    return Finding("configuration", True, words)


def _left_out(settings: config.Settings) -> Iterator[Finding]:
    further = loading.further(settings)
    if left_out := [name for name in settings.report_to if name not in further]:
        words = f"{', '.join(left_out)} of report_to is left out: it is named already"
        yield Finding("driver", True, words)


def _installed() -> str:
    broken, named = [], []
    for name, others in loading.aliases().items():
        named.append(f"{name} ({', '.join(others)})" if others else name)
        try:
            loading.load(name)
        except ConfigurationError:
            broken.append(name)
    words = f"installed are {', '.join(named)}"
    return f"{words}; {', '.join(broken)} without their library" if broken else words


def _tables(conf: cfg.ConfigOpts) -> Finding:
    from servicegroup import schema

    found = schema.read(conf)
    if found.is_current:
        return Finding("tables", True, f"{found.place} is at version {found.version}")
    if found.makes_itself:
        return Finding("tables", True, f"{found.place} will be made ready at first use")
    version = "holds no tables of ours" if found.version is None else f"is at {found.version}"
    words = f"{found.place} {version}, version {found.needed} is needed"
    return Finding("tables", False, words, "run 'servicegroup db upgrade'")


def _round_trip(service_group: ServiceGroup) -> Finding:
    times = []
    service_group.is_up(*PROBE)  # pays for the connection
    for _ in range(TRIES):
        before = time.monotonic()
        service_group.is_up(*PROBE)
        times.append(time.monotonic() - before)
    median = statistics.median(times)
    limit = service_group.settings.call_timeout
    words = f"answers in {median * 1000:.2f} ms; a beat waits {limit:g} s at most"
    if median < SLOW * limit:
        return Finding("store", True, words)
    remedy = "find out what slows it down, or raise [servicegroup] report_interval"
    return Finding("store", False, words, remedy)


def _database(conf: cfg.ConfigOpts, settings: config.Settings) -> Iterator[Finding]:
    from servicegroup.db import survey
    from servicegroup.db.engine import Database

    database = Database(conf, settings)
    try:
        file, clock = survey.sqlite_file(database), survey.clock(database)
        if file is not None:
            yield _file_system(mounts.kind(file), str(file))
        if clock is not None:
            yield skew.clock("the database's", *clock)
        if (connections := survey.connections(database)) is not None:
            yield _connections(*connections)
        yield _processes(survey.processes(database), settings.service_down_time)
    finally:
        database.close()


def _connections(used: int, allowed: int) -> Finding:
    words = f"the database has {used} of {allowed} connections in use, by all its users together"
    if used <= CROWDED * allowed:
        return Finding("connections", True, words)
    remedy = "raise its limit (max_connections), or let other users hold fewer"
    return Finding("connections", False, words, remedy)


def _file_system(kind: str, path: str) -> Finding:
    words = f"{path} is on {kind or 'an unknown file system'}"
    if kind not in mounts.NETWORK:
        return Finding("file system", True, words)
    remedy = "SQLite needs a local disk: move it, or use PostgreSQL, MySQL or MariaDB"
    return Finding("file system", False, f"{words}, a network file system", remedy)


def _processes(processes: Sequence[Process], limit: float) -> Finding:
    beating = [one for one in processes if not one.ended and one.age <= limit]
    words = f"{len(beating)} beat, {len(processes) - len(beating)} are silent or ended"
    rare = [one for one in beating if limit < config.LEAST_INTERVALS * one.report_interval * 0.999]
    if not rare:
        return Finding("processes", True, words)
    named = "; ".join(
        f"process {one.process_id} on {one.hostname} beats every {in_words(one.report_interval)}"
        for one in rare[:NAMED]
    )
    words = f"{words}; {len(rare)} too seldom for service_down_time={limit:g}: {named}"
    remedy = "use the same report_interval and service_down_time on every host"
    return Finding("processes", False, words, remedy)


def _members(statuses: Sequence[MemberStatus], only_reads: bool) -> Finding:
    up = sum(status.is_up for status in statuses)
    words = f"{up} of {len(statuses)} are up" if statuses else "nobody has joined"
    trouble = [one for one in statuses if _is_trouble(one)]
    if not trouble:
        return Finding("members", True, words)
    named = "; ".join(f"{one.group_id}/{one.member_id}: {one.reason}" for one in trouble[:NAMED])
    more = f"; and {len(trouble) - NAMED} more" if len(trouble) > NAMED else ""
    remedy = "start them, or 'servicegroup service delete GROUP MEMBER' what is gone for good"
    if only_reads:
        remedy = "look after them where they come from"
    return Finding("members", False, f"{words}; {named}{more}", remedy)


def _returns(statuses: Sequence[MemberStatus]) -> Iterator[Finding]:
    """Tell who came back lately without having left: it crashed, or two processes fight for it."""
    lately = [one for one in statuses if came_back_lately(one.member.flaps, one.liveness.since)]
    if lately:
        named = "; ".join(
            f"{one.group_id}/{one.member_id} ({one.member.flaps.times} times)"
            for one in lately[:NAMED]
            if one.member.flaps is not None
        )
        more = f"; and {len(lately) - NAMED} more" if len(lately) > NAMED else ""
        words = f"{len(lately)} came back lately without having left: {named}{more}"
        remedy = "see their logs: they crash or stall, or two processes use one member id"
        yield Finding("returns", False, words, remedy)


def _moving(one: Readiness) -> Finding:
    """Tell whether the driver could judge this group from now on without a false alarm."""
    check = f"report_to {one.driver}"
    if one.silent is not None:
        remedy = "no verdict depends on it now; check that it runs, and that this host reaches it"
        return Finding(check, False, f"not ready to switch: {one.silent}", remedy)
    group = f"members of {one.group_id!r} also report to {one.driver}"
    stale = ""
    if one.stale:
        stale = f"; only there are {len(one.stale)} more: {_named(one.stale)}"
    if one.ready:
        return Finding(check, True, f"ready to switch: all {one.alive:,} {group}{stale}")
    missing = _named([f"{member_id} ({reason})" for member_id, reason in one.missing.items()])
    reporting = one.alive - len(one.missing)
    words = f"{reporting:,} of {one.alive:,} {group}; missing: {missing}{stale}"
    remedy = f"set [servicegroup] report_to={one.driver} there, restart them, and see their logs"
    return Finding(check, False, f"not ready to switch: {words}", remedy)


def _named(words: Sequence[str]) -> str:
    more = f" and {len(words) - NAMED} more" if len(words) > NAMED else ""
    return ", ".join(words[:NAMED]) + more


def _is_trouble(status: MemberStatus) -> bool:
    return status.state is State.UNKNOWN or status.liveness.cause in _TROUBLE
