"""What a driver's test hands to the suite: a private store, and how its faults are made."""

from __future__ import annotations

import pathlib
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from oslo_config import cfg

from servicegroup import config, loading
from servicegroup.driver import Context, Driver

S = TypeVar("S", bound="Store")

#: ``report_interval`` and ``service_down_time`` in seconds. Where beats can be made older, so long
#: that a slow machine cannot matter; else so short that waiting for real is bearable.
AGEING = (100.0, 600.0)
WAITING = (0.25, 2.0)
#: Seconds for which a driver under test may wait for one answer.
CALL_TIMEOUT = 8.0


class _Patient(config.Settings):
    """Short intervals, but no hurry with answers: a machine that stalls is no driver that hangs."""

    @property
    def call_timeout(self) -> float:
        return CALL_TIMEOUT


class Store:
    """An empty store that nobody else uses, and drivers on it: one for each pretended process.

    Used as a context manager; at its end all drivers are stopped.

    :param kind: the driver's entry point name, or its class
    :param options: ``{option group: {option: value}}``, as a configuration file would set them
    :param age: ``age(seconds)`` makes everything in the store that much older, at once. Without
        it the suite waits for real, and the random walk never pauses.
    :param lose: ``lose()`` makes the store forget everything, as a flush or a restart without data
        would. Without it what a loss must do is not tested, and there is no random walk.
    :param exact: the store's clock stands still but for *age*, so that boundaries are tested to the
        last digit
    :param tolerance: seconds by which ages may be off, beside the driver's ``resolution``; default:
        a twentieth of ``service_down_time``, at least 0.5; 0 if *exact*
    """

    def __init__(
        self,
        kind: str | type[Driver],
        options: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        age: Callable[[float], None] | None = None,
        lose: Callable[[], None] | None = None,
        exact: bool = False,
        tolerance: float | None = None,
    ) -> None:
        self.age = age
        self.lose = lose
        self.exact = exact
        self.kind: type[Driver] = loading.load(kind) if isinstance(kind, str) else kind
        interval, down = WAITING if age is None else AGEING
        name = kind if isinstance(kind, str) else kind.__name__
        core = {"driver": name, "report_interval": interval, "service_down_time": down}
        self.conf = _configured(self.kind, {config.GROUP: core, **(options or {})})
        self.settings = _Patient(**vars(config.settings(self.conf)))
        down = self.settings.service_down_time
        if exact:
            tolerance = 0.0
        elif tolerance is None:
            tolerance = max(0.5, down / 20)
        self.tolerance = tolerance + self.kind.resolution
        self._drivers: list[Driver] = []

    def driver(self, instance_id: str | None = None) -> Driver:
        """Return a started driver as a process of its own would have it."""
        driver = self.kind(Context(self.conf, self.settings, instance_id or str(uuid.uuid4())))
        self._drivers.append(driver)
        driver.start()
        return driver

    def pass_time(self, seconds: float) -> None:
        """Let everything grow older: at once if the store can be made to, else by waiting."""
        (self.age or time.sleep)(seconds)

    def stop(self) -> None:
        """Stop all drivers made so far."""
        while self._drivers:
            self._drivers.pop().stop()

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def clear_folder(folder: pathlib.Path) -> None:
    """Remove everything in *folder*: what ``lose`` is for a store of files."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _configured(kind: type[Driver], options: Mapping[str, Mapping[str, Any]]) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    conf([], project="servicegroup", default_config_files=[], default_config_dirs=[])
    config.register(conf)
    loading.register_options(conf, kind)
    for group, values in options.items():
        for name, value in values.items():
            conf.set_override(name, value, group=group)
    return conf
