"""Seconds of processor time that a server has used."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")


class _Stat(NamedTuple):
    parent: int
    seconds: float


def used(pid: int) -> float:
    """Return what this process and its descendants used, in user and kernel mode.

    Descendants that ended count if they were waited for, as a server does with its back ends.
    """
    found = dict(_all())
    wanted = {pid}
    grown = True
    while grown:
        more = {number for number, one in found.items() if one.parent in wanted} - wanted
        wanted |= more
        grown = bool(more)
    return sum(found[one].seconds for one in wanted if one in found)


def _all() -> Iterable[tuple[int, _Stat]]:
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:  # it ended
            continue
        # The name stands in brackets and may hold anything.
        fields = text.rpartition(")")[2].split()
        own_and_waited_for = sum(int(field) for field in fields[11:15])
        yield int(path.parent.name), _Stat(int(fields[1]), own_and_waited_for / _TICKS)
