"""What figures were made on: date, machine, versions."""

from __future__ import annotations

import datetime
import os
import pathlib
import platform
from collections.abc import Iterable
from importlib import metadata


def description(libraries: Iterable[str]) -> str:
    """Return two lines, to go on after "made on"."""
    kernel = platform.release().split("-")[0]
    names = dict.fromkeys(("servicegroup", *libraries))
    versions = ", ".join(f"{name} {version}" for name, version in _versions(names))
    return (
        f"{today()}, on {_cpu()}, {os.cpu_count()} cores, Linux {kernel}.\n"
        f"Python {platform.python_version()}, {versions}."
    )


def today() -> str:
    """Return the date, UTC."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _cpu() -> str:
    path = pathlib.Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _versions(names: Iterable[str]) -> list[tuple[str, str]]:
    found = []
    for name in names:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return found
