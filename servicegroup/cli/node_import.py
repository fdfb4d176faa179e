"""``servicegroup node import``: many nodes from a file, all of them or none."""

from __future__ import annotations

import argparse
import io
import pathlib
import sys
from typing import TextIO

from servicegroup import intake
from servicegroup.cli.command import YES, Command, UsageError
from servicegroup.cli.progress import Bar
from servicegroup.cli.terminal import printable
from servicegroup.intake import BadRow
from servicegroup.inventory import Node

_ENCODING = "utf-8-sig"  # other programs begin such files with a mark
#: Most bad rows that are shown, the others are counted.
MOST = 20


class Import(Command):
    """Add nodes from a JSON or CSV file: all of them, or none if any row is bad.

    CSV has the fields' names in its first line; JSON is a list of objects, or what Ironic's own
    client prints with '-f json'. Fields: driver, and as far as known uuid, name, conductor_group,
    power_state, provision_state, maintenance, instance_uuid.
    """

    examples = (
        "servicegroup node import nodes.csv",
        "servicegroup node import nodes.json",
        "openstack baremetal node list --fields uuid name driver -f json | "
        "servicegroup node import - --format json",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add where from."""
        parser = super().get_parser(prog_name)
        parser.add_argument("file", metavar="FILE", help="the file, - for standard input")
        parser.add_argument(
            "--format", choices=("json", "csv"), help="what it is (default: by the file's name)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Read and check everything, then write."""
        name = parsed_args.file
        kind = parsed_args.format or pathlib.Path(name).suffix.lower().lstrip(".")
        if kind not in ("json", "csv"):
            raise UsageError(f"{name!r} tells not what it is: add --format json or --format csv")
        nodes, bad = self._read(name, kind)
        if bad:
            for row in bad[:MOST]:
                print(f"row {row.number}: {printable(row.reason)}", file=self.app.stderr)
            more = f", of which {MOST} are shown" if len(bad) > MOST else ""
            raise UsageError(
                f"{name}: {len(bad)} of {len(bad) + len(nodes)} rows are bad{more}; no node was "
                f"added: correct them and import again"
            )
        with Bar(self.app.stderr) as bar:
            self.service_group.inventory.add_nodes(nodes, bar.show)
        self.say(f"{len(nodes):,} nodes added")
        return YES

    def _read(self, name: str, kind: str) -> tuple[list[Node], list[BadRow]]:
        if name == "-":
            if isinstance(sys.stdin, io.TextIOWrapper):  # as a file, whatever the locale
                sys.stdin.reconfigure(encoding=_ENCODING, newline="")
            return intake.read_nodes(sys.stdin, kind=kind)
        try:
            with _opened(name) as file:
                return intake.read_nodes(file, kind=kind)
        except OSError as error:
            raise UsageError(f"{name!r} cannot be read: {error.strerror}") from error


def _opened(name: str) -> TextIO:
    return pathlib.Path(name).open(encoding=_ENCODING, newline="")
