"""One data source of Vitrage: its driver, made as Vitrage makes it."""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oslo_config import cfg
from oslo_utils import importutils

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


class Datasource:
    """A driver and whoever reads its events; both are loaded when they are first needed.

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

    @functools.cached_property
    def driver(self) -> Any:
        """The one driver of this process: it may remember what it saw."""
        path = self._driver or self._configured.driver
        kind: Any = importutils.import_class(path)
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
        conf = cfg.CONF
        if "datasources" not in conf:  # this process is not Vitrage's own
            root = logging.getLogger()
            handlers, level = list(root.handlers), root.level
            _vitrage("common.config").parse_config(["vitrage"], self._files or None)
            root.handlers[:], root.level = handlers, level  # its log is not ours
        if self.name not in conf.datasources.types:
            raise ValueError(
                f"vitrage.conf does not list {self.name!r} in [datasources] types: "
                f"{', '.join(conf.datasources.types)}"
            )
        return conf[self.name]

    @functools.cached_property
    def _manager(self) -> Any:
        return _vitrage("entity_graph.processor.transformer_manager").TransformerManager()


def _vitrage(module: str) -> Any:
    try:
        return importlib.import_module(f"vitrage.{module}")
    except ModuleNotFoundError as error:
        raise RuntimeError(
            f"Vitrage cannot be imported here ({error}): pip install vitrage, or set the driver "
            f"option to the class path of a driver that does not need it"
        ) from error
