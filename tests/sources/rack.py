"""A data source written as Vitrage's own are: a base that stamps, a driver that remembers.

Its machines are in a JSON file that ``$RACK`` names: ``{name: state}``; other text is no rack.
"""

import abc
import datetime
import json
import os
from pathlib import Path

RACK = "rack"


class DriverBase(abc.ABC):
    """What a driver of Vitrage inherits, as far as this one uses it."""

    _datasource_name = None

    @abc.abstractmethod
    def get_all(self, datasource_action): ...

    def get_changes(self, datasource_action): ...

    def callback_on_fault(self, exception): ...

    def enrich_event(self, event, event_type): ...

    @classmethod
    def make_pickleable_iter(cls, entities, entity_type, datasource_action, *fields):
        for entity in entities:
            for field in fields:
                entity.pop(field, None)
            entity.setdefault("vitrage_entity_type", entity_type)
            now = datetime.datetime.now(datetime.UTC)
            entity["vitrage_sample_date"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
            entity["vitrage_datasource_action"] = datasource_action
            entity["vitrage_datasource_name"] = cls._datasource_name
            yield entity

    @staticmethod
    def properties_to_filter_out():
        return []

    @staticmethod
    def get_event_types():
        return []

    @staticmethod
    def should_delete_outdated_entities():
        return False


class RackDriver(DriverBase):
    def __init__(self):
        super().__init__()
        self.seen = {}
        self.actions = []
        self.faults = []

    def _machines(self):
        listed = json.loads(Path(os.environ["RACK"]).read_text())
        return {
            name: {"id": name, "state": state, "project_id": "p", "client": object(), "slot": 1}
            for name, state in listed.items()
        }

    def get_all(self, datasource_action):
        self.actions.append(datasource_action)
        self.seen = self._machines()
        return self._stamped(list(self.seen.values()), datasource_action)

    def get_changes(self, datasource_action):
        self.actions.append(datasource_action)
        before, self.seen = self.seen, self._machines()
        gone = [
            {**before[name], "vitrage_event_type": "delete_entity"}
            for name in before.keys() - self.seen.keys()
        ]
        states = {name: one["state"] for name, one in before.items()}
        changed = [one for name, one in self.seen.items() if one["state"] != states.get(name)]
        return self._stamped(changed + gone, datasource_action)

    def _stamped(self, machines, action):
        return self.make_pickleable_iter(machines, RACK, action, *self.properties_to_filter_out())

    def callback_on_fault(self, exception):
        self.faults.append(exception)

    def enrich_event(self, event, event_type):
        if event_type == "rack.edge":
            event["vitrage_event_type"] = "update_relationship"
        elif event_type == "rack.machine.gone":
            event["vitrage_event_type"] = "delete_entity"
        elif event_type != "rack.machine":
            return None
        (stamped,) = self._stamped([event], "update")
        return [stamped, None] if event_type == "rack.machine" else stamped

    @staticmethod
    def properties_to_filter_out():
        return ["client"]

    @staticmethod
    def get_event_types():
        return ["rack."]

    @staticmethod
    def should_delete_outdated_entities():
        return True


class PartialRackDriver(RackDriver):
    """Lists what it happens to know."""

    @staticmethod
    def should_delete_outdated_entities():
        return False


class SilentDriver(RackDriver):
    def get_all(self, datasource_action):
        return None
