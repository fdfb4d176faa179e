"""``servicegroup conductor ring``: a picture of who has how much to do."""

from __future__ import annotations

import argparse
import pathlib

from servicegroup.cli.command import YES, Command, UsageError
from servicegroup.cli.ring_svg import column, picture, title
from servicegroup.cli.terminal import printable
from servicegroup.conductor import Load

_WIDTH = 24
#: Most hosts of one ring that are shown; of more, those with most and least to do.
MOST = 40


class Ring(Command):
    """Draw the rings: how much of each is a conductor's, and how many nodes.

    Conductors that serve the same kinds of nodes are on one ring. '|' marks an equal share. With a
    policy other than 'ring': how much of the nodes is due to each conductor, and how many it has.
    """

    examples = (
        "servicegroup conductor ring",
        "servicegroup conductor ring --output ring.svg",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add where to."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--output", metavar="FILE", help="write a picture, in SVG, to this file"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Draw."""
        loads = self.service_group.conductors.loads()
        if parsed_args.output is not None:
            try:
                pathlib.Path(parsed_args.output).write_text(picture(loads), encoding="utf-8")
            except OSError as error:
                name = parsed_args.output
                raise UsageError(f"{name!r} cannot be written: {error.strerror}") from error
            return YES
        if not loads:
            self.say("no conductor serves any node: none is alive, or none has drivers")
        for load in loads:
            self._draw(load)
        return YES

    def _draw(self, load: Load) -> None:
        shares = load.portions
        total = sum(load.nodes.values())
        self.say(self.terminal.paint(title(load), "bold"))
        largest = max([*shares.values(), *(n / max(total, 1) for n in load.nodes.values())])
        names = [printable(host) for host in load.hosts]
        width = max(map(len, names))
        self.say(f"  {'':{width}}  {column(load):{_WIDTH + 7}}  nodes")
        equal = 1 / len(names)
        shown = load.hosts
        if len(shown) > MOST:
            ordered = sorted(shown, key=lambda host: -load.nodes[host])
            left_out = len(shown) - MOST
            shown = (*ordered[: MOST // 2], *ordered[-MOST // 2 :])
        for index, host in enumerate(shown):
            if len(names) > MOST and index == MOST // 2:
                self.say(f"  ... {left_out:,} more between these")
            nodes = load.nodes[host]
            of_nodes = nodes / total if total else 0.0
            self.say(
                f"  {printable(host):{width}}  {self._bar(shares[host], largest, equal)} "
                f"{shares[host]:6.1%}  {self._bar(of_nodes, largest, equal)} {nodes:,}"
            )

    def _bar(self, share: float, largest: float, equal: float) -> str:
        filled = round(_WIDTH * share / largest) if largest else 0
        marked = min(round(_WIDTH * equal / largest), _WIDTH - 1) if largest else 0
        cells = ["█" if cell < filled else " " for cell in range(_WIDTH)]
        if cells[marked] == " ":
            cells[marked] = "|"
        return self.terminal.paint("".join(cells), "cyan")
