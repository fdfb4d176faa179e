"""Entities that somebody wrote down in a YAML file: what no source knows of.

::

    entities:
      - key: switch-1
        type: static            # may be left out
        state: up
        child_keys: [host-1, host-2]
        data: {rack: B12}
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml
from oslo_config import cfg

from ..model import Entity
from ..plugin import CollectorPlugin, Context, Incomplete


class StaticPlugin(CollectorPlugin):
    """Reads the file at each poll. A file that is missing or wrong changes nothing."""

    options = (
        cfg.StrOpt("path", help="The YAML file with the entities."),
        cfg.ListOpt(
            "entity_types",
            default=["static"],
            help="The types of entities that it may hold; the first one is that of entities "
            "without a type.",
        ),
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        if not self.option["path"]:
            raise ValueError("set [synchronizer_static] path to the YAML file with the entities")
        self.entity_types = tuple(self.option["entity_types"])

    def get_all(self) -> Iterator[Entity]:
        """Yield what the file holds."""
        path = Path(self.option["path"]).expanduser()
        try:
            content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise Incomplete(f"{path} cannot be read: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise Incomplete(f"{path} is not YAML: {error}") from error
        listed = content.get("entities") if isinstance(content, dict) else None
        if not isinstance(listed, list):
            raise Incomplete(f"{path} has no list 'entities'; an empty one is 'entities: []'")
        for number, values in enumerate(listed, 1):
            yield self._entity(path, number, values)

    def probe(self) -> str:
        """Read the file."""
        return f"{self.option['path']} holds {len(list(self.get_all()))} entities"

    def _entity(self, path: Path, number: int, values: Any) -> Entity:
        if isinstance(values, dict):
            # YAML makes dates of what looks like one, which JSON cannot hold.
            values = msgspec.to_builtins(values, str_keys=True)
            values = {"type": self.entity_types[0], **values}
            unknown = sorted(set(map(str, values)) - set(Entity.__struct_fields__))
            if unknown:
                raise Incomplete(
                    f"{path}: entity {number} has an unknown {unknown[0]!r}; what is your own goes "
                    f"below 'data'"
                )
        try:
            entity = msgspec.convert(values, Entity)
        except msgspec.ValidationError as error:
            raise Incomplete(f"{path}: entity {number}: {error}") from error
        if entity.type not in self.entity_types:
            raise Incomplete(
                f"{path}: entity {number} is of type {entity.type!r}, which [synchronizer_static] "
                f"entity_types does not name"
            )
        return entity
