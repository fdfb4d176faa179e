"""Which configured plugin delivers what: found, made and checked before anything starts."""

from __future__ import annotations

from typing import Any, NamedTuple

from oslo_config import cfg

from . import finding
from .collecting import said
from .errors import EntityTypeNotFound, PluginError
from .model import MAX_TEXT
from .options import PollSettings, Settings, plugin_options, poll_settings
from .plugin import BasePlugin, CollectorPlugin, Context, MessageBusPlugin, StreamPlugin


class Offer(NamedTuple):
    """One configured plugin.

    ``complete``: it can tell all there is of its types. ``polled`` for collectors, ``stream`` for
    the others.
    """

    name: str
    origin: str
    kind: type[BasePlugin]
    types: frozenset[str]
    options: dict[str, Any]
    complete: bool
    polled: PollSettings | None = None
    stream: StreamPlugin | None = None

    @property
    def collector(self) -> type[CollectorPlugin]:
        """The class of a collector."""
        assert issubclass(self.kind, CollectorPlugin)
        return self.kind

    def made(self) -> BasePlugin:
        """Return the plugin, to be closed; a collector, which runs elsewhere, is made anew."""
        if self.stream is not None:
            return self.stream
        return self.kind(Context(self.name, self.options, self.types))


def offers(conf: cfg.ConfigOpts, settings: Settings) -> list[Offer]:
    """Return what the configured plugins offer, narrowed to the types that are wanted.

    :raises PluginError: one cannot work, or two collect the same type
    :raises PluginNotFound: one is not there
    :raises EntityTypeNotFound: a wanted type is offered by none
    """
    found = [offer(conf, settings, name) for name in dict.fromkeys(settings.plugins)]
    owners: dict[str, str] = {}
    for one in found:
        for type_ in one.types if one.complete else ():
            if type_ in owners:
                raise PluginError(
                    f"[synchronizer] plugins: {owners[type_]} and {one.name} both collect "
                    f"{type_!r}, and each would delete what the other one tells; leave one out, "
                    f"or the type by entity_types"
                )
            owners[type_] = one.name
    offered = {type_ for one in found for type_ in one.types}
    unknown = sorted(set(settings.entity_types) - offered)
    if unknown:
        raise EntityTypeNotFound(
            f"[synchronizer] entity_types: no configured plugin delivers {', '.join(unknown)}"
        )
    return [one for one in found if one.types]


def offer(conf: cfg.ConfigOpts, settings: Settings, name: str) -> Offer:
    """Return what one plugin offers.

    :raises PluginError: it cannot work
    :raises PluginNotFound: it is not there
    """
    kind = finding.load(name)
    options = plugin_options(conf, name, kind)
    every = _types(name, _made(name, kind, Context(name, options, conf=conf)))
    types = every & frozenset(settings.entity_types) if settings.entity_types else every
    if issubclass(kind, CollectorPlugin):
        polled = poll_settings(conf, name)
        return Offer(name, finding.origin(name), kind, types, options, True, polled)
    plugin = _made(name, kind, Context(name, options, types, conf))
    if isinstance(plugin, MessageBusPlugin):
        from .bus import Listening

        plugin = Listening(plugin, conf)
    if isinstance(plugin, StreamPlugin):
        return Offer(name, "", kind, types, options, plugin.complete, stream=plugin)
    raise PluginError(f"plugin {name!r} is neither a collector nor a stream nor on a bus")


def _made(name: str, kind: type[BasePlugin], context: Context) -> BasePlugin:
    try:
        return kind(context)
    except Exception as error:
        raise PluginError(f"plugin {name!r} cannot be made: {said(error)}") from error


def _types(name: str, plugin: BasePlugin) -> frozenset[str]:
    types = plugin.entity_types
    good = not isinstance(types, str) and all(
        isinstance(type_, str) and 0 < len(type_) <= MAX_TEXT for type_ in types
    )
    if not good or not types:
        raise PluginError(
            f"plugin {name!r} has entity_types={types!r}; its author has to list one or more types"
        )
    return frozenset(types)
