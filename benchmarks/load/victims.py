"""Processes that are killed: each forked from this one, with one member that it joins by itself.

Everything is imported before, so that a victim is soon there. So many as live at once are made
first, and then killed with signal 9, one by one at random moments. Only then the next ones are
made: two interpreters that start would compete with whoever has to tell of a death.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import sys
import time
from typing import NamedTuple, NoReturn

import servicegroup
from benchmarks.load import program
from benchmarks.places import ATTRIBUTES
from servicegroup.clock import boottime

#: Seconds for which a victim has been a member before it is killed: its guardian has been started,
#: and whoever polls has seen it.
GROWN_UP = 2.0
#: Seconds: the longest wait for a victim, and for the end of all.
PATIENCE = 30.0


class Victim(NamedTuple):
    """One process; *said*: readable once it is a member."""

    name: str
    pid: int
    said: int


class Victims:
    """Those that live now, and which of them may be killed."""

    def __init__(self, task: program.Task) -> None:
        self._task = task
        self._count = 0
        #: Readable, in every victim, when this process has ended.
        self._life, self._ours = os.pipe()
        self._young: list[Victim] = []
        #: From when on they may be killed.
        self._grown_up: dict[Victim, float] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._grown_up)

    @property
    def all_grown(self) -> bool:
        """Whether each of them may be killed."""
        return not self._young and boottime() >= max(self._grown_up.values(), default=0.0)

    def fork(self) -> None:
        """Let another one live."""
        name = f"{self._task.told['prefix']}-{self._count:04d}"
        self._count += 1
        said, ready = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(self._ours)
            os.close(said)
            self._live(name, ready)
        os.close(ready)
        self._young.append(Victim(name, pid, said))

    def wait(self, seconds: float) -> bool:
        """Wait, and take note of who became a member; returns whether to go on."""
        heard = [one.said for one in self._young]
        readable, _, _ = select.select([sys.stdin, *heard], [], [], max(0.0, seconds))
        for one in [one for one in self._young if one.said in readable]:
            self._young.remove(one)
            word = os.read(one.said, 1)
            os.close(one.said)
            if not word:
                raise RuntimeError(f"{one.name} could not join")
            interval = self._task.told["core"]["report_interval"]
            self._grown_up[one] = boottime() + GROWN_UP + random.uniform(0, min(interval, GROWN_UP))
        return sys.stdin not in readable

    def kill(self) -> bool:
        """Kill one of those that have grown up, if there is one."""
        grown = [one for one, at in self._grown_up.items() if boottime() >= at]
        if not grown:
            return False
        one = random.choice(grown)
        del self._grown_up[one]
        at = boottime()
        os.kill(one.pid, signal.SIGKILL)
        os.waitpid(one.pid, 0)
        program.say(killed=one.name, at=at)
        return True

    def close(self) -> None:
        """Let all leave and end."""
        os.close(self._ours)
        until = time.monotonic() + PATIENCE
        for one in (*self._young, *self._grown_up):
            while os.waitpid(one.pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > until:
                    os.kill(one.pid, signal.SIGKILL)
                time.sleep(0.01)

    def _live(self, name: str, ready: int) -> NoReturn:
        status = 1
        try:
            with servicegroup.ServiceGroup(self._task.configuration()) as group:
                _join(group, self._task.group, name)
                os.write(ready, b".")
                os.close(ready)
                os.read(self._life, 1)
            status = 0
        except Exception as error:  # noqa: BLE001 - whoever forked us is told by the end of file
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
        finally:
            os._exit(status)


def _join(group: servicegroup.ServiceGroup, group_id: str, name: str) -> None:
    """Join, also where all that are forked at once keep the store busy for longer than a call."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            group.join(group_id, name, attributes=ATTRIBUTES)
        except servicegroup.DriverUnavailable:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


def main() -> None:
    """Kill as many as told, over as many seconds."""
    task = program.task()
    door, _ = task.place.process(task.configuration())
    door.groups()  # loads what a first use loads
    door.stop()
    victims = Victims(task)
    with contextlib.closing(victims):
        _kill_all(victims, task.told["kills"], task.told["at_once"], task.told["seconds"])
        program.say(done=True)
        for _ in program.orders():
            pass


def _kill_all(victims: Victims, kills: int, at_once: int, seconds: float) -> None:
    for done in range(0, kills, at_once):
        count = min(at_once, kills - done)
        while not (len(victims) == count and victims.all_grown):
            if len(victims) < count:
                victims.fork()  # one at a time, so that not all are at the same point of their life
            if not victims.wait(0.05):
                return
        share = seconds * count / kills
        begin = boottime()
        for moment in sorted(begin + random.uniform(0, share) for _ in range(count)):
            while boottime() < moment:
                if not victims.wait(moment - boottime()):
                    return
            victims.kill()


if __name__ == "__main__":
    main()
