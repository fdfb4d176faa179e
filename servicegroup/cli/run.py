"""``servicegroup run``: membership for a daemon that does not know of us."""

from __future__ import annotations

import argparse
import json
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from servicegroup import config
from servicegroup.cli import child
from servicegroup.cli.command import Command, UsageError
from servicegroup.exceptions import DriverUnavailable

if TYPE_CHECKING:
    from servicegroup import Membership

LOG = logging.getLogger(__name__)


class Run(Command):
    """Run a program and be a member of a group for it, as long as it runs.

    Signals are passed on, its exit status is ours (128 + n where signal n ended it). Our own
    failures are 125, 126 where it cannot be executed, 127 where it is not found. Where the store
    does not answer the program is started all the same, and joins as soon as it can.
    """

    failure = 125
    examples = (
        "servicegroup run --group web -- nginx -g 'daemon off;'",
        "servicegroup run --group compute --name nova-compute --member node-17 \\",
        "    --attribute zone=east --attribute weight=3 -- nova-compute",
        "servicegroup run --group scheduler --member leader --no-takeover --stop-on-lost -- ./lead",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add whom to join as, and what to run."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--group", required=True, help="the group to join")
        parser.add_argument("--name", help="kind of service (default: the program's name)")
        parser.add_argument("--member", help="member id (default: [servicegroup] host)")
        parser.add_argument(
            "--attribute",
            action="append",
            default=[],
            type=_attribute,
            metavar="K=V",
            help="publish an attribute: V is JSON if it can be read as such, else text; may be "
            "repeated",
        )
        parser.add_argument(
            "--no-takeover",
            dest="takeover",
            action="store_false",
            help="fail if another live process holds this member id, or if nobody can tell",
        )
        parser.add_argument(
            "--stop-on-lost",
            action="store_true",
            help="send SIGTERM to the program when the member is superseded or removed, or when "
            "others may soon call it down since no beat can be stored",
        )
        parser.add_argument("command", nargs="+", metavar="COMMAND", help="program and arguments")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Join, run, leave."""
        obstacle = child.obstacle(parsed_args.command[0])
        if obstacle is not None:
            return self._cannot(*obstacle)
        self.conf.set_default("guardian", True, config.GROUP)  # of ourselves: we wait for the child
        signals = child.Signals()
        try:
            return self._run(parsed_args, signals)
        finally:
            self.app.close()  # leaves, and ends the threads, while signals are still held back
            signals.release()

    def _run(self, parsed_args: argparse.Namespace, signals: child.Signals) -> int:
        fence = _Fence() if parsed_args.stop_on_lost else None
        membership = self._join(parsed_args, fence)
        ending = signals.ending()
        if ending is not None:
            return child.BY_SIGNAL + ending
        try:
            process = child.Child(parsed_args.command, signals)
        except OSError as error:
            words = f"{parsed_args.command[0]!r} cannot be executed: {error.strerror}"
            return self._cannot(child.CANNOT_EXECUTE, words)
        if fence is not None:
            fence.guard(process, membership)
        return process.wait()

    def _join(self, parsed_args: argparse.Namespace, fence: _Fence | None) -> Membership:
        service_group, name, member = self.service_group, parsed_args.name, parsed_args.member
        arguments: dict[str, Any] = {
            "group_id": parsed_args.group,
            "member_id": service_group.settings.host if member is None else member,
            "name": Path(parsed_args.command[0]).name if name is None else name,
            "attributes": dict(parsed_args.attribute),
            "on_lost": fence,
        }
        try:
            return service_group.join(**arguments, takeover=parsed_args.takeover)
        except DriverUnavailable as error:
            if not parsed_args.takeover:
                raise
            LOG.warning(
                "%s; %s is started all the same and joins as soon as the store answers",
                error,
                parsed_args.command[0],
            )
            return service_group.join(**arguments, wait=False)

    def _cannot(self, status: int, words: str) -> int:
        self.app.complain(UsageError(words), foreseen=True)
        return status


class _Fence:
    """Stops a program whose member is lost. Called on a thread of the library."""

    def __init__(self) -> None:
        self._process: child.Child | None = None

    def guard(self, process: child.Child, membership: Membership) -> None:
        """Stop *process* from now on, also if the loss came before it was started."""
        self._process = process
        if membership.lost.is_set():
            self(membership, membership.lost_reason or "")

    def __call__(self, membership: Membership, reason: str) -> None:
        if self._process is not None:
            member = membership.member
            LOG.error(
                "stopping process %d, whose member %s of group %s was lost: %s",
                self._process.pid,
                member.member_id,
                member.group_id,
                reason,
            )
            self._process.send(signal.SIGTERM)


def _attribute(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is no attribute; use NAME=VALUE")
    try:
        return name, json.loads(value, parse_constant=_no_number)
    except ValueError:
        return name, value


def _no_number(constant: str) -> NoReturn:
    """Refuse NaN and the infinities, which are not JSON: they are text."""
    raise ValueError(constant)
