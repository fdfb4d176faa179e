"""What all programs of the simulator have in common: what they are told, and how they answer.

The argument is JSON. Lines on standard input are orders, and its end is that of the program: none
outlives whoever started it. Answers are lines of JSON on standard output.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

from benchmarks.places import Place, kind

_speaking = threading.Lock()


class Task:
    """What a program is told: the store, the settings, and what is its own."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.place: Place = kind(told["place"])(told["address"])
        self.group: str = told["group"]

    def configuration(self) -> cfg.ConfigOpts:
        """Return a configuration of the store with the settings of the run."""
        core = self.told["core"]
        conf = self.place.configuration(**core)
        for group, options in self.place.silence(core["service_down_time"]).items():
            for option, value in options.items():
                conf.set_override(option, value, group=group)
        return conf


def task() -> Task:
    """Return what this program was told."""
    return Task(json.loads(sys.argv[1]))


def say(**what: Any) -> None:
    """Answer."""
    line = json.dumps(what)
    with _speaking:
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except BrokenPipeError:  # nobody is left to hear it
            os._exit(1)


def orders() -> Iterator[str]:
    """Yield each order as it comes, until there will be none any more."""
    for line in sys.stdin:
        yield line.strip()
