"""The options of the synchronizer, checked at construction; those of a plugin beside its own."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from oslo_config import cfg

from servicegroup import config
from servicegroup.exceptions import ConfigurationError

from .errors import PluginError
from .plugin import BasePlugin, CollectorPlugin, MessageBusPlugin

GROUP = "synchronizer"
_MEGABYTE = 1024 * 1024

#: What may be said for all collectors in ``[synchronizer]`` and for one in its own group.
_SHARED: Sequence[cfg.Opt] = (
    cfg.FloatOpt(
        "poll_interval",
        default=60.0,
        min=0.01,
        help="Seconds from the beginning of one poll of a source to the next. Shorter means "
        "sooner news and more load on the source.",
    ),
    cfg.FloatOpt(
        "reconcile_interval",
        default=600.0,
        min=0.01,
        help="Seconds between two complete polls of a source that is asked for changes in between.",
    ),
    cfg.FloatOpt(
        "poll_deadline",
        default=300.0,
        min=0.01,
        help="Seconds after which a poll is given up and the process of its collector killed.",
    ),
    cfg.FloatOpt(
        "max_delete_fraction",
        default=1.0,
        min=0.0,
        max=1.0,
        help="The largest share of the known entities that one poll may delete. A poll that would "
        "delete more changes nothing and is reported, until this is raised. 1 allows all.",
    ),
    cfg.IntOpt(
        "memory_limit",
        default=2048,
        min=0,
        help="Megabytes that the process of a collector may take; 0 means no limit. About 200 "
        "bytes are needed for each entity, and what its plugin takes.",
    ),
    cfg.IntOpt(
        "max_entities",
        default=10_000_000,
        min=1,
        help="A poll that yields more entities than this is given up.",
    ),
    cfg.FloatOpt(
        "retry_interval",
        default=1.0,
        min=0.01,
        help="Seconds before a failed source is tried again; doubled with each failure, up to "
        "poll_interval or a minute, whichever is more.",
    ),
)
OPTIONS: Sequence[cfg.Opt] = (
    cfg.ListOpt(
        "plugins",
        default=[],
        help="The plugins to run: names of entry points of the namespace "
        "servicegroup.synchronizer.plugins, or class paths such as my_module:MyPlugin. "
        "'servicegroup synchronizer plugins' lists what is installed. One that is to run several "
        "times has a label after a slash, such as vitrage/nova.host, and its options in "
        "[synchronizer_vitrage_nova.host].",
    ),
    cfg.ListOpt(
        "entity_types",
        default=[],
        sample_default="<all that the plugins offer>",
        help="The types of entities to collect.",
    ),
    cfg.StrOpt(
        "baseline_path",
        sample_default="<~/.local/state/servicegroup/synchronizer.sqlite>",
        help="The file that keeps what was told, for one synchronizer alone. An empty value: a "
        "temporary one, so that every start begins with snapshots.",
    ),
    cfg.IntOpt(
        "queue_size",
        default=1000,
        min=1,
        help="How many events a consumer's queue may hold that were not acknowledged; more wait on "
        "disk, where a newer state takes the place of an older one.",
    ),
    cfg.FloatOpt(
        "forget_consumers_after",
        default=7 * 86400.0,
        min=1.0,
        help="Seconds after which a named consumer that does not come back is forgotten; it then "
        "gets a snapshot. Until then it is remembered for it what was deleted.",
    ),
    cfg.StrOpt(
        "python",
        sample_default="<the interpreter that runs the synchronizer>",
        help="The interpreter for the processes of collectors. Needed where the program that "
        "embeds the synchronizer is not Python itself, such as uwsgi.",
    ),
    *_SHARED,
)


@dataclass(frozen=True)
class Settings:
    """The checked values of ``[synchronizer]``."""

    plugins: list[str]
    entity_types: list[str]
    baseline_path: Path | None
    queue_size: int
    forget_consumers_after: float
    python: str | None


@dataclass(frozen=True)
class PollSettings:
    """How one source is polled; times in seconds, memory in bytes."""

    poll_interval: float
    reconcile_interval: float
    poll_deadline: float
    max_delete_fraction: float
    memory_limit: int
    max_entities: int
    retry_interval: float

    @property
    def longest_retry(self) -> float:
        """Seconds between two tries at most."""
        return max(self.poll_interval, min(60.0, 60 * self.retry_interval))


def settings(conf: cfg.ConfigOpts) -> Settings:
    """Read and check what concerns all plugins.

    :raises ConfigurationError: values that cannot work
    """
    conf.register_opts(OPTIONS, group=GROUP)
    values = _values(conf, GROUP)
    return Settings(
        plugins=list(values.plugins),
        entity_types=list(values.entity_types),
        baseline_path=_path(values.baseline_path),
        queue_size=values.queue_size,
        forget_consumers_after=values.forget_consumers_after,
        python=values.python,
    )


def group_of(name: str) -> str:
    """Return the group of the configuration that a plugin has for itself.

    ``synchronizer_NAME``, of a class path the class; with a label ``synchronizer_NAME_LABEL``.
    """
    plugin, _, label = name.partition("/")
    own = plugin.rpartition(":")[2].rpartition(".")[2]
    return f"{GROUP}_{own}_{label}" if label else f"{GROUP}_{own}"


def poll_settings(conf: cfg.ConfigOpts, name: str) -> PollSettings:
    """Read how a source is polled: what its own group says, else what is said for all.

    :raises ConfigurationError: values that cannot work
    """
    group = group_of(name)
    conf.register_opts(_shared(), group=group)
    own, general = _values(conf, group), _values(conf, GROUP)
    chosen: dict[str, Any] = {}
    for field in fields(PollSettings):
        value = own[field.name]
        chosen[field.name] = general[field.name] if value is None else value
    chosen["memory_limit"] *= _MEGABYTE
    return PollSettings(**chosen)


def plugin_options(conf: cfg.ConfigOpts, name: str, kind: type[BasePlugin]) -> dict[str, Any]:
    """Register a plugin's own options and return their values.

    :raises ConfigurationError: values that cannot work
    :raises PluginError: its options are not what they must be
    """
    group = group_of(name)
    conf.register_group(cfg.OptGroup(group))
    try:
        conf.register_opts(kind.options, group=group)
    except (cfg.Error, TypeError, AttributeError) as error:
        raise PluginError(
            f"plugin {name!r} cannot have its options in [{group}]: {error}; its author has to "
            f"mend {kind.__name__}.options"
        ) from error
    values = _values(conf, group)
    return {option.dest: values[option.dest] for option in kind.options}


def values_without_demands(
    conf: cfg.ConfigOpts, name: str, kind: type[BasePlugin]
) -> dict[str, Any]:
    """Return the values of a plugin's options, its defaults where they cannot be read."""
    try:
        return plugin_options(conf, name, kind)
    except ConfigurationError:
        return {option.dest: option.default for option in kind.options}


def list_opts(more: Iterable[str] = ()) -> list[tuple[str, list[cfg.Opt]]]:
    """Return all options for ``oslo-config-generator``: ours and those of installed plugins.

    :param more: plugins by name or class path that count as well
    """
    from . import finding

    groups = [(GROUP, list(OPTIONS))]
    for name in dict.fromkeys([*finding.installed(), *more]):
        try:
            kind = finding.load(name)
        except ConfigurationError:
            continue
        groups.append((group_of(name), [*kind.options, *_further(kind)]))
    return groups


def _further(kind: type[BasePlugin]) -> Sequence[cfg.Opt]:
    """What the core reads in the group of a plugin of that kind."""
    if issubclass(kind, CollectorPlugin):
        return _shared()
    if issubclass(kind, MessageBusPlugin):
        from . import bus

        return bus.OPTIONS
    return ()


def _shared() -> list[cfg.Opt]:
    """The options of a plugin's group that have the values of ours where they are not set."""
    own = []
    for option in _SHARED:
        own.append(copy.copy(option))
        own[-1].default = None
        own[-1].sample_default = f"<[{GROUP}] {option.name}>"
    return own


def _values(conf: cfg.ConfigOpts, group: str) -> Any:
    try:
        values = conf[group]
        for name in values:
            values[name]
    except cfg.ConfigSourceValueError as error:
        raise config.invalid(error, group) from error
    return values


def _path(configured: str | None) -> Path | None:
    if configured is not None:
        return Path(configured).expanduser() if configured else None
    state = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return Path(state) / "servicegroup" / "synchronizer.sqlite"
