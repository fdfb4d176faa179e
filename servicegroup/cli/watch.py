"""``servicegroup watch``: the events of a group, as they come."""

from __future__ import annotations

import argparse
import signal
import time
from datetime import UTC, datetime
from types import FrameType

from servicegroup.cli import events
from servicegroup.cli.columns import timestamp
from servicegroup.cli.command import YES, Command, positive


class Watch(Command):
    """Print the events of a group as they come, one line each.

    First everybody who is there (joined), then 'ready', then changes: joined, up, down, unknown,
    changed, left; and stale and fresh while the store cannot be read. Ends with status 0 at
    SIGINT (Ctrl-C), SIGTERM, after --timeout, or when nobody reads its output any more.
    """

    examples = (
        "servicegroup watch compute",
        "servicegroup watch compute --json | jq -r 'select(.event == \"down\") | .member'",
        "servicegroup watch compute --timeout 60",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what to watch."""
        parser = super().get_parser(prog_name)
        parser.add_argument("group", metavar="GROUP", help="the group to watch")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
        parser.add_argument(
            "--timeout", type=positive, metavar="S", help="end after this many seconds"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Print until told to end."""
        before = signal.signal(signal.SIGTERM, _end)
        try:
            self._follow(parsed_args)
        except (KeyboardInterrupt, BrokenPipeError):
            pass  # told to end, or nobody reads any more
        finally:
            signal.signal(signal.SIGTERM, before)
        return YES

    def _follow(self, parsed_args: argparse.Namespace) -> None:
        terminal, until = self.terminal, None
        with self.service_group.watch(parsed_args.group) as watch:
            if parsed_args.timeout is not None:
                until = time.monotonic() + parsed_args.timeout
            while until is None or time.monotonic() < until:
                left = None if until is None else until - time.monotonic()
                event = watch.next_event(left)
                if event is None:
                    continue
                now = datetime.now(UTC)
                if parsed_args.json:
                    self.say(events.as_json(event, now))
                else:
                    self.say(events.in_words(event, str(timestamp(now)), terminal))


def _end(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise KeyboardInterrupt
