"""Finding plugins: by entry point, or by class path."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
from typing import Any

from . import collecting
from .errors import PluginError, PluginNotFound
from .plugin import BasePlugin

NAMESPACE = "servicegroup.synchronizer.plugins"


def installed() -> list[str]:
    """Names of all installed plugins, sorted; whether they load is another question."""
    return sorted({entry.name for entry in importlib.metadata.entry_points(group=NAMESPACE)})


def load(name: str) -> type[BasePlugin]:
    """Return the plugin class of a name or class path (``module:Class`` or ``module.Class``).

    :raises PluginNotFound: there is none; the message lists what is installed
    :raises PluginError: it cannot be imported, or is no plugin
    """
    try:
        plugin = collecting.load(origin(name))
    except PluginNotFound:
        raise
    except ImportError as error:
        missing = error.name or ""
        extra = " (pip install 'servicegroup[synchronizer]' brings what ours need)"
        raise PluginNotFound(
            f"[synchronizer] plugins: {name!r} cannot be imported: {error}"
            f"{extra if missing and not name.startswith(missing) else ''}"
        ) from error
    except Exception as error:
        raise PluginError(
            f"[synchronizer] plugins: {name!r} cannot be loaded: {collecting.said(error)}"
        ) from error
    return checked(name, plugin)


def origin(name: str) -> str:
    """Return ``module:Class`` of a plugin's name or class path, with or without a ``/label``.

    :raises PluginNotFound: there is none of that name
    """
    name = name.partition("/")[0]
    for entry in importlib.metadata.entry_points(group=NAMESPACE, name=name):
        return f"{entry.module}:{entry.attr}"
    if ":" in name:
        return name
    module, _, attribute = name.rpartition(".")
    if not module:
        raise PluginNotFound(
            f"[synchronizer] plugins: {name!r} is not installed; installed are: "
            f"{', '.join(installed())}; or give a class path such as my_module:MyPlugin"
        )
    return f"{module}:{attribute}"


def checked(name: str, plugin: Any) -> type[BasePlugin]:
    """Return *plugin* if it is one.

    :raises PluginError: it is none, or is not finished
    """
    if not (isinstance(plugin, type) and issubclass(plugin, BasePlugin)):
        raise PluginError(
            f"[synchronizer] plugins: {name!r} names {plugin!r}, which is no subclass of "
            f"servicegroup.synchronizer.CollectorPlugin or another kind of plugin"
        )
    if inspect.isabstract(plugin):
        missing = ", ".join(sorted(plugin.__abstractmethods__))
        raise PluginError(
            f"[synchronizer] plugins: {name!r} does not define {missing}; its author has to"
        )
    return plugin
