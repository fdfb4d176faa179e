"""Reading many keys at once: each from its first server, and from its second where need be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from .codec import Codec, Place
from .replies import lines, values
from .servers import Servers

T = TypeVar("T")

ABSENT = b"EN"


class Found(NamedTuple):
    """A member's place as read, with the line that says the same without its value."""

    place: Place
    line: bytes


class Reader:
    """Reads places in bulk. Usable from any thread."""

    def __init__(self, servers: Servers, codec: Codec) -> None:
        self._servers = servers
        self._codec = codec

    def copies(
        self, keys: Sequence[bytes], command: Callable[[bytes], bytes], copy: int
    ) -> list[tuple[int, bytes] | None]:
        """Send *command* to the first (*copy* 0) or second server of each key.

        :returns: for each key the server and the line of its reply; ``None`` where there is no
            such server or it did not answer
        """
        commands, order = self._spread(keys, command, copy)
        answers = self._servers.ask(commands, lines)
        found: list[tuple[int, bytes] | None] = [None] * len(keys)
        for server, some in answers.items():
            for at, line in zip(order[server], some, strict=False):
                found[at] = (server, line)
        return found

    def places(self, keys: Sequence[bytes], copy: int) -> list[Found | bytes | None]:
        """Read the places of members from their first or second server.

        :returns: for each key what was found, ``ABSENT``, or ``None`` where nobody answered
        """
        commands, order = self._spread(keys, _read, copy)
        answers = self._servers.ask(commands, values)
        found: list[Found | bytes | None] = [None] * len(keys)
        at_places: list[int] = []
        tokens: list[bytes] = []
        texts: list[bytes] = []
        for server, some in answers.items():
            for at, answer in zip(order[server], some, strict=False):
                if answer is None:
                    found[at] = ABSENT
                else:
                    at_places.append(at)
                    tokens.append(answer[0])
                    texts.append(answer[1])
        places = self._codec.decode_all([keys[at] for at in at_places], texts)
        for at, token, place in zip(at_places, tokens, places, strict=True):
            found[at] = ABSENT if place is None else Found(place, b"HD " + token)
        return found

    def _spread(
        self, keys: Sequence[bytes], command: Callable[[bytes], bytes], copy: int
    ) -> tuple[dict[int, list[bytes]], dict[int, list[int]]]:
        if len(self._servers.everywhere) == 1:
            if copy:
                return {}, {}
            return {0: [command(key) for key in keys]}, {0: list(range(len(keys)))}
        commands: dict[int, list[bytes]] = {}
        order: dict[int, list[int]] = {}
        of = self._servers.of
        for at, key in enumerate(keys):
            servers = of(key)
            if copy < len(servers):
                server = servers[copy]
                if server in commands:
                    commands[server].append(command(key))
                    order[server].append(at)
                else:
                    commands[server] = [command(key)]
                    order[server] = [at]
        return commands, order


def _read(key: bytes) -> bytes:
    return b"mg %b v f\r\n" % key
