"""A memcached to measure on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import places
from benchmarks.memcache.bare import BareMemcache
from benchmarks.memcache.fleet import MemcacheFleet
from benchmarks.peer import Tooz
from benchmarks.rivals import Rival

#: Room for everything that a run leaves behind, in MB.
_MEMORY = 2048
#: tooz keeps a whole group in one item; with the default of 1 MB it would end at 6,000 members.
_SETTINGS = ("-I", "16m")


class Memcache(places.Place):
    """One memcached; its address is ``host:port``."""

    name = "memcache"
    driver = "memcache"
    sizes = (*places.Place.sizes, 50_000)
    libraries = ("pymemcache", "tooz")
    looks_again = True
    storms_until = 10_000

    @classmethod
    @contextlib.contextmanager
    def serve(cls) -> Iterator[Memcache]:
        with places.servers() as home:
            from servers.memcached import Memcached as Server

            with Server(home, memory=_MEMORY, settings=_SETTINGS) as server:
                version = server.ask(b"version\r\n").split()[1].decode()
                title = f"memcached {version} ({' '.join(_SETTINGS)})"
                yield cls(server.address, title, server.pid)

    def options(self) -> Mapping[str, Mapping[str, Any]]:
        return {"servicegroup_memcache": {"servers": [self.address]}}

    def told_within(self, down_time: float, poll: float) -> float:
        return down_time + 1 + poll

    def fleet(self) -> MemcacheFleet:
        return MemcacheFleet(self)

    def rivals(self) -> list[Rival]:
        return [BareMemcache(self.address), Tooz(f"memcached://{self.address}?timeout=60")]


PLACES = {Memcache.name: Memcache}
