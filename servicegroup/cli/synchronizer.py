"""``servicegroup synchronizer``: one picture of what runs, and every change of it.

The synchronizer is no part of the core: it is reached by its entry points.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from servicegroup.cli.columns import Cell, timestamp
from servicegroup.cli.command import NO, YES, Command, Lister, positive
from servicegroup.cli.terminal import Terminal, one_line, printable
from servicegroup.exceptions import ConfigurationError

NAMESPACE = "servicegroup.synchronizer"
#: Characters of the progress bar, and seconds between two looks.
WIDTH, STEP = 30, 0.1


def part(name: str) -> Any:
    """Return a part of the synchronizer.

    :raises ConfigurationError: it, or what it needs, is not installed
    """
    (entry,) = importlib.metadata.entry_points(group=NAMESPACE, name=name)
    try:
        return entry.load()
    except ImportError as error:
        raise ConfigurationError(
            f"the synchronizer needs a library that is not installed ({error}): "
            f"pip install 'servicegroup[synchronizer]'"
        ) from error


class Run(Command):
    """Print every entity and then every change of them, one JSON object a line.

    Runs the plugins of [synchronizer] plugins. With --name, the position in the sequence of changes
    is kept: --resume goes on from there. Ends with status 0 at SIGINT (Ctrl-C), SIGTERM, after
    --timeout, or when nobody reads its output any more.
    """

    examples = (
        "servicegroup synchronizer run",
        "servicegroup synchronizer run --type nova.instance | jq -c '[.op, .key, .state]'",
        "servicegroup synchronizer run --name cmdb --resume",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what to print."""
        parser = super().get_parser(prog_name)
        _add_types(parser)
        parser.add_argument("--name", help="keep the position under this name")
        parser.add_argument(
            "--resume", action="store_true", help="go on after what --name printed last"
        )
        parser.add_argument(
            "--timeout", type=positive, metavar="S", help="end after this many seconds"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Print until told to end."""
        sync = part("synchronizer")(self.conf)
        ended = threading.Event()

        def callback(event: Any) -> None:
            try:
                self.say(_json(event.as_dict()))
            except BrokenPipeError:
                ended.set()
                raise

        resume = part("acknowledged") if parsed_args.resume else None
        types = parsed_args.type or sync.entity_types
        sync.register(types, callback, name=parsed_args.name, resume=resume)

        def end(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
            ended.set()

        before = {one: signal.signal(one, end) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            with sync:
                ended.wait(parsed_args.timeout)
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
        return YES


class Plugins(Lister):
    """List the plugins that are installed or configured.

    Status: installed, configured, or what is wrong with it.
    """

    examples = (
        "servicegroup synchronizer plugins",
        "servicegroup synchronizer plugins -f json",
    )

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:  # noqa: ARG002
        """List them."""
        rows = part("plugins")(self.conf)
        return ("Name", "Kind", "Entity Types", "Status"), [
            (row.name, row.kind, _types(row.types), Cell(one_line(row.status))) for row in rows
        ]


class Snapshot(Lister):
    """Poll the sources afresh and print everything there is.

    Without --type, everything that can be asked for; what only comes as notifications is left out.
    """

    examples = (
        "servicegroup synchronizer snapshot",
        "servicegroup synchronizer snapshot --type nova.instance --long -f json",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what to print."""
        parser = super().get_parser(prog_name)
        _add_types(parser)
        parser.add_argument("--long", action="store_true", help="show their data as well")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:
        """Poll, showing how far it is, and print."""
        self.conf  # noqa: B018 - errors of the configuration come first
        sync = part("temporary")(self.conf)
        types = parsed_args.type or sync.collected_types
        with sync, Progress(sync, len(types), Terminal(self.app.stderr)):
            entities = sync.get_all(types).entities if types else []
        more = ("Role", "Child Keys", "Data") if parsed_args.long else ()
        names = ("Type", "Key", "State", "Parent Key", "Project", "Timestamp", *more)
        rows = sorted(entities, key=lambda one: (one.type, one.key))
        return names, [[_cell(one, name) for name in names] for one in rows]


class Status(Lister):
    """Show how sources, consumers and types are, by what the baseline says.

    The synchronizer may be running in another process, or not at all.
    """

    examples = ("servicegroup synchronizer status",)

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:  # noqa: ARG002
        """Show it."""
        names = ("Kind", "Name", "Status", "Entities", "Seen", "Entity Types", "Reason")
        return names, [
            (
                row.kind,
                Cell(row.name),
                row.state,
                Cell(row.entities),
                Cell(None if row.since is None else _time(row.since)),
                _types(row.types),
                Cell(one_line(row.reason)),
            )
            for row in part("baseline")(self.conf)
        ]


class Demo(Command):
    """Show what this is about, on this machine, in a few seconds.

    A file is edited, daemons come and go, a cloud notifies on a bus within this process. All lives
    in a temporary directory; nothing stays behind. Exit status 1 if anything did not go as told.
    """

    examples = ("servicegroup synchronizer demo",)

    def take_action(self, parsed_args: argparse.Namespace) -> int:  # noqa: ARG002
        """Play."""
        try:
            part("demo")(self.say).play()
        except part("missed") as error:
            self.app.complain(error, foreseen=True)
            return NO
        self.say("")
        self.say("Try next, for yourself:")
        self.say(f"  {self.terminal.paint('servicegroup synchronizer plugins', 'bold')}")
        return YES


class Progress:
    """A bar on a terminal, while sources are polled; nothing elsewhere."""

    def __init__(self, sync: Any, total: int, terminal: Terminal) -> None:
        self._sync = sync
        self._total = total
        self._attached = terminal.attached
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> None:
        if self._attached:
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._attached:
            self._thread.join()
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._done.wait(STEP):
            counts = self._sync.progress()
            done = min(WIDTH, WIDTH * len(counts) // max(1, self._total))
            sys.stderr.write(
                f"\r[{'#' * done}{'.' * (WIDTH - done)}] {len(counts)} of {self._total} types, "
                f"{sum(counts.values())} entities, {time.monotonic() - began:.0f} s"
            )
            sys.stderr.flush()


def _add_types(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--type", action="append", default=[], metavar="T", help="only this type; may be repeated"
    )


def _types(types: tuple[str, ...]) -> Cell:
    return Cell(list(types), printable(", ".join(types)) or "-")


def _cell(entity: Any, name: str) -> Cell:
    value = getattr(entity, name.lower().replace(" ", "_"))
    if name == "Timestamp":
        return Cell(None if value is None else _time(value))
    if name == "Child Keys":
        return _types(value)
    return Cell(value, printable(_json(value)) if name == "Data" else None)


def _json(value: Any) -> str:
    """Return *value* as JSON, also where a plugin said what JSON cannot hold, such as a time."""
    return json.dumps(value, default=str)


def _time(seconds: float) -> str | None:
    return timestamp(datetime.fromtimestamp(seconds, UTC))
