"""Collectors whose source is a file that the test writes, and that misbehave as it says."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from oslo_config import cfg

from servicegroup.synchronizer import (
    CollectorPlugin,
    Deleted,
    DeltaPlugin,
    Entity,
    Incomplete,
    MessageBusPlugin,
    StreamPlugin,
    Unchanged,
)

TYPE = "test.thing"
MARKS = {"deleted": Deleted, "unchanged": Unchanged}


def items(listed):
    for values in listed:
        kind = MARKS.get(values.pop("mark", None), Entity)
        yield kind(**{"type": TYPE} | values)


class Scripted(CollectorPlugin):
    """The file holds {"entities": [...], "then": how it goes wrong after them}."""

    entity_types = (TYPE, "test.other")
    options = (cfg.StrOpt("path"),)

    def __init__(self, context):
        super().__init__(context)
        self._path = Path(self.option["path"] or "")

    def _script(self, name="polls"):
        with self._path.with_suffix(f".{name}").open("a") as file:
            file.write(f"{os.getpid()}\n")
        return json.loads(self._path.read_text())

    def get_all(self):
        script = self._script()
        yield from items(script.get("entities", []))
        getattr(self, script.get("then", "end"))()
        yield from script.get("nonsense", [])

    def end(self):
        pass

    def fail(self):
        raise RuntimeError("the source is away")

    def incomplete(self):
        raise Incomplete("half of it is missing")

    def strange(self):
        raise RuntimeError("no such file: \udcff")

    def give_up(self):
        sys.exit("no password")

    def spawn(self):
        with self._path.with_suffix(".spawned").open("w") as file:
            file.write(str(subprocess.Popen(["sleep", "600"]).pid))

    def close(self):
        if self._path.with_suffix(".polls").exists():  # else it was only looked at
            self._path.with_suffix(".closed").touch()

    def crash(self):
        os.abort()

    def leave(self):
        os._exit(7)

    def hang(self):
        time.sleep(3600)

    def leak(self):
        kept = []
        while True:
            kept.append(bytearray(1 << 24))

    def flood(self):
        for _ in range(2000):
            sys.stdout.write("x" * 5000)
            sys.stderr.write("y" * 5000)

    def talk(self):
        for number in range(1000):
            logging.getLogger("scripted").warning("message %d", number)


class Endless(Scripted):
    """Never stops yielding."""

    def get_all(self):
        self._script()
        number = 0
        while True:
            number += 1
            yield Entity(key=str(number), type=TYPE)


class Narrow(Scripted):
    """Only ``name`` of its data counts."""

    fields = ("name",)


class Changing(DeltaPlugin, Scripted):
    """Also tells what changed: the file's "changes"."""

    overlap = 5.0

    def get_changes(self, since):
        script = self._script("deltas")
        with self._path.with_suffix(".since").open("a") as file:
            file.write(f"{since}\n")
        yield from items(script.get("changes", []))
        getattr(self, script.get("then", "end"))()


class Unfinished(CollectorPlugin):
    entity_types = (TYPE,)


class Typeless(Scripted):
    entity_types = ()


class Broken(Scripted):
    def __init__(self, context):
        raise ValueError("no such planet")


class Notified(MessageBusPlugin):
    """A notification's payload is an entity, or {"mark": "deleted", ...}."""

    entity_types = (TYPE,)
    event_types = ("thing.",)

    def entities(self, notification):
        return items([dict(notification.payload)])


class Unprepared(Notified):
    """Cannot be prepared until it may."""

    may = threading.Event()

    def prepare(self):
        if not self.may.is_set():
            raise RuntimeError("install the planet")


class Held(Notified):
    """Holds up whatever comes until it is let go."""

    entered = threading.Event()
    let_go = threading.Event()

    def entities(self, notification):
        self.entered.set()
        self.let_go.wait()
        return super().entities(notification)


class Pushed(StreamPlugin):
    """A stream that the test itself feeds."""

    entity_types = (TYPE,)
    running = None

    def run(self, feed, stopping):
        type(self).running = feed
        feed.recovered()
        stopping.wait()
