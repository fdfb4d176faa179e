"""``servicegroup conductor``: who serves nodes, and whether they are alive."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from servicegroup.cli.columns import Cell, listed, seen
from servicegroup.cli.command import Lister, ShowOne
from servicegroup.cli.terminal import OF_STATE, Terminal
from servicegroup.conductor import Conductor
from servicegroup.exceptions import ConfigurationError
from servicegroup.model import State

_ALIVE = {State.UP: True, State.DOWN: False, State.UNKNOWN: None}


def _alive(one: Conductor, terminal: Terminal) -> Cell:
    value = _ALIVE[one.state]
    word = "unknown" if value is None else str(value)
    return Cell(value, terminal.paint(word, OF_STATE[one.state]))


_COLUMNS: Mapping[str, Callable[[Conductor, Terminal], Any]] = {
    "Hostname": lambda one, _: Cell(one.hostname),
    "Conductor Group": lambda one, _: Cell(one.conductor_group),
    "Alive": _alive,
    "Drivers": lambda one, _: listed(one.drivers),
    "Last Seen": lambda one, _: seen(one.last_seen),
    "Reason": lambda one, _: Cell(one.reason),
    "Weight": lambda one, _: one.weight,
    "Serving": lambda one, _: one.serving,
}
_SHORT = ("Hostname", "Conductor Group", "Alive")
_LONG = (*_SHORT, "Drivers", "Last Seen", "Reason")


def _row(one: Conductor, names: Sequence[str], terminal: Terminal) -> list[Any]:
    return [_COLUMNS[name](one, terminal) for name in names]


class List(Lister):
    """Show the conductors and whether they are alive; also those that are not."""

    examples = (
        "servicegroup conductor list",
        "servicegroup conductor list --long",
        "servicegroup conductor list -f value -c Hostname -c Alive",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add how much to show."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--long",
            action="store_true",
            help="also " + ", ".join(_LONG[len(_SHORT) :]) + " and the number of Nodes",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[list[Any]]]:
        """List."""
        conductors = self.service_group.conductors
        found = conductors.list()
        if not parsed_args.long:
            return _SHORT, [_row(one, _SHORT, self.terminal) for one in found]
        try:
            counts: Mapping[str | None, int] = conductors.counts()
        except ConfigurationError:  # there is no inventory
            counts = {}
        rows = [[*_row(one, _LONG, self.terminal), Cell(counts.get(one.hostname))] for one in found]
        return (*_LONG, "Nodes"), rows


class Show(ShowOne):
    """Show one conductor: whether it is alive, what it can serve, and how many nodes it serves."""

    examples = (
        "servicegroup conductor show c1.example.org",
        "servicegroup conductor show c1.example.org --nodes",
        "servicegroup conductor show c1.example.org -f value -c alive",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add whom to show."""
        parser = super().get_parser(prog_name)
        parser.add_argument("host", metavar="HOST", help="the conductor's host name")
        parser.add_argument(
            "--nodes",
            action="store_true",
            help="also the nodes that it serves; see also 'node list --conductor'",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Show."""
        conductors = self.service_group.conductors
        one = conductors.get(parsed_args.host)
        names = list(_COLUMNS)
        row = _row(one, names, self.terminal)
        try:
            row.append(conductors.count_of(one.hostname))
        except ConfigurationError:  # there is no inventory
            row.append(Cell(None))
        fields = [name.lower().replace(" ", "_") for name in (*names, "Number of Nodes")]
        if parsed_args.nodes:
            nodes = conductors.nodes_of(one.hostname).nodes
            fields.append("nodes")
            row.append(listed([placed.node.name or placed.node.uuid for placed in nodes]))
        return fields, row
