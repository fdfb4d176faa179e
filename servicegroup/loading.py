"""Finding drivers by name among the installed entry points, and the options of all of them."""

from __future__ import annotations

import importlib.metadata
import logging
import re
from typing import Any

from oslo_config import cfg
from stevedore import named

from servicegroup import config
from servicegroup.driver import Driver
from servicegroup.exceptions import DriverNotFound

LOG = logging.getLogger(__name__)

NAMESPACE = "servicegroup.drivers"
#: The extra of ours that brings a driver's client library.
_EXTRAS = {
    "zookeeper": "zookeeper",
    "zk": "zookeeper",
    "memcache": "memcache",
    "memcached": "memcache",
    "mc": "memcache",
    "k8s": "k8s",
    "tooz": "tooz",
}


def load(name: str, option: str = "driver") -> type[Driver]:
    """Return the driver class of that name.

    :param option: where the name stands, for the message
    :raises DriverNotFound: it is not installed, its library is missing, or it is no driver; the
        message names the remedy and lists what is installed
    """
    failures: list[BaseException] = []

    def failed(manager: Any, entry_point: Any, error: BaseException) -> None:  # noqa: ARG001
        failures.append(error)

    manager: Any = named.NamedExtensionManager(
        NAMESPACE,
        [name],
        on_load_failure_callback=failed,
        on_missing_entrypoints_callback=lambda missing: None,  # noqa: ARG005
    )
    if failures:
        raise _broken(name, option, failures[0]) from failures[0]
    plugins = [extension.plugin for extension in manager]
    if not plugins:
        raise DriverNotFound(
            f"[{config.GROUP}] {option}={name!r} is not installed; installed are: "
            f"{', '.join(installed())}"
        )
    plugin = plugins[0]
    if not (isinstance(plugin, type) and issubclass(plugin, Driver)):
        raise DriverNotFound(
            f"[{config.GROUP}] {option}={name!r} names {plugin!r}, which is no subclass of "
            f"servicegroup.driver.Driver; its author has to mend its entry point in {NAMESPACE}"
        )
    return plugin


def further(settings: config.Settings) -> dict[str, type[Driver]]:
    """Return the drivers of ``report_to`` by name; the one that judges is left out, by any name.

    :raises DriverNotFound: as :func:`load`, also for those that are left out
    """
    judging = load(settings.driver)
    found: dict[str, type[Driver]] = {}
    for name in settings.report_to:
        kind = load(name, "report_to")
        if kind is not judging and kind not in found.values():
            found[name] = kind
    return found


def installed() -> list[str]:
    """Names of all installed drivers, sorted; whether they load is another question."""
    return sorted({entry.name for entry in importlib.metadata.entry_points(group=NAMESPACE)})


def aliases() -> dict[str, list[str]]:
    """Return the installed drivers, sorted, each with the other names that stand for the same."""
    by_value: dict[str, list[str]] = {}
    for entry in importlib.metadata.entry_points(group=NAMESPACE):
        by_value.setdefault(entry.value, []).append(entry.name)
    found = {}
    for value, names in by_value.items():
        parts = re.split("[.:]", value)  # the name that its package has, too, is the first one
        first, *others = sorted(set(names), key=lambda name: (name not in parts, name))
        found[first] = others
    return dict(sorted(found.items()))


def register_options(conf: cfg.ConfigOpts, driver: type[Driver]) -> None:
    """Register a driver's own options on *conf*."""
    if driver.options_group is not None:
        conf.register_opts(driver.options, group=driver.options_group)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return all options for ``oslo-config-generator``: ours and those of installed drivers."""
    groups: dict[str, dict[str, cfg.Opt]] = {
        group: {option.name: option for option in options}
        for group, options in (
            (config.GROUP, config.OPTIONS),
            (config.CONDUCTOR_GROUP, config.CONDUCTOR_OPTIONS),
            (config.HYPERVISOR_GROUP, config.HYPERVISOR_OPTIONS),
        )
    }
    for name in aliases():
        try:
            driver = load(name)
        except DriverNotFound as error:
            LOG.warning("options of driver %s are left out: %s", name, error)
            continue
        if driver.options_group is not None:
            known = groups.setdefault(driver.options_group, {})
            known.update({option.name: option for option in driver.options})
    return [(group, list(options.values())) for group, options in groups.items()]


def _broken(name: str, option: str, error: BaseException) -> DriverNotFound:
    if isinstance(error, ImportError) and name in _EXTRAS:
        return DriverNotFound(
            f"[{config.GROUP}] {option}={name!r} needs a library that is not installed ({error}): "
            f"pip install 'servicegroup[{_EXTRAS[name]}]'"
        )
    return DriverNotFound(
        f"[{config.GROUP}] {option}={name!r} cannot be loaded: {type(error).__name__}: {error}"
    )
