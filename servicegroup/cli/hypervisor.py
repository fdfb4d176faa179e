"""``servicegroup hypervisor``: whether a hypervisor is up and enabled, at a glance."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from servicegroup.cli.columns import Cell, verdict
from servicegroup.cli.command import YES, Command, Lister, ShowOne, changed, given, option
from servicegroup.cli.terminal import Terminal
from servicegroup.hypervisors import HypervisorStatus
from servicegroup.intake import HYPERVISOR_FIELDS

_SHORT = ("ID", "Hypervisor Hostname", "State", "Status")
_LONG = (*_SHORT, "Disabled Reason", "Reason", "Host")

#: What may be known of a hypervisor, or not.
_KNOWN = tuple(
    name for name in HYPERVISOR_FIELDS if name not in ("uuid", "hypervisor_hostname", "host")
)
_WORDS = {"cpu_info": "as JSON", "pci_stats": "as JSON"}


def _row(one: HypervisorStatus, terminal: Terminal) -> list[Any]:
    status = terminal.paint(one.status, *(("yellow",) if one.status == "disabled" else ()))
    return [
        one.hypervisor.id,
        Cell(one.hypervisor.hypervisor_hostname),
        verdict(one.state, terminal),
        Cell(one.status, status),
        Cell(one.disabled_reason),
        Cell(one.reason),
        Cell(one.hypervisor.host),
    ]


def _shown(one: HypervisorStatus, terminal: Terminal) -> tuple[Sequence[str], Sequence[Any]]:
    known = {name: Cell(value) for name, value in one.hypervisor._asdict().items()}
    status = {
        "state": verdict(one.state, terminal),
        "status": Cell(one.status),
        "disabled_reason": Cell(one.disabled_reason),
        "reason": Cell(one.reason),
        "service_id": Cell(one.service_id),
    }
    fields = {**known, **status}
    return tuple(fields), tuple(fields.values())


class List(Lister):
    """Show the hypervisors: whether each is up, and enabled."""

    examples = (
        "servicegroup hypervisor list",
        "servicegroup hypervisor list --long",
        "servicegroup hypervisor list -f json",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add how much to show."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--long", action="store_true", help="also " + ", ".join(_LONG[4:]))
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[list[Any]]]:
        """List."""
        names = _LONG if parsed_args.long else _SHORT
        found = self.service_group.hypervisors.list()
        return names, [_row(one, self.terminal)[: len(names)] for one in found]


class Show(ShowOne):
    """Show everything known of one hypervisor."""

    examples = (
        "servicegroup hypervisor show 1",
        "servicegroup hypervisor show otccloud06 -f value -c state -c disabled_reason",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which to show."""
        return _with_hypervisor(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Sequence[Any]]:
        """Show."""
        return _shown(self.service_group.hypervisors.get(parsed_args.hypervisor), self.terminal)


class Create(ShowOne):
    """Add a hypervisor to the inventory, and show it. What is not given is not known."""

    examples = (
        "servicegroup hypervisor create otccloud06",
        "servicegroup hypervisor create node-17.example.org --host node-17 --vcpus 32",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what it is."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "hypervisor_hostname", metavar="HYPERVISOR_HOSTNAME", help="what it calls itself"
        )
        parser.add_argument("--host", help="the host of the service that runs it (default: same)")
        parser.add_argument("--uuid", help="default: a new one")
        for name in _KNOWN:
            parser.add_argument(option(name), help=_WORDS.get(name))
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Sequence[Any]]:
        """Add."""
        wanted = given(parsed_args, HYPERVISOR_FIELDS)
        one = self.service_group.inventory.create_hypervisor(**wanted)
        return _shown(self.service_group.hypervisors.get(one.uuid), self.terminal)


class Set(Command):
    """Change what is known of a hypervisor. What is not given stays; its id and uuid never change.

    Services that run one report its sizes themselves, with sg.hypervisors.report().
    """

    examples = (
        "servicegroup hypervisor set otccloud06 --vcpus-used 3 --running-vms 2",
        "servicegroup hypervisor set 1 --host node-17",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which, and what."""
        parser = _with_hypervisor(super().get_parser(prog_name))
        parser.add_argument("--hypervisor-hostname", help="what it calls itself now")
        parser.add_argument("--host", help="the host of the service that runs it")
        for name in _KNOWN:
            parser.add_argument(option(name), help=_WORDS.get(name))
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Change."""
        changes = changed(given(parsed_args, ("hypervisor_hostname", "host", *_KNOWN)))
        self.service_group.inventory.update_hypervisor(parsed_args.hypervisor, **changes)
        return YES


class Unset(Command):
    """Forget what is known of a hypervisor: it is no longer known. Its names stay."""

    examples = ("servicegroup hypervisor unset otccloud06 --current-workload --pci-stats",)

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which, and what."""
        parser = _with_hypervisor(super().get_parser(prog_name))
        for name in _KNOWN:
            parser.add_argument(option(name), action="store_true")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Forget."""
        names = [name for name in _KNOWN if getattr(parsed_args, name)]
        changes = changed(dict.fromkeys(names))
        self.service_group.inventory.update_hypervisor(parsed_args.hypervisor, **changes)
        return YES


class Delete(Command):
    """Remove hypervisors from the inventory; their services stay."""

    examples = ("servicegroup hypervisor delete otccloud06", "servicegroup hypervisor delete 1 2")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which to remove."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "hypervisors",
            metavar="HYPERVISOR",
            nargs="+",
            help="ids, uuids or hypervisor host names",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Remove."""
        inventory = self.service_group.inventory
        return self.for_each(parsed_args.hypervisors, inventory.delete_hypervisor)


def _with_hypervisor(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "hypervisor", metavar="HYPERVISOR", help="its id, uuid or hypervisor host name"
    )
    return parser
