"""The clocks of the host as functions of an SQLite connection, which has no server to have one.

Plain Python: the guardian's connections have them, too.
"""

from __future__ import annotations

import pathlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")


def install(connection: sqlite3.Connection) -> None:
    """Give *connection* the functions that our statements call."""
    boot = _boot_id()
    for name, function in (
        ("servicegroup_now", _boottime),
        ("servicegroup_wall", _walltime),
        ("servicegroup_boot", lambda: boot),
    ):
        connection.create_function(name, 0, function)


def _boottime() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def _walltime() -> int:
    return time.time_ns() // 1000


def _boot_id() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
