"""``servicegroup is-up``: one member's verdict as an exit status, for scripts."""

from __future__ import annotations

import argparse

from servicegroup.cli.command import NO, SILENT, YES, Command
from servicegroup.cli.terminal import OF_STATE, one_line, printable
from servicegroup.model import State

_STATUS = {State.UP: YES, State.DOWN: NO, State.UNKNOWN: SILENT}


class IsUp(Command):
    """Tell whether one member is up: exit status 0 yes, 1 no, 3 nobody can tell.

    Who is not a member is not up. Prints the verdict with its reason, unless -q is given.
    """

    examples = (
        "servicegroup is-up compute node-17",
        "servicegroup -q is-up compute node-17 && ssh node-17 uptime",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add whom to ask about."""
        parser = super().get_parser(prog_name)
        parser.add_argument("group", metavar="GROUP", help="the group")
        parser.add_argument("member", metavar="MEMBER", help="the member's id within it")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Ask."""
        verdict = self.service_group.liveness(parsed_args.group, parsed_args.member)
        if self.app.options.verbose_level:
            word = self.terminal.paint(verdict.state.value, OF_STATE[verdict.state])
            self.say(f"{word}: {printable(one_line(verdict.reason))}")
        return _STATUS[verdict.state]
