"""A daemon of a fleet, run as a program: it does what it is told and says what befalls it.

Its argument is ``{"connection": URL, "options": {...}}``. It reads one call a line
(``["join", ["g", "m"], {}]``), answers ``{"answer": ...}`` or ``{"error": [class, words]}``, and
meanwhile says ``{"lost": ...}`` and ``{"log": ...}``. It ends in good order when its input does,
so that it cannot outlive the test that started it.
"""

import json
import logging
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from fleet.group import service_group

from servicegroup import Membership, ServiceGroup

_speaking = threading.Lock()


def say(what: dict[str, Any]) -> None:
    """Write one line."""
    line = json.dumps(what)
    with _speaking:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class Spoken(logging.Handler):
    """Says what is logged."""

    def emit(self, record: logging.LogRecord) -> None:
        say({"log": record.getMessage(), "level": record.levelname})


class Orders:
    """What the daemon can be told."""

    def __init__(self, group: ServiceGroup) -> None:
        self._group = group
        self._joined: dict[tuple[str, str], Membership] = {}

    def join(self, group_id: str, member_id: str, **options: Any) -> list[Any]:
        """Join, and answer instance id, incarnation and process id."""
        joined = self._group.join(group_id, member_id, on_lost=_lost, **options)
        self._joined[group_id, member_id] = joined
        member = joined.member
        return [member.instance_id, member.incarnation, member.process_id]

    def join_all(self, group_id: str, member_ids: list[str]) -> dict[str, int]:
        """Join many in the order given, one by one, and answer their incarnations."""
        return {one: self.join(group_id, one)[1] for one in member_ids}

    def join_together(self, group_id: str, member_ids: list[str]) -> None:
        """Join many without waiting for each: they are stored in few transactions, or one."""
        for one in member_ids:
            self.join(group_id, one, wait=False)

    def leave(self, group_id: str, member_id: str) -> bool:
        """Leave with a member of its own."""
        return self._joined[group_id, member_id].leave()

    def alive(self, group_id: str) -> dict[str, bool]:
        """Tell of each member of its own whether it may go on."""
        return {one: m.alive for (group, one), m in self._joined.items() if group == group_id}

    def lost(self, group_id: str, member_id: str) -> str | None:
        """Tell why a member of its own is lost, if it is."""
        return self._joined[group_id, member_id].lost_reason

    def states(self, group_id: str) -> dict[str, str]:
        """Give the verdict on every member."""
        return {one: state.value for one, state in self._group.states(group_id).items()}

    def reason(self, group_id: str, member_id: str) -> str:
        """Give the verdict on one member in words."""
        return self._group.liveness(group_id, member_id).reason

    def guarded(self) -> bool:
        """Tell whether our guardian said that it is ready; we hear it at the next beat."""
        process = self._group._process
        guardian = None if process is None else process.heart._guardian
        return guardian is not None and guardian._ready

    def close(self) -> None:
        """Leave all groups, as a daemon does that ends in good order, and live on."""
        self._group.close()

    def worker(self, *join: str) -> int:
        """Fork a worker, which joins if it is told as what; answer its process id.

        It lives until our input ends, whatever becomes of us.
        """
        reading, writing = os.pipe()
        pid = os.fork()
        if pid:
            os.close(writing)
            with os.fdopen(reading) as said:
                said.read()
            return pid
        if join:
            self._group.join(*join)
        os.close(reading)
        os.close(writing)
        closed = select.poll()
        closed.register(0, 0)
        closed.poll()
        os._exit(0)

    def program(self) -> int:
        """Start another program that inherits whatever it can; answer its process id."""
        return subprocess.Popen(["sleep", "600"], close_fds=False, stdout=subprocess.DEVNULL).pid

    def inheritable(self, path: str) -> None:
        """Open a file that all programs we start inherit, unless they are protected from it."""
        os.set_inheritable(os.open(path, os.O_RDONLY), True)

    def any_child(self) -> int | None:
        """Answer the process id of a child of ours that ended or still runs, if there is one."""
        try:
            return os.waitpid(-1, os.WNOHANG)[0]
        except ChildProcessError:
            return None


def _lost(membership: Membership, reason: str) -> None:
    say({"lost": membership.member.member_id, "reason": reason})


def obeyed(call: Callable[..., Any], arguments: list[Any], named: dict[str, Any]) -> None:
    """Make the call, and say what it answers or raises."""
    try:
        answer = call(*arguments, **named)
    except Exception as error:  # noqa: BLE001 - the test is told
        say({"error": [type(error).__name__, str(error)]})
    else:
        say({"answer": answer})


def main() -> None:
    """Obey until the input ends."""
    logging.basicConfig(level=logging.INFO, handlers=[Spoken()])
    told = json.loads(sys.argv[1])
    with service_group(told["connection"], **told["options"]) as group:
        orders = Orders(group)
        say({"answer": "ready"})
        for line in sys.stdin:
            name, arguments, named = json.loads(line)
            obeyed(getattr(orders, name), arguments, named)


if __name__ == "__main__":
    main()
