"""One listener, in an interpreter of its own: ``listener WHO URL MESSAGES``.

Prints the seconds from the first message until it is done with so many.
"""

from __future__ import annotations

import importlib
import pathlib
import sys
import tempfile
import threading
import time
from typing import Any

from oslo_config import cfg

from benchmarks.synchronizing.bus import OURS, THEIRS, TOPIC, transport
from servicegroup.clock import boottime
from servicegroup.synchronizer import Notification, Synchronizer, oslo
from servicegroup.synchronizer.plugins.openstack.bus import OpenStackNotificationsPlugin

#: As ours has it by default.
BATCH, BATCH_TIMEOUT = 100, 0.05
#: Seconds within which all must have come.
LONGEST = 300.0
_CONFIGURATION = """
[synchronizer]
plugins = benchmarks.synchronizing.listener:Heard
baseline_path = {folder}/baseline.sqlite
[synchronizer_Heard]
transport_url = {url}
topics = {topic}
pool = {pool}
"""


class Heard(OpenStackNotificationsPlugin):
    """The plugin for a cloud; notes when the first notification came."""

    began: float | None = None

    def entities(self, notification: Notification) -> Any:
        """Return what it says."""
        if Heard.began is None:
            Heard.began = time.perf_counter()
        return super().entities(notification)


class Counted:
    """What oslo.messaging calls with a batch: does nothing with it."""

    def __init__(self) -> None:
        self.began: float | None = None
        self.heard = 0

    def info(self, messages: list[dict[str, Any]]) -> None:
        """Count."""
        if self.began is None:
            self.began = time.perf_counter()
        self.heard += len(messages)


def ours(url: str, messages: int) -> float:
    """A synchronizer with no consumers: until everything is in its ledger, on disk."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "synchronizer.conf"
        file.write_text(_CONFIGURATION.format(folder=folder, url=url, topic=TOPIC, pool=OURS))
        conf = cfg.ConfigOpts()
        conf([f"--config-file={file}"], project="servicegroup", use_env=False)
        with Synchronizer(conf) as sync:

            def done() -> bool:
                (source,) = sync.status().sources
                return source.state == "ok" and source.counts.get("changes", 0) >= messages

            ended = _until(done)
    return ended - (_plugin().began or ended)


def theirs(url: str, messages: int) -> float:
    """The listener that is made by ``get_batch_notification_listener``."""
    bus, counted = oslo.messaging(), Counted()
    with transport(url) as made:
        listener = bus.get_batch_notification_listener(
            made,
            [bus.Target(topic=TOPIC)],
            [counted],
            executor="threading",
            pool=THEIRS,
            batch_size=BATCH,
            batch_timeout=BATCH_TIMEOUT,
        )
        listener.start()
        ended = _until(lambda: counted.heard >= messages)
        listener.stop()
        listener.wait()
    return ended - (counted.began or ended)


def _plugin() -> type[Heard]:
    """Return the class that the synchronizer imported, which is not that of this program."""
    kind: type[Heard] = importlib.import_module("benchmarks.synchronizing.listener").Heard
    return kind


def _until(done: Any) -> float:
    pause, until = threading.Event(), boottime() + LONGEST
    while not done():
        if boottime() > until:
            raise SystemExit("not all messages came")
        pause.wait(0.01)
    return time.perf_counter()


if __name__ == "__main__":
    print({OURS: ours, THEIRS: theirs}[sys.argv[1]](sys.argv[2], int(sys.argv[3])))
