"""One picture of what runs, from collectors and message buses, and every change of it.

Authors of plugins derive from :class:`CollectorPlugin`, :class:`DeltaPlugin`,
:class:`MessageBusPlugin` or :class:`StreamPlugin`; consumers use :class:`Synchronizer`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import Synchronizer
    from .consumer import ACKNOWLEDGED, Registration
    from .errors import (
        CollectionFailed,
        EntityTypeNotFound,
        NotCollected,
        PluginError,
        PluginNotFound,
    )
    from .model import (
        Deleted,
        Entity,
        Event,
        Item,
        LastKnown,
        Op,
        Snapshot,
        Token,
        Unchanged,
        timestamp,
    )
    from .picture import Picture
    from .plugin import (
        BasePlugin,
        CollectorPlugin,
        Context,
        DeltaPlugin,
        Feed,
        Incomplete,
        MessageBusPlugin,
        Notification,
        Rows,
        StreamPlugin,
    )

# Each name is imported when it is asked for: a collector's process needs few of them.
_PLACES = {
    "api": ("Synchronizer",),
    "consumer": ("ACKNOWLEDGED", "Registration"),
    "errors": (
        "CollectionFailed",
        "EntityTypeNotFound",
        "NotCollected",
        "PluginError",
        "PluginNotFound",
    ),
    "model": (
        *("Deleted", "Entity", "Event", "Item", "LastKnown", "Op", "Snapshot", "Token"),
        *("Unchanged", "timestamp"),
    ),
    "picture": ("Picture",),
    "plugin": (
        *("BasePlugin", "CollectorPlugin", "Context", "DeltaPlugin", "Feed", "Incomplete"),
        *("MessageBusPlugin", "Notification", "Rows", "StreamPlugin"),
    ),
}
_MODULES = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "ACKNOWLEDGED",
    "BasePlugin",
    "CollectionFailed",
    "CollectorPlugin",
    "Context",
    "Deleted",
    "DeltaPlugin",
    "Entity",
    "EntityTypeNotFound",
    "Event",
    "Feed",
    "Incomplete",
    "Item",
    "LastKnown",
    "MessageBusPlugin",
    "NotCollected",
    "Notification",
    "Op",
    "Picture",
    "PluginError",
    "PluginNotFound",
    "Registration",
    "Rows",
    "Snapshot",
    "StreamPlugin",
    "Synchronizer",
    "Token",
    "Unchanged",
    "timestamp",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
