"""The plugin that asks a driver of Vitrage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from ...model import Deleted, Entity
from ...plugin import Context, DeltaPlugin, Incomplete
from .datasource import OPTIONS, ConfigurationTaken, Datasource

FIRST, FURTHER, CHANGES = "init_snapshot", "snapshot", "update"


class VitragePlugin(DeltaPlugin):
    """One data source: ``get_all`` every ``reconcile_interval``, else ``get_changes``.

    A driver that raises changes nothing, and is told so by its ``callback_on_fault``. One that
    does not let outdated entities be deleted deletes only what it says is deleted.
    """

    options = OPTIONS
    overlap: ClassVar[float] = 0.0  # a driver remembers itself what it told

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._source = Datasource(context)
        self.entity_types = self._source.entity_types
        self._action = FIRST

    def probe(self) -> str:
        """Make the driver. Its source is not asked: it would remember what it told.

        :raises PluginError: it cannot be made
        """
        try:
            return self._source.prepare()
        except ConfigurationTaken:  # the collector's own process has its own
            return "its driver can be made in a process of its own alone, so it was not"

    def get_all(self) -> Iterator[Entity | Deleted]:
        """Yield what there is."""
        driver = self._source.driver
        self.lists_all = bool(driver.should_delete_outdated_entities())
        for item in self._told(driver.get_all, self._action):
            # Where all are listed, who is not is gone: then max_delete_fraction is a guard.
            if not (self.lists_all and isinstance(item, Deleted)):
                yield item
        self._action = FURTHER

    def get_changes(self, since: float) -> Iterator[Entity | Deleted]:  # noqa: ARG002
        """Yield what changed since the driver was asked last."""
        if self._source.pulls:
            yield from self._told(self._source.driver.get_changes, CHANGES)

    def _told(self, ask: Callable[[str], Any], action: str) -> Iterator[Entity | Deleted]:
        try:
            told = ask(action)
            if told is None and action != CHANGES:
                raise Incomplete("get_all of the driver returned None, not even an empty list")
            for event in told or ():
                yield from self._source.items(event)
        except Exception as error:
            self._source.driver.callback_on_fault(error)
            raise
