"""``servicegroup node``: the nodes, and which conductor serves each."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from servicegroup.cli.columns import Cell, wall, yes_no
from servicegroup.cli.command import YES, Command, Lister, ShowOne, changed, given, option
from servicegroup.conductor import PlacedNode
from servicegroup.inventory import SORT_KEYS, Query

_COLUMNS: Mapping[str, Callable[[PlacedNode], Any]] = {
    "UUID": lambda one: one.node.uuid,
    "Name": lambda one: Cell(one.node.name),
    "Instance UUID": lambda one: Cell(one.node.instance_uuid),
    "Power State": lambda one: Cell(one.node.power_state),
    "Provision State": lambda one: Cell(one.node.provision_state),
    "Maintenance": lambda one: yes_no(one.node.maintenance),
    "Conductor": lambda one: Cell(one.conductor),
    "Driver": lambda one: Cell(one.node.driver),
    "Conductor Group": lambda one: Cell(one.node.conductor_group),
    "Reason": lambda one: Cell(one.reason or None),
    "Created At": lambda one: wall(one.node.created_at),
    "Updated At": lambda one: wall(one.node.updated_at),
}
_LONG = tuple(_COLUMNS)
_SHORT = _LONG[:7]
#: What may be given of a node, as options.
_GIVEN = {
    "uuid": "default: a new one",
    "name": "a name that no other node has",
    "conductor_group": "only conductors of this group may serve it (default: the unnamed group)",
    "power_state": "such as 'power on'",
    "provision_state": "such as 'available'",
    "instance_uuid": "of the instance that runs on it",
}
_CHANGED = {name: words for name, words in _GIVEN.items() if name != "uuid"}


def _row(one: PlacedNode, names: Sequence[str]) -> list[Any]:
    return [_COLUMNS[name](one) for name in names]


def _shown(one: PlacedNode) -> tuple[Sequence[str], Sequence[Any]]:
    return [name.lower().replace(" ", "_") for name in _LONG], _row(one, _LONG)


class List(Lister):
    """Show the nodes with the conductors that serve them."""

    examples = (
        "servicegroup node list",
        "servicegroup node list --conductor c1.example.org --long",
        "servicegroup node list --limit 100 --sort name",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which to list."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--conductor", metavar="HOST", help="only those that it serves")
        parser.add_argument("--long", action="store_true", help="also " + ", ".join(_LONG[7:]))
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many")
        parser.add_argument("--marker", metavar="UUID", help="those after this node, in the order")
        parser.add_argument(
            "--sort",
            default="id",
            choices=SORT_KEYS,
            metavar="KEY",
            help=f"in the order of {', '.join(SORT_KEYS)} (default: id, the order of their making)",
        )
        parser.add_argument("--descending", action="store_true", help="in the opposite order")
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[list[Any]]]:
        """List."""
        wanted, conductors = parsed_args, self.service_group.conductors
        query = Query(
            sort_key=wanted.sort,
            descending=wanted.descending,
            marker=wanted.marker,
            limit=wanted.limit,
        )
        if wanted.conductor is None:
            page = conductors.nodes(query)
        else:
            page = conductors.nodes_of(wanted.conductor, query)
        names = _LONG if wanted.long else _SHORT
        return names, [_row(one, names) for one in page.nodes]


class Show(ShowOne):
    """Show a node and the conductor that serves it; if nobody can, what is missing."""

    examples = (
        "servicegroup node show node-17",
        "servicegroup node show node-17 -f value -c conductor",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which to show."""
        return _with_node(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Sequence[Any]]:
        """Show."""
        return _shown(self.service_group.conductors.for_node(parsed_args.node))


class Create(ShowOne):
    """Add a node to the inventory, and show it with the conductor that serves it."""

    examples = (
        "servicegroup node create ipmi --name node-17",
        "servicegroup node create redfish --name node-18 --conductor-group east",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what it is."""
        parser = super().get_parser(prog_name)
        parser.add_argument("driver", metavar="DRIVER", help="the hardware type that it needs")
        for name, words in _GIVEN.items():
            parser.add_argument(option(name), help=words)
        parser.add_argument("--maintenance", action="store_true", help="it is in maintenance")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Sequence[Any]]:
        """Add."""
        names = (*_GIVEN, "driver", "maintenance")
        node = self.service_group.inventory.create_node(**given(parsed_args, names))
        return _shown(self.service_group.conductors.for_node(node))


class Set(Command):
    """Change what is known of a node. What is not given stays; its uuid never changes.

    With another driver or conductor group another conductor may serve it, from now on.
    """

    examples = (
        "servicegroup node set node-17 --power-state 'power off' --maintenance",
        "servicegroup node set node-17 --driver redfish --conductor-group east",
        "servicegroup node set 1be26c0b-03f2-4d2e-ae87-c02d7f33c123 --name node-17",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which, and what."""
        parser = _with_node(super().get_parser(prog_name))
        parser.add_argument("--driver", help="the hardware type that it needs")
        for name, words in _CHANGED.items():
            parser.add_argument(option(name), help=words)
        maintenance = parser.add_mutually_exclusive_group()
        maintenance.add_argument("--maintenance", action="store_true", help="it is in maintenance")
        maintenance.add_argument(
            "--no-maintenance", action="store_true", help="it is no longer in maintenance"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Change."""
        changes = given(parsed_args, ("driver", *_CHANGED))
        if parsed_args.maintenance or parsed_args.no_maintenance:
            changes["maintenance"] = parsed_args.maintenance
        self.service_group.inventory.update_node(parsed_args.node, **changed(changes))
        return YES


class Unset(Command):
    """Forget what is known of a node: it is no longer known. Its uuid and driver stay."""

    examples = (
        "servicegroup node unset node-17 --instance-uuid --provision-state",
        "servicegroup node unset node-17 --conductor-group",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which, and what."""
        parser = _with_node(super().get_parser(prog_name))
        for name in _CHANGED:
            parser.add_argument(option(name), action="store_true")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Forget."""
        names = [name for name in _CHANGED if getattr(parsed_args, name)]
        self.service_group.inventory.update_node(parsed_args.node, **changed(dict.fromkeys(names)))
        return YES


class Delete(Command):
    """Remove nodes from the inventory."""

    examples = ("servicegroup node delete node-17", "servicegroup node delete node-18 node-19")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which to remove."""
        parser = super().get_parser(prog_name)
        parser.add_argument("nodes", metavar="NODE", nargs="+", help="uuids or names")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Remove."""
        return self.for_each(parsed_args.nodes, self.service_group.inventory.delete_node)


def _with_node(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("node", metavar="NODE", help="its uuid or name")
    return parser
