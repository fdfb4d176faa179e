"""A Redis to measure the ``tooz`` driver on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import places
from benchmarks.peer import Tooz
from benchmarks.rivals import Rival
from benchmarks.tooz.fleet import ToozFleet


class OnRedis(places.Place):
    """One Redis; its address is the URL by which tooz reaches it."""

    name = "tooz"
    driver = "tooz"
    libraries = ("tooz", "redis")
    joined = "joiners"
    one_life = True
    remembers = False

    @classmethod
    @contextlib.contextmanager
    def serve(cls) -> Iterator[OnRedis]:
        with places.servers() as home:
            from servers.redis import Redis as Server

            with Server(home) as server:
                yield cls(f"redis://{server.address}", "tooz on Redis", server.pid)

    def options(self) -> Mapping[str, Mapping[str, Any]]:
        return {"servicegroup_tooz": {"backend_url": self.address}}

    def fleet(self) -> ToozFleet:
        return ToozFleet(self)

    def rivals(self) -> list[Rival]:
        return [Tooz(self.address)]


PLACES = {OnRedis.name: OnRedis}
