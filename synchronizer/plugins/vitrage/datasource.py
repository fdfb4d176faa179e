"""One data source of Vitrage: its driver, made as Vitrage makes it."""

from __future__ import annotations

import functools
import importlib
import logging
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oslo_config import cfg
from oslo_utils import importutils

from ...errors import PluginError
from ...model import Deleted, Entity
from ...plugin import Context
from . import events

OPTIONS: Sequence[cfg.Opt] = (
    cfg.StrOpt(
        "datasource",
        sample_default="<what follows the slash in the plugin's name>",
        help="The data source, such as nova.instance, as vitrage.conf lists it in [datasources] "
        "types.",
    ),
    cfg.ListOpt(
        "config_file",
        default=[],
        sample_default="<those that Vitrage itself reads>",
        help="The configuration files of Vitrage.",
    ),
    cfg.StrOpt(
        "driver",
        sample_default="<the driver option of the data source in vitrage.conf>",
        help="The class path of a driver to be used without Vitrage. No vitrage.conf is read "
        "then, and no transformer: the key of an entity is the 'id' of its event.",
    ),
    cfg.ListOpt(
        "entity_types",
        default=[],
        sample_default="<the name of the data source>",
        help="What the driver gives as vitrage_entity_type.",
    ),
)


_CONFIGURING = threading.Lock()


class ConfigurationTaken(PluginError):
    """Vitrage's drivers read the process's global configuration, and that is another's here."""


class Datasource:
    """A driver and whoever reads its events; made by :meth:`prepare`, or when first needed.

    :raises ValueError: it has no name
    """

    def __init__(self, context: Context) -> None:
        self.name: str = context.options["datasource"] or context.name.partition("/")[2]
        if not self.name:
            raise ValueError(
                f"name the data source: plugins = {context.name}/nova.instance, or datasource = "
                f"nova.instance in the plugin's group"
            )
        self.entity_types = tuple(context.options["entity_types"]) or (self.name,)
        self._driver: str | None = context.options["driver"]
        self._files: list[str] = context.options["config_file"]

    def prepare(self) -> str:
        """Make the driver and whoever reads its events; with Vitrage it takes seconds.

        :returns: in a few words what was made
        :raises ConfigurationTaken: not in this process
        :raises PluginError: the message says what to do
        """
        kind = type(self.driver)
        if self._driver is None:
            try:
                self._manager.get_transformer(self.name)
            except Exception as error:
                raise PluginError(
                    f"Vitrage has no transformer for {self.name!r} ({error}): correct the "
                    f"transformer option in [{self.name}] of vitrage.conf"
                ) from error
        return f"driver {kind.__module__}.{kind.__qualname__}"

    @functools.cached_property
    def driver(self) -> Any:
        """The one driver of this process: it may remember what it saw."""
        path = self._driver or self._configured.driver
        try:
            kind: Any = importutils.import_class(path)
        except Exception as error:
            place = "the plugin's group" if self._driver else f"[{self.name}] of vitrage.conf"
            raise PluginError(
                f"driver={path!r} cannot be imported ({error}): correct the driver option in "
                f"{place}, or install what it needs"
            ) from error
        kind._datasource_name = self.name
        return kind()

    @property
    def pulls(self) -> bool:
        """Whether it can be asked for changes."""
        return self._driver is not None or self._configured.update_method.lower() == "pull"

    def items(self, told: Iterable[Any] | Mapping[str, Any] | None) -> list[Entity | Deleted]:
        """Return what a driver's events say: one, several or none."""
        listed: Iterable[Any] = [told] if isinstance(told, Mapping) else told or ()
        read = (
            events.plain if self._driver else functools.partial(events.transformed, self._manager)
        )
        ignored = self.driver.properties_to_filter_out()
        items = (read(event, ignored) for event in listed if event)
        return [item for item in items if item is not None]

    @functools.cached_property
    def _configured(self) -> Any:
        """What Vitrage's configuration says of it."""
        with _CONFIGURING:
            conf = _configuration(self._files)
        if self.name not in conf.datasources.types:
            raise PluginError(
                f"vitrage.conf does not list {self.name!r} in [datasources] types: "
                f"{', '.join(conf.datasources.types)}; add it there, or correct the plugin's name"
            )
        try:
            return conf[self.name]
        except cfg.NoSuchOptError as error:
            raise PluginError(
                f"Vitrage has no data source {self.name!r}: correct [datasources] types and path "
                f"in vitrage.conf"
            ) from error

    @functools.cached_property
    def _manager(self) -> Any:
        return _vitrage("entity_graph.processor.transformer_manager").TransformerManager()


def _configuration(files: Sequence[str]) -> cfg.ConfigOpts:
    """Return the global configuration, which all of Vitrage reads, as Vitrage's.

    :raises ConfigurationTaken: it was read already, and from elsewhere
    """
    conf = cfg.CONF
    if "config_file" in conf:  # an option of oslo.config's own, once it was read
        if "datasources" not in conf:
            raise ConfigurationTaken(
                "Vitrage's drivers read the global cfg.CONF, which holds this process's own "
                "configuration: run the plugin in a process that does not use it, as "
                "'servicegroup synchronizer run' does, or set the driver option to a driver that "
                "does not need Vitrage"
            )
        if files and list(files) != list(conf.config_file):
            raise ConfigurationTaken(
                f"this process has read Vitrage's configuration from "
                f"{', '.join(conf.config_file)}: set the same config_file for all its data "
                f"sources, not {', '.join(files)}"
            )
        return conf
    config = _vitrage("common.config")
    root = logging.getLogger()
    handlers, level, hook = list(root.handlers), root.level, sys.excepthook
    try:
        config.parse_config(["vitrage"], list(files) or None)
    except Exception as error:
        conf.clear()  # so that the next try reads it
        raise PluginError(
            f"Vitrage's configuration cannot be read ({error}): correct vitrage.conf, or "
            f"config_file in the plugin's group"
        ) from error
    finally:
        root.handlers[:], root.level, sys.excepthook = handlers, level, hook  # its log is not ours
    return conf


def _vitrage(module: str) -> Any:
    try:
        return importlib.import_module(f"vitrage.{module}")
    except ImportError as error:
        raise PluginError(
            f"Vitrage cannot be imported here ({error}): pip install vitrage, or set the driver "
            f"option to the class path of a driver that does not need it"
        ) from error
