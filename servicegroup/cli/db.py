"""``servicegroup db``: the tables of the service records."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from servicegroup.cli.columns import Cell
from servicegroup.cli.command import NO, YES, Command, ShowOne


class Upgrade(Command):
    """Create the tables, or bring them to the version that this library needs.

    May run while services beat, and on several hosts at once. The default SQLite database does it
    by itself.
    """

    examples = (
        "servicegroup db upgrade",
        "servicegroup --config-file /etc/servicegroup/servicegroup.conf db upgrade",
    )

    def take_action(self, parsed_args: argparse.Namespace) -> int:  # noqa: ARG002
        """Upgrade."""
        from servicegroup import schema

        before, after = schema.upgrade(self.conf)
        if before.is_current:
            self.say(f"{after.place} is at version {after.version} already")
        else:
            came = "without tables of ours" if before.version is None else before.version
            self.say(f"{after.place} was {came} and is at version {after.version} now")
        return YES


class Version(ShowOne):
    """Show which version the tables have and which is needed; exit status 1 if they differ."""

    examples = ("servicegroup db version", "servicegroup db version -f value -c Version")

    def take_action(
        self,
        parsed_args: argparse.Namespace,  # noqa: ARG002
    ) -> tuple[Sequence[str], Iterable[Any]]:
        """Look."""
        from servicegroup import schema

        found = schema.read(self.conf)
        self.outcome = YES if found.is_current else NO
        return ("Database", "Version", "Needed"), (found.place, Cell(found.version), found.needed)
