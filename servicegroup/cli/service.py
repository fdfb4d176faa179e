"""``servicegroup service``: who is there, and the operator's word on each."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Iterable, Sequence
from typing import Any

from servicegroup.cli import columns
from servicegroup.cli.command import YES, Command, Lister, ShowOne, UsageError
from servicegroup.model import State


class List(Lister):
    """Show the services that run, where, since when, and whether they are up."""

    examples = (
        "servicegroup service list",
        "servicegroup service list --group compute --long",
        "servicegroup service list --status down -f json",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what to list."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--group", metavar="GROUP", help="only this group (default: all)")
        parser.add_argument(
            "--status",
            choices=[state.value for state in State],
            help="only those in this state",
        )
        parser.add_argument(
            "--all", action="store_true", help="also those that left and have a record"
        )
        parser.add_argument(
            "--long", action="store_true", help="also " + ", ".join(columns.LONG[6:])
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[list[Any]]]:
        """List."""
        names = columns.LONG if parsed_args.long else columns.SHORT
        statuses = self.service_group.roster.list(parsed_args.group, left=parsed_args.all)
        if parsed_args.status is not None:
            statuses = [one for one in statuses if one.state.value == parsed_args.status]
        return names, [columns.row(status, names, self.terminal) for status in statuses]


class Show(ShowOne):
    """Show everything known of one member."""

    examples = (
        "servicegroup service show compute node-17",
        "servicegroup service show compute node-17 -f value -c Reason",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add whom to show."""
        return _with_member(super().get_parser(prog_name))

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[list[Any]]]:
        """Show."""
        status = self.service_group.roster.get(parsed_args.group, parsed_args.member)
        return columns.ALL, columns.row(status, columns.ALL, self.terminal)


class Set(Command):
    """Say whether a service may take work, or declare it down.

    It stays so when the service leaves and joins again. A disabled service is still up or down by
    its signs of life; one that is forced down is down whatever they say.
    """

    examples = (
        "servicegroup service set compute node-17 --disable --reason 'new memory at noon'",
        "servicegroup service set compute node-17 --enable",
        "servicegroup service set compute node-17 --force-down --reason 'fenced'",
        "servicegroup service set compute node-17 --no-force-down",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add whom and what to set."""
        parser = _with_member(super().get_parser(prog_name))
        work = parser.add_mutually_exclusive_group()
        work.add_argument("--enable", action="store_true", help="let it take work again")
        work.add_argument("--disable", action="store_true", help="let it take no new work")
        word = parser.add_mutually_exclusive_group()
        word.add_argument("--force-down", action="store_true", help="declare it down")
        word.add_argument(
            "--no-force-down", action="store_true", help="let its signs of life decide again"
        )
        parser.add_argument("--reason", help="why, with --disable or --force-down")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Set."""
        given = parsed_args
        if not (given.enable or given.disable or given.force_down or given.no_force_down):
            raise UsageError(
                "nothing to set: give --enable, --disable, --force-down or --no-force-down"
            )
        if given.reason is not None and not (given.disable or given.force_down):
            raise UsageError("--reason goes with --disable or --force-down")
        self.service_group.services.set(
            given.group,
            given.member,
            disabled=given.disable if given.disable or given.enable else None,
            disabled_reason=given.reason if given.disable else None,
            forced_down=given.force_down if given.force_down or given.no_force_down else None,
            forced_down_reason=given.reason if given.force_down else None,
        )
        return YES


class Delete(Command):
    """Remove members for good, with their service records.

    A process that lives under one of them finds itself removed at its next beat and stops beating.
    """

    examples = (
        "servicegroup service delete compute node-17",
        "servicegroup service delete compute node-18 node-19",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add whom to remove."""
        parser = super().get_parser(prog_name)
        parser.add_argument("group", metavar="GROUP", help="the group")
        parser.add_argument("members", metavar="MEMBER", nargs="+", help="member ids")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Remove."""
        delete = functools.partial(self.service_group.roster.delete, parsed_args.group)
        return self.for_each(parsed_args.members, delete)


def _with_member(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("group", metavar="GROUP", help="the group")
    parser.add_argument("member", metavar="MEMBER", help="the member's id within it")
    return parser
