"""Reading many keys at once: each from its first server, and from its second where need be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from . import commands
from .client import CLOSE
from .codec import Codec, Place
from .commands import Asked
from .exchange import Request
from .replies import lines, values
from .servers import Servers

T = TypeVar("T")

ABSENT = b"EN"
_ONE = values(1)


class Found(NamedTuple):
    """A member's place as read, with the line that says the same without its value."""

    place: Place
    line: bytes


class Reader:
    """Reads places in bulk. Usable from any thread."""

    def __init__(self, servers: Servers, codec: Codec) -> None:
        self._servers = servers
        self._codec = codec

    def lines(self, keys: Sequence[bytes], ask: Asked, copy: int) -> list[bytes | None]:
        """Ask the first (*copy* 0) or second server of each key for what is in no value.

        :returns: for each key the line of the reply; ``None`` where there is no such server or it
            did not answer
        """
        return self._read(keys, ask, copy, lines)

    def places(self, keys: Sequence[bytes], copy: int) -> list[Found | bytes | None]:
        """Read the places of members from their first or second server.

        :returns: for each key what was found, ``ABSENT``, or ``None`` where nobody answered
        """
        answers = self._read(keys, commands.VALUE, copy, values)
        found: list[Found | bytes | None] = [None] * len(keys)
        there, tokens, texts = [], [], []
        for at, answer in enumerate(answers):
            if isinstance(answer, tuple):
                there.append(at)
                tokens.append(answer[0])
                texts.append(answer[1])
            elif answer is not None:
                found[at] = ABSENT
        whole = len(there) == len(keys)
        places = self._codec.decode_all(keys if whole else [keys[at] for at in there], texts)
        for at, token, place in zip(there, tokens, places, strict=True):
            found[at] = ABSENT if place is None else Found(place, b"HD " + token)
        return found

    def place(self, key: bytes) -> Found | None:
        """Read one place; ``None`` where its copies differ, or there is none."""
        request = Request(commands.VALUE.of([key]) + CLOSE, _ONE)
        answers = self._servers.exchange(dict.fromkeys(self._servers.of(key), request))
        copies = [copy for (copy,) in answers.values()]
        first = copies[0] if copies else None
        if not isinstance(first, tuple) or any(copy != first for copy in copies):
            return None
        place = self._codec.decode(key, first[1])
        return None if place is None else Found(place, b"HD " + first[0])

    def _read(
        self,
        keys: Sequence[bytes],
        ask: Asked,
        copy: int,
        reader: Callable[[int], Callable[[bytes], list[T] | None]],
    ) -> list[T | None]:
        if not keys:
            return []
        if len(self._servers.everywhere) == 1:
            answers = [] if copy else self._servers.ask_for({0: keys}, ask, reader).get(0, [])
            return [*answers, *[None] * (len(keys) - len(answers))]
        order: dict[int, list[int]] = {}
        of = self._servers.of
        for at, key in enumerate(keys):
            servers = of(key)
            if copy < len(servers):
                order.setdefault(servers[copy], []).append(at)
        asked = {server: [keys[at] for at in some] for server, some in order.items()}
        found: list[T | None] = [None] * len(keys)
        for server, some in self._servers.ask_for(asked, ask, reader).items():
            for at, answer in zip(order[server], some, strict=False):
                found[at] = answer
        return found
