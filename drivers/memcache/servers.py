"""All servers: where each key lives, and batches of commands to any of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from pymemcache.exceptions import MemcacheError

from servicegroup.clock import boottime

from .client import CLOSE
from .commands import Asked
from .exchange import Request, exchange
from .options import Options
from .placement import Placement
from .replies import Reply, replies
from .server import Server

T = TypeVar("T")
Read = Callable[[bytes], T | None]

#: Commands and bytes of one request: less than a socket takes while nobody reads the replies.
MOST_COMMANDS = 2000
MOST_BYTES = 96 * 1024
#: Seconds after which a server is asked for its time again.
_TIME_KEPT = 60.0


class ServersSilent(MemcacheError):  # type: ignore[misc]
    """None of the servers that could know answered; the message says which, and why."""


class Answer:
    """Where the reply to one command will be; ``None`` where its server did not answer."""

    __slots__ = ("reply", "server")

    def __init__(self, server: int) -> None:
        self.server = server
        self.reply: Reply | None = None


class Spoken(NamedTuple):
    """One request of so many commands, and the lines of its reply."""

    request: bytes
    commands: int
    lines: Sequence[bytes]


class Batch:
    """Commands for any servers, carried out together: a request to each of them."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._commands: dict[int, list[bytes]] = {}
        self._answers: dict[int, list[Answer]] = {}

    def add(self, server: int, command: bytes) -> Answer:
        """Add one command, to be answered by one reply."""
        answer = Answer(server)
        self._commands.setdefault(server, []).append(command)
        self._answers.setdefault(server, []).append(answer)
        return answer

    def add_everywhere(self, key: bytes, command: bytes) -> list[Answer]:
        """Add the same command for each server of *key*, best first."""
        return [self.add(server, command) for server in self._servers.of(key)]

    def run(self) -> bool:
        """Send all of them and wait for the replies; False if there was nothing to send."""
        if not self._commands:
            return False
        self._take(self._servers.ask(self._commands, replies))
        return True

    def run_whole(self, without: Batch) -> dict[int, Spoken]:
        """Send each server one request, *without* and then ours, however long.

        :returns: what was said about *without*; our own replies must be lines, one a command
        """
        counts = {server: len(some) for server, some in self._commands.items()}
        firsts = {server: b"".join(some) for server, some in without._commands.items()}
        before = {server: len(some) for server, some in without._commands.items()}
        for server, some in self._commands.items():
            without._commands.setdefault(server, []).extend(some)
            without._answers.setdefault(server, []).extend(self._answers[server])
        requests = {
            server: Request(b"".join(some) + CLOSE, _both(len(some)))
            for server, some in without._commands.items()
        }
        found = self._servers.exchange(requests)
        without._take({server: parsed for server, (_, parsed) in found.items()})
        self._commands, self._answers = {}, {}
        spoken = {}
        for server, (data, _) in found.items():
            lines = data.split(b"\r\n")[: -2 - counts.get(server, 0)]
            spoken[server] = Spoken(firsts.get(server, b""), before.get(server, 0), lines)
        return spoken

    def _take(self, found: Mapping[int, Sequence[Reply]]) -> None:
        for server, some in found.items():
            for answer, reply in zip(self._answers[server], some, strict=False):
                answer.reply = reply
        self._commands, self._answers = {}, {}


class Servers:
    """All of them, and where each key lives."""

    def __init__(self, options: Options, timeout: float) -> None:
        self._servers = [Server(address, timeout, options) for address in options.servers]
        self._placement = Placement([server.name for server in self._servers])
        # When a server told its time, and what that was at CLOCK_BOOTTIME 0.
        self._told = (-_TIME_KEPT, 0.0)
        self.of = self._placement.of

    def __iter__(self) -> Iterator[Server]:
        return iter(self._servers)

    @property
    def everywhere(self) -> range:
        """The indexes of all servers."""
        return range(len(self._servers))

    def batch(self) -> Batch:
        """Return an empty batch of commands."""
        return Batch(self)

    def now(self) -> float:
        """The wall time of the first server that told it, in seconds since 1970.

        :raises ServersSilent: none did
        """
        at, origin = self._told
        if time.monotonic() < at + _TIME_KEPT:
            return origin + boottime()
        for server in self._servers:
            told = None if server.skipped else server.time()
            if told is not None:
                origin = told - boottime()
                self._told = (time.monotonic(), origin)
                return origin + boottime()
        raise self.silent(self.everywhere)

    def ask(
        self, commands: Mapping[int, Sequence[bytes]], reader: Callable[[int], Read[list[T]]]
    ) -> dict[int, list[T]]:
        """Send to each server its commands, in as few requests as they fit in, side by side.

        :param reader: makes a reader of so many replies
        :returns: the replies of each server in the order of its commands. Where it stopped
            answering they end early; one that never answered is absent.
        """
        return self._in_turn(
            {
                server: [
                    Request(b"".join(chunk) + CLOSE, reader(len(chunk))) for chunk in _chunks(some)
                ]
                for server, some in commands.items()
                if some
            }
        )

    def ask_for(
        self,
        keys: Mapping[int, Sequence[bytes]],
        ask: Asked,
        reader: Callable[[int], Read[list[T]]],
    ) -> dict[int, list[T]]:
        """Ask each server the same of each of its keys; answers are as by ``ask``."""
        requests = {}
        for server, some in keys.items():
            longest = max(map(len, some), default=0) + len(ask.before) + len(ask.after)
            size = min(MOST_COMMANDS, MOST_BYTES // longest)
            chunks = [some[at : at + size] for at in range(0, len(some), size)]
            requests[server] = [Request(ask.of(one) + CLOSE, reader(len(one))) for one in chunks]
        return self._in_turn(requests)

    def _in_turn(self, requests: Mapping[int, Sequence[Request[list[T]]]]) -> dict[int, list[T]]:
        if all(len(some) == 1 for some in requests.values()):
            return self.exchange({server: some[0] for server, some in requests.items()})
        found: dict[int, list[T]] = {}
        for turn in range(max(map(len, requests.values()))):
            asked = {
                server: some[turn]
                for server, some in requests.items()
                if turn < len(some) and (server in found or not turn)
            }
            answers = self.exchange(asked)
            for server in asked:
                if server in answers:
                    found.setdefault(server, []).extend(answers[server])
                else:
                    requests = {one: some for one, some in requests.items() if one != server}
        return found

    def exchange(self, requests: Mapping[int, Request[T]]) -> dict[int, T]:
        """Send each server its request, side by side; those that did not answer are absent."""
        return exchange(self._servers, requests)

    def silent(self, servers: Iterable[int]) -> ServersSilent:
        """Return the error that says why none of these answered."""
        reasons = [
            f"{self._servers[index].name}: {self._servers[index].failure or 'no answer'}"
            for index in sorted(set(servers))
        ]
        return ServersSilent("no answer from memcached " + "; ".join(reasons))

    def start(self) -> None:
        """Keep connections from now on, as at first."""
        for server in self._servers:
            server.start()

    def close(self) -> None:
        """Close all connections; those in use are closed when their call ends."""
        for server in self._servers:
            server.close()


def _both(count: int) -> Read[tuple[bytes, list[Reply]]]:
    """Return what reads so many replies, and returns them together with the data."""
    read = replies(count)

    def both(data: bytes) -> tuple[bytes, list[Reply]] | None:
        parsed = read(data)
        return None if parsed is None else (data, parsed)

    return both


def _chunks(commands: Sequence[bytes]) -> list[Sequence[bytes]]:
    if len(commands) <= MOST_COMMANDS // 100:
        return [commands]  # none of ours is larger than a member
    if len(commands) <= MOST_COMMANDS and sum(map(len, commands)) <= MOST_BYTES:
        return [commands]
    chunks: list[list[bytes]] = [[]]
    size = 0
    for command in commands:
        if len(chunks[-1]) >= MOST_COMMANDS or size + len(command) > MOST_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(command)
        size += len(command)
    return [*filter(None, chunks)]
