"""Where keys live: each on its first two servers by rendezvous, and nowhere else.

The placement depends on the configured names alone. A server that fails is not taken out: writers
and readers that fail at different times would else look for a key in different places.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence

#: Copies of each key, where there are so many servers.
COPIES = 2
#: Keys are spread over servers in so many parts; a power of two.
_PARTS = 4096


class Placement:
    """Says which servers hold a key, best first, by their index in *names*. Pure and quick."""

    def __init__(self, names: Sequence[str]) -> None:
        self._table = [_ranking(part, names) for part in range(_PARTS)]

    def of(self, key: bytes) -> tuple[int, ...]:
        """Return the indexes of the one or two servers of *key*."""
        return self._table[zlib.crc32(key) % _PARTS]


def _ranking(part: int, names: Sequence[str]) -> tuple[int, ...]:
    def weight(index: int) -> bytes:
        return hashlib.blake2b(f"{part} {names[index]}".encode(), digest_size=8).digest()

    return tuple(sorted(range(len(names)), key=weight, reverse=True)[:COPIES])
