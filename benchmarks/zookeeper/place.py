"""A ZooKeeper to measure on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import places
from benchmarks.peer import Tooz
from benchmarks.rivals import Rival
from benchmarks.zookeeper.bare import BareZooKeeper
from benchmarks.zookeeper.fleet import ZooKeeperFleet

#: Seconds: longer than any measurement holds up a session's pings.
SESSION = 60.0
#: Seconds: the server's own default; tests have shorter ticks.
TICK = 2.0
_SETTINGS = {"tickTime": f"{TICK * 1000:.0f}"}
#: Ticks: the longest session that the server grants.
_LONGEST = 20
#: All of Java's optimisation, which tests do without because it starts slowly.
_JAVA = ("-Xms512m", "-Xmx512m", "-XX:+UseSerialGC")


class ZooKeeper(places.Place):
    """One ZooKeeper server that does not wait for the disk; its address is ``host:port``."""

    name = "zookeeper"
    driver = "zookeeper"
    libraries = ("kazoo", "tooz")
    looks_again = True
    one_life = True
    storms_until = 10_000

    @classmethod
    @contextlib.contextmanager
    def serve(cls) -> Iterator[ZooKeeper]:
        with places.servers() as home:
            from servers.zookeeper import ZooKeeper as Server

            class Optimised(Server):
                java = _JAVA

            with Optimised(home, **_SETTINGS) as server:
                version = server.ask("srvr").split(",")[0].split(":")[1].split("-")[0].strip()
                yield cls(
                    server.address, f"ZooKeeper {version} (one server, forceSync=no)", server.pid
                )

    def options(self) -> Mapping[str, Mapping[str, Any]]:
        return {"servicegroup_zookeeper": {"hosts": self.address, "session_timeout": SESSION}}

    def silence(self, seconds: float) -> Mapping[str, Mapping[str, Any]]:
        return {"servicegroup_zookeeper": {"session_timeout": min(seconds, _LONGEST * TICK)}}

    def told_within(self, down_time: float, poll: float) -> float:  # noqa: ARG002
        return down_time + TICK

    def fleet(self) -> ZooKeeperFleet:
        return ZooKeeperFleet(self)

    def rivals(self) -> list[Rival]:
        url = f"zookeeper://{self.address}?timeout={SESSION:.0f}"
        return [BareZooKeeper(self.address, SESSION), Tooz(url)]


PLACES = {ZooKeeper.name: ZooKeeper}
