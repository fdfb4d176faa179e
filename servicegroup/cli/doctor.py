"""``servicegroup doctor``: whether all is well here, and what to do if not."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from servicegroup.cli.columns import Cell
from servicegroup.cli.command import NO, SILENT, YES, Lister
from servicegroup.cli.terminal import one_line, printable


class Doctor(Lister):
    """Check configuration, driver, store, clocks, processes and members, with a remedy for each.

    Changes nothing. Exit status 0 if all is well, 1 if something is wrong, 3 if the store did not
    answer.
    """

    examples = (
        "servicegroup doctor",
        "servicegroup --config-file /etc/nova/nova.conf doctor",
        "servicegroup doctor -f json",
    )

    def take_action(
        self,
        parsed_args: argparse.Namespace,  # noqa: ARG002
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Examine."""
        from servicegroup import doctor

        findings = doctor.examine(lambda: self.conf)
        if any(finding.silent for finding in findings):
            self.outcome = SILENT
        elif not all(finding.well for finding in findings):
            self.outcome = NO
        else:
            self.outcome = YES
        return ("Check", "Result", "Remedy"), [self._row(finding) for finding in findings]

    def _row(self, finding: Any) -> list[Cell]:
        word, style = ("ok", "green") if finding.well else ("wrong", "red")
        said = printable(one_line(finding.result))
        return [
            Cell(finding.check),
            Cell(f"{word}: {said}", f"{self.terminal.paint(word, style)}: {said}"),
            Cell(finding.remedy or None, finding.remedy),
        ]
