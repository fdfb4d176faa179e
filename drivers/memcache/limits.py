"""Whether the servers are near their limits: what they throw away is what observers cannot see."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from servicegroup import skew
from servicegroup.driver import Finding
from servicegroup.model import MAX_ATTRIBUTES

from .server import Server

#: Bytes: more than a member with the largest attributes, and an index of some thousands.
ROOM = 4 * MAX_ATTRIBUTES
#: Share of its memory in use above which a server soon evicts.
FULL = 0.9


def findings(server: Server) -> Iterator[Finding]:
    """Say how one server is. Three requests."""
    check, stats = f"memcached {server.name}", server.stats()
    if not stats:
        words = f"does not answer: {server.failure}"
        remedy = "start it; what it holds is read from and written to the second server of each key"
        yield Finding(check, False, words, remedy)
        return
    yield _memory(check, stats)
    size = server.stats("settings").get(b"item_size_max")
    if isinstance(size, int) and size < ROOM:
        words = f"keeps values of {size} bytes at most, {ROOM} are wanted for members and index"
        yield Finding(check, False, words, "start it with a larger limit: -I 1m is its default")
    skewed = skew.clock("its clock", int(stats[b"time"]) + 0.5 - time.time(), 0.5, check)
    if not skewed.well:
        yield skewed


def _memory(check: str, stats: dict[bytes, Any]) -> Finding:
    used, limit = int(stats[b"bytes"]), int(stats[b"limit_maxbytes"])
    evictions = int(stats[b"evictions"])
    words = (
        f"holds {int(stats[b'curr_items'])} values in {used / 2**20:.1f} of "
        f"{limit / 2**20:.0f} MB, and threw away {evictions} for want of room"
    )
    if not evictions and used <= FULL * limit:
        return Finding(check, True, words)
    remedy = "give it more memory (-m), or members a memcached of their own"
    return Finding(check, False, words, remedy)
