"""The plugin that gives notifications to a driver of Vitrage."""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Iterable

from ...model import Deleted, Entity
from ...plugin import Context, MessageBusPlugin, Notification
from .collector import FURTHER
from .datasource import OPTIONS, Datasource

LOG = logging.getLogger(__name__)


class VitrageNotificationsPlugin(MessageBusPlugin):
    """One data source: its ``enrich_event``, for the event types that it names and their sequels.

    A driver that compares alarms with those it knows is asked for all of them once, beforehand.
    """

    options = OPTIONS

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._source = Datasource(context)
        self.entity_types = self._source.entity_types

    def prepare(self) -> None:
        """Make the driver, and have it ask for all alarms if it compares with them.

        :raises PluginError: it cannot be made here
        """
        self._source.prepare()
        LOG.info("plugin %s hears %s", self.context.name, ", ".join(self._prefixes))

    def probe(self) -> str:
        """Make the driver.

        :raises PluginError: it cannot be made here
        """
        return self._source.prepare()

    def entities(self, notification: Notification) -> Iterable[Entity | Deleted]:
        """Return what the driver makes of *notification*."""
        if not notification.event_type.startswith(self._prefixes):
            return []
        payload = copy.deepcopy(notification.payload)  # drivers write into it
        return self._source.items(
            self._source.driver.enrich_event(payload, notification.event_type)
        )

    @functools.cached_property
    def _prefixes(self) -> tuple[str, ...]:
        driver = self._source.driver
        if hasattr(driver, "cache"):  # Vitrage's AlarmDriverBase
            list(driver.get_all(FURTHER) or ())
        return tuple(driver.get_event_types())
