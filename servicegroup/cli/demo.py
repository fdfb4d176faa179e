"""``servicegroup demo``: the main job, played with real daemons on this machine."""

from __future__ import annotations

import argparse
import os
import queue
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from servicegroup.cli import events
from servicegroup.cli.command import NO, YES, Command
from servicegroup.cli.stage import REPORT_INTERVAL, SERVICE_DOWN_TIME, Stage
from servicegroup.model import EventType, State
from servicegroup.status import Event

if TYPE_CHECKING:
    from servicegroup import ServiceGroup

NEAR, FAR = "node-1", "node-2"
HOSTS = (NEAR, FAR)
#: Group and kind of the daemons that join by themselves; one of each on each host.
DAEMONS = (("compute", "nova-compute"), ("conductor", "ironic-conductor"))
#: The group of those that ``servicegroup run`` joins for.
WRAPPED = "cache"
PROGRAM = ("sleep", "60")
GROUPS = (*(group for group, _ in DAEMONS), WRAPPED)
#: Seconds after which an event will not come any more.
PATIENCE = 20.0
#: Seconds to look at what was shown, where somebody looks.
READING = 1.5
#: Characters a line that the whole table takes.
WIDE = 90

Key = tuple[str, str]


class Missed(Exception):
    """What the demo promised to show did not happen."""


class Demo(Command):
    """Show what this is about, on this machine, in half a minute.

    Real daemons join, are killed, paused, disabled, forced down, and leave. They live in a
    temporary directory; nothing stays behind. Exit status 1 if anything did not go as told.
    """

    examples = ("servicegroup demo",)

    def take_action(self, parsed_args: argparse.Namespace) -> int:  # noqa: ARG002
        """Play."""
        from servicegroup import ServiceGroup, schema

        with Stage(HOSTS) as stage:
            try:
                conf = stage.conf(NEAR)
                schema.upgrade(conf)
                with ServiceGroup(conf) as service_group:
                    _Play(self, stage, service_group).play()
            except (Missed, subprocess.CalledProcessError) as error:
                self.app.complain(error, foreseen=True)
                self.app.stderr.write(stage.complaints())
                return NO
        self._goodbye()
        return YES

    def _goodbye(self) -> None:
        program = "servicegroup" if shutil.which("servicegroup") else os.path.relpath(sys.argv[0])
        bold = [
            f"{program} run --group demo --member me -- sleep 60 &",
            f"{program} service list --long",
            f"{program} watch demo",
        ]
        self.say("")
        self.say("All daemons were stopped and their directory is gone. Try next, for yourself:")
        for line in bold:
            self.say(f"  {self.terminal.paint(line, 'bold')}")


class _Play:
    """The acts, in order; each waits for the events that it promises."""

    def __init__(self, face: Demo, stage: Stage, service_group: ServiceGroup) -> None:
        self._say = face.say
        self._terminal = face.terminal
        self._stage = stage
        self._service_group = service_group
        self._began = time.monotonic()
        self._acts = 0
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._processes: dict[Key, subprocess.Popen[bytes]] = {}

    def play(self) -> None:
        """Play all acts.

        :raises Missed: something did not happen
        """
        self._say(
            f"Real processes and one SQLite file, all in {self._stage.folder}.\n"
            f"Everybody beats every {REPORT_INTERVAL:g} s; who has not been heard for "
            f"{SERVICE_DOWN_TIME:g} s is down."
        )
        for group in GROUPS:
            watch = self._service_group.watch(group)
            threading.Thread(target=lambda w: [*map(self._events.put, w)], args=[watch]).start()
        self._join()
        self._operator()
        self._leave()
        self._crash()
        self._resume()

    def _join(self) -> None:
        self._act("Six daemons of three groups join, on two hosts")
        run = ["--group", WRAPPED, "--", *PROGRAM]
        self._tell(
            "Four are Python and call join(); two know nothing of us and are run as",
            f"$ servicegroup run {shlex.join(run)}",
        )
        for host in HOSTS:
            for group, name in DAEMONS:
                self._processes[group, host] = self._stage.daemon(host, group, name)
            self._processes[WRAPPED, host] = self._stage.run(host, run)
        self._await(dict.fromkeys(self._processes, EventType.JOINED))
        self._list("Name", "Process Id", "Hostname", "Status", "Uptime", wide=())

    def _operator(self) -> None:
        self._act("An operator disables one, and declares another down")
        which = ("compute", NEAR)
        self._show("service", "set", *which, "--disable", "--reason", "new memory")
        self._await({which: EventType.CHANGED})
        which = (WRAPPED, FAR)
        self._show("service", "set", *which, "--force-down", "--reason", "flaky network")
        self._await({which: EventType.DOWN})

    def _leave(self) -> None:
        self._act("One is stopped as it should be, and leaves")
        key = (WRAPPED, NEAR)
        self._tell("SIGTERM goes through to its program; when that ends, the member leaves:")
        self._processes[key].terminate()
        after = self._await({key: EventType.LEFT})
        self._tell(f"It was gone after {after:.1f} s: nobody had to wait for a time-out.")

    def _crash(self) -> None:
        self._act("One is killed with -9, one is paused: neither can say goodbye")
        killed, paused = ("conductor", FAR), ("compute", FAR)
        self._processes[killed].kill()
        self._stage.pause(self._processes[paused])
        self._tell("The guardian of the killed one, a small process beside it, says so at once:")
        after = self._await({killed: EventType.DOWN})
        self._tell(
            f"That took {after:.1f} s. A process that is merely silent is not called down before",
            f"{SERVICE_DOWN_TIME:g} s without a beat are over:",
        )
        self._await({paused: EventType.DOWN})
        columns = ("Name", "Hostname", "Status", "Reason")
        self._list("--long", *columns, wide=("--long", *columns, "Enabled"))
        self._check({killed: State.DOWN, paused: State.DOWN, (WRAPPED, FAR): State.DOWN})

    def _resume(self) -> None:
        self._act("The paused one is let go on, and comes back by itself")
        paused = ("compute", FAR)
        self._processes[paused].send_signal(signal.SIGCONT)
        after = self._await({paused: EventType.UP})
        self._tell(f"It was up again after {after:.1f} s.")
        self._check({("conductor", FAR): State.DOWN, (WRAPPED, FAR): State.DOWN})

    # -- what the acts are made of ------------------------------------------------------------

    def _await(self, wanted: dict[Key, EventType]) -> float:
        """Print events as they come until all that are *wanted* came; returns the seconds."""
        began = time.monotonic()
        missing = dict(wanted)
        while missing:
            left = began + PATIENCE - time.monotonic()
            try:
                event = self._events.get(timeout=max(0.0, left))
            except queue.Empty:
                (group, member), kind = next(iter(missing.items()))
                message = f"nobody saw {group}/{member} {kind.value} within {PATIENCE:g} s"
                raise Missed(message) from None
            self._print(event)
            key = (event.group_id, event.member_id or "")
            if missing.get(key) is event.type:
                del missing[key]
        return time.monotonic() - began

    def _check(self, down: dict[Key, State]) -> None:
        """Compare what a listing says with the story: everybody else is up."""
        expected = dict.fromkeys(self._processes, State.UP) | down
        del expected[WRAPPED, NEAR]  # it left
        until = time.monotonic() + PATIENCE
        while True:
            listed = self._service_group.roster.list()
            found = {(one.group_id, one.member_id): one.state for one in listed}
            if found == expected:
                return
            if time.monotonic() > until:
                raise Missed(f"the listing should say {expected} and says {found}")
            time.sleep(REPORT_INTERVAL)

    def _act(self, title: str) -> None:
        if self._terminal.attached and self._acts:
            time.sleep(READING)
        self._acts += 1
        self._say("")
        self._say(self._terminal.paint(f"{self._acts}. {title}", "bold"))

    def _tell(self, *lines: str) -> None:
        for line in lines:
            self._say(f"   {line}")

    def _list(self, *narrow: str, wide: Sequence[str]) -> None:
        """Show a table with the columns that there is room for."""
        fits = not self._terminal.attached or shutil.get_terminal_size().columns >= WIDE
        words: list[str] = []
        for word in wide if fits else narrow:
            words += [word] if word.startswith("-") else ["-c", word]
        self._show("service", "list", *words)

    def _show(self, *arguments: str) -> None:
        self._say(self._terminal.paint(f"   $ servicegroup {shlex.join(arguments)}", "bold"))
        self._stage.show(NEAR, arguments)

    def _print(self, event: Event) -> None:
        if event.type is EventType.READY:
            return
        when = f"{time.monotonic() - self._began:6.1f} s"
        who = f"{event.group_id}/{event.member_id}".ljust(17)
        self._say(f"   {events.in_words(event, when, self._terminal, who)}")
