"""Many processes joining at once: each a program of its own, told what to do line by line.

A line names who joins, by its column (empty: we), and what the names begin with. Each joiner then
joins so many members one after another, prints the seconds that took, and leaves at the next line.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import servicegroup
from benchmarks.figures import Elsewhere, Figure
from benchmarks.latency import POLL
from benchmarks.places import ATTRIBUTES, GROUP, Place, kind
from benchmarks.rivals import LONGEST, Rival, TooSlow
from servicegroup import EventType

PROCESSES = 8
#: Members that each of them joins.
EACH = 25
#: Seconds of one's own rounds after which there were enough of them.
ENOUGH = 5.0
#: Seconds: the longest wait for a process.
PATIENCE = 120.0

_SLOW = "slow"


class Storm:
    """Joins by several processes."""

    def __init__(
        self, place: Place, rivals: Sequence[Rival], times: int, processes: int = PROCESSES
    ) -> None:
        self._place = place
        self._processes = processes
        self._columns = [one.column for one in rivals if hasattr(one, "join_many")]
        self._times = times
        self._largest: dict[str, Elsewhere] = {}

    def at(self, size: int) -> Iterator[Figure]:
        """Yield the time until all have joined, and until a watch has told of all."""
        times: dict[str, list[float]] = {column: [] for column in ("", *self._columns)}
        with self._started() as joiners:
            for turn in range(self._times):
                for column, taken in list(times.items()):
                    if sum(taken) > ENOUGH:
                        continue
                    try:
                        taken.append(_round(joiners, column, f"storm-{turn}"))
                    except TooSlow:
                        del times[column]
            with self._watch() as watch:
                told = _watched(joiners, watch)
        middle = statistics.median(times.pop(""))
        others = {column: statistics.median(taken) for column, taken in times.items()}
        elsewhere = {c: found for c, found in self._largest.items() if c not in others}
        self._columns = list(others)  # who was too slow will not be quicker among more
        self._largest |= {c: Elsewhere(size, taken, middle) for c, taken in others.items()}
        words = f"{self._processes} processes, {self._processes * EACH} joins"
        yield Figure(f"join storm: {words}", size, middle, others, elsewhere)
        yield Figure("join storm: until a watch told all", size, told)

    @contextlib.contextmanager
    def _started(self) -> Iterator[list[subprocess.Popen[str]]]:
        command = [sys.executable, "-m", "benchmarks.storm", self._place.name, self._place.address]
        with contextlib.ExitStack() as stack:
            joiners = []
            for number in range(self._processes):
                joiner = subprocess.Popen(
                    [*command, str(number)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                stack.callback(_ended, joiner)
                joiners.append(joiner)
            yield joiners

    @contextlib.contextmanager
    def _watch(self) -> Iterator[servicegroup.Watch]:
        group = servicegroup.ServiceGroup(self._place.configuration(poll_interval=POLL))
        with group, group.watch(GROUP) as watch:
            while (event := watch.next_event(30)) and event.type is not EventType.READY:
                pass
            yield watch


def _round(joiners: Sequence[subprocess.Popen[str]], column: str, begin: str) -> float:
    """Let all join at once; returns the seconds that the last of them took."""
    _ask(joiners, f"prepare\t{column}")
    words = _ask(joiners, f"join\t{begin}")
    _ask(joiners, "leave")
    if _SLOW in words:
        raise TooSlow
    return max(map(float, words))


def _watched(joiners: Sequence[subprocess.Popen[str]], watch: servicegroup.Watch) -> float:
    """Let all join at once; returns the seconds until *watch* told of all."""
    _ask(joiners, "prepare\t")
    start = time.perf_counter()
    _say(joiners, "join\twatched")
    left = len(joiners) * EACH
    while left and (event := watch.next_event(PATIENCE)) is not None:
        left -= event.type is EventType.JOINED
    told = time.perf_counter() - start
    _heard(joiners)
    _ask(joiners, "leave")
    return told


def _ask(joiners: Sequence[subprocess.Popen[str]], line: str) -> list[str]:
    _say(joiners, line)
    return _heard(joiners)


def _say(joiners: Sequence[subprocess.Popen[str]], line: str) -> None:
    for joiner in joiners:
        assert joiner.stdin is not None
        joiner.stdin.write(f"{line}\n")
        joiner.stdin.flush()


def _heard(joiners: Sequence[subprocess.Popen[str]]) -> list[str]:
    words = []
    for joiner in joiners:
        assert joiner.stdout is not None
        line = joiner.stdout.readline()
        if not line:
            raise RuntimeError(f"a process that should join ended with {joiner.wait(10)}")
        words.append(line.strip())
    return words


def _ended(joiner: subprocess.Popen[str]) -> None:
    assert joiner.stdin is not None
    joiner.stdin.close()
    try:
        joiner.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        joiner.kill()
        joiner.wait()


class _Joiner:
    """One of the processes."""

    def __init__(self, place: Place, number: str) -> None:
        self._number = number
        self._place = place
        self._rivals = {one.column: one for one in place.rivals()}
        self._group = servicegroup.ServiceGroup(place.configuration())
        self._group.is_up(GROUP, "nobody", unknown=False)  # connects
        self._joined: list[servicegroup.Membership] = []
        self._join: Callable[[str], object] = self._ours

    def obey(self, line: str) -> str:
        """Do what a line says; returns the answer."""
        word, _, rest = line.partition("\t")
        if word == "prepare":
            self._rival = self._rivals.get(rest)
            self._join = self._ours if self._rival is None else self._rival.join_many(EACH)
        elif word == "join":
            return self._all(rest)
        else:
            while self._joined:
                self._joined.pop().leave()
            if self._rival is not None:
                self._rival.leave_all()
        return "done"

    def _all(self, begin: str) -> str:
        start = time.perf_counter()
        for number in range(EACH):
            self._join(f"{begin}-{self._number}-{number}")
            if time.perf_counter() - start > LONGEST:
                return _SLOW
        return str(time.perf_counter() - start)

    def _ours(self, name: str) -> None:
        self._joined.append(self._group.join(GROUP, name, attributes=ATTRIBUTES))

    def close(self) -> None:
        self._group.close()
        for rival in self._rivals.values():
            rival.close()


def main() -> None:
    """Join as the lines of standard input say."""
    name, address, number = sys.argv[1:]
    joiner = _Joiner(kind(name)(address), number)
    with contextlib.closing(joiner):
        for line in sys.stdin:
            print(joiner.obey(line.rstrip("\n")), flush=True)


if __name__ == "__main__":
    main()
