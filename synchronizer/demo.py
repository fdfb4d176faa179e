"""What ``servicegroup synchronizer demo`` plays: three sources, one picture, on this machine.

A file that is edited, daemons that come and go, and notifications on a bus within this process.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from oslo_config import cfg

from servicegroup import ServiceGroup, schema

from .api import Synchronizer
from .model import Deleted, Entity, Event, Item
from .oslo import messaging
from .plugin import MessageBusPlugin, Notification

STATIC, MEMBER, MACHINE = "static", "servicegroup.member", "demo.machine"
TOPIC = "servicegroup-demo"
#: Seconds after which an event will not come any more.
PATIENCE = 15.0
_CONF = """\
[servicegroup]
driver = db
report_interval = 0.5
service_down_time = 3
poll_interval = 0.2
[servicegroup_database]
connection = sqlite:///{folder}/members.sqlite
[synchronizer]
plugins = static, servicegroup, servicegroup.synchronizer.demo:MachinesPlugin
baseline_path = {folder}/baseline.sqlite
poll_interval = 0.5
[synchronizer_static]
path = {folder}/static.yaml
[synchronizer_MachinesPlugin]
transport_url = fake://
topics = {topic}
"""


class Missed(Exception):
    """What the demo promised to show did not happen."""


class MachinesPlugin(MessageBusPlugin):
    """Machines of a cloud that does not exist, told by notifications only."""

    entity_types = (MACHINE,)
    event_types = ("machine.",)

    def entities(self, notification: Notification) -> Iterable[Item]:
        """Return the machine that a notification is about."""
        payload = notification.payload
        if notification.event_type == "machine.delete":
            yield Deleted(payload["name"], MACHINE)
        else:
            yield Entity(
                key=payload["name"],
                type=MACHINE,
                state=payload["state"],
                parent_key=payload["host"],
            )


class Play:
    """The acts, in order; each waits for what it promises.

    :param say: prints one line
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._picture: dict[tuple[str, str], str | None] = {}
        self._changed = threading.Condition()

    def play(self) -> None:
        """Play all acts; leaves nothing behind.

        :raises Missed: something did not happen
        """
        with tempfile.TemporaryDirectory(prefix="servicegroup-synchronizer-demo-") as folder:
            self._file = Path(folder) / "static.yaml"
            self._write("switch-1: up", "switch-2: up")
            configuration = Path(folder) / "demo.conf"
            configuration.write_text(_CONF.format(folder=folder, topic=TOPIC))
            conf = cfg.ConfigOpts()
            conf([f"--config-file={configuration}"], project="servicegroup", use_env=False)
            schema.upgrade(conf)
            synchronizer = Synchronizer(conf)
            synchronizer.register([STATIC, MEMBER, MACHINE], self._hear, name="demo")
            with ServiceGroup(conf) as daemons, synchronizer:
                self._acts(daemons, synchronizer)

    def _acts(self, daemons: ServiceGroup, synchronizer: Synchronizer) -> None:
        self._say(
            "Three sources: a YAML file, the members of a service group, and a message bus.\n"
            "One consumer, which is told all there is first, and then what changes."
        )
        self._await({(STATIC, "switch-1"): "up", (STATIC, "switch-2"): "up"})

        self._act("Somebody edits the file: one entity changes, one goes, one is new")
        self._write("switch-1: down", "switch-3: up")
        self._await(
            {(STATIC, "switch-1"): "down", (STATIC, "switch-2"): None, (STATIC, "switch-3"): "up"}
        )

        self._act("The file is broken for a moment: that deletes nothing, and is told")
        self._file.write_text("entities: [")
        self._await({("status", "static"): "failing"})
        self._write("switch-1: up", "switch-3: up")
        self._await({("status", "static"): "ok", (STATIC, "switch-1"): "up"})

        self._act("Two daemons join a group, and one leaves")
        first = daemons.join("compute", "node-1")
        daemons.join("compute", "node-2")
        self._await({(MEMBER, "compute/node-1"): "up", (MEMBER, "compute/node-2"): "up"})
        first.leave()
        self._await({(MEMBER, "compute/node-1"): None})

        self._act("A cloud notifies on the bus: a machine starts, fails, and is deleted")
        self._notify()
        self._await({(MACHINE, "vm-1"): None, (MACHINE, "vm-2"): "active"})

        self._act("Whoever asks gets the whole picture, polled afresh")
        entities, token = synchronizer.get_all([STATIC, MEMBER])
        for entity in sorted(entities, key=lambda one: (one.type, one.key)):
            self._say(f"  {entity.type:<20} {entity.key:<18} {entity.state}")
        self._say(f"  as of change {token.seq}: from there a consumer can go on after a restart")

    def _notify(self) -> None:
        oslo = messaging()
        conf = cfg.ConfigOpts()
        conf([], use_env=False)
        transport = oslo.get_notification_transport(conf, url="fake://")
        notifier = oslo.Notifier(transport, "demo", driver="messagingv2", topics=[TOPIC])
        for name, host, state in (
            ("vm-1", "node-2", "building"),
            ("vm-2", "node-2", "active"),
            ("vm-1", "node-2", "error"),
        ):
            payload = {"name": name, "host": host, "state": state}
            tell = notifier.error if state == "error" else notifier.info
            tell({}, "machine.update", payload)
            self._await({(MACHINE, name): state})
        notifier.info({}, "machine.delete", {"name": "vm-1"})

    def _write(self, *entities: str) -> None:
        pairs = (entity.split(": ") for entity in entities)
        lines = [f"- {{key: {key}, state: {state}}}\n" for key, state in pairs]
        new = self._file.with_suffix(".new")
        new.write_text("entities:\n" + "".join(lines))
        new.replace(self._file)

    def _hear(self, event: Event) -> None:
        key = event.key or event.source
        kind = event.op.value
        state = event.state if event.entity is None else event.entity.state
        place = ("status", event.source) if kind == "status" else (event.type, str(key))
        if event.entity is not None or kind == "status":
            self._say(f"  {kind:<8} {event.type or 'source':<20} {key:<18} {state or ''}")
        elif kind == "delete":
            self._say(f"  {kind:<8} {event.type:<20} {key:<18}")
        with self._changed:
            self._picture[place] = state
            if event.entity is not None:
                self._picture[event.entity.type, event.entity.key] = event.entity.state
            self._changed.notify_all()

    def _act(self, words: str) -> None:
        self._say("")
        self._say(f"* {words}")

    def _await(self, states: dict[tuple[str, str], str | None]) -> None:
        def came() -> bool:
            return all(self._picture.get(key) == state for key, state in states.items())

        with self._changed:
            if not self._changed.wait_for(came, PATIENCE):
                missing = [key for key, state in states.items() if self._picture.get(key) != state]
                raise Missed(f"within {PATIENCE:g} s nothing was told of {missing[0]}")
