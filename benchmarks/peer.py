"""tooz, the library that does the most of this today, on the same server.

The store is filled beforehand with as many members as ours, as its drivers write them. A
coordinator is one member; questions are asked by one that is in no group.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import time
import warnings
from collections.abc import Callable, Generator
from concurrent import futures
from typing import Any

from benchmarks.figures import TOOZ
from benchmarks.places import ATTRIBUTES, GROUP, member_id
from benchmarks.rivals import LONGEST, Rival, TooSlow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what it finds installed
    from tooz import coordination, utils

#: It warns of connections that are closed.
logging.getLogger("kazoo").setLevel(logging.ERROR)

#: Members that are joined at most where all are: each takes a coordinator with threads and a
#: connection of its own.
MOST_COORDINATORS = 100
#: Seconds after which there were enough events, all that a look takes it included.
ENOUGH = 3.0
#: Seconds after which it can be told how long the whole will take.
TOLD_AFTER = 2.0


class Tooz(Rival):
    """What tooz offers, by a coordinator that reaches *url*."""

    column = TOOZ

    def __init__(self, url: str) -> None:
        self._url = url
        self._started = contextlib.ExitStack()
        self._onlooker: Any = None
        self._joined: list[Any] = []
        self._numbers = itertools.count()

    def close(self) -> None:
        self._started.close()

    def objects(self, group: str) -> Any:
        return self._client.get_members_with_capabilities(group.encode()).get()

    def one_by_one(self, group: str) -> Any:
        """List as every program did before there was a call for it."""
        client, group_id = self._client, group.encode()
        start = time.perf_counter()
        members = client.get_members(group_id).get()
        found = {}
        for count, member in enumerate(members, 1):
            found[member] = client.get_member_capabilities(group_id, member).get()
            spent = time.perf_counter() - start
            if spent > TOLD_AFTER and spent / count * len(members) > LONGEST:
                raise TooSlow(spent / count * len(members))
        return found

    def one(self, group: str, member: str) -> bool:
        return member.encode() in self._client.get_members(group.encode()).get()

    def beat(self, instance: str) -> None:  # noqa: ARG002 - a coordinator beats for itself
        self._client.heartbeat()

    def load(self, group: str) -> None:
        """Begin to watch; unlike ours it knows ids only then."""
        client, group_id = self._client, group.encode()
        client.watch_join_group(group_id, _ignored)
        client.run_watchers()
        client.unwatch_join_group(group_id, _ignored)

    def join(self, name: str) -> None:  # noqa: ARG002 - a coordinator has one name
        self._client.join_group(GROUP.encode(), ATTRIBUTES).get()

    def leave(self) -> None:
        with contextlib.suppress(coordination.MemberNotJoined):
            self._client.leave_group(GROUP.encode()).get()

    def join_all(self, group: str, size: int) -> None:
        if size > MOST_COORDINATORS:
            raise TooSlow
        self._client.create_group(group.encode()).get()
        for number in range(size):
            client = self._coordinator(member_id(number))
            self._joined.append(client)
            client.join_group(group.encode(), ATTRIBUTES).get()

    def join_many(self, count: int) -> Callable[[str], None]:
        # Who was only stopped is in the group until somebody lists it: never the same name twice.
        names = [f"stormy-{os.getpid()}-{next(self._numbers)}" for _ in range(count)]
        clients = [self._coordinator(name) for name in names]
        self._joined += clients
        free = iter(clients)

        def join(name: str) -> None:  # noqa: ARG001 - a coordinator has one name
            next(free).join_group(GROUP.encode(), ATTRIBUTES).get()

        return join

    def leave_all(self) -> None:
        clients, self._joined = self._joined, []
        for client in clients:
            client._joined_groups.clear()  # to be stopped is enough, and leaving takes as long
        if clients:  # one alone may take a second
            with futures.ThreadPoolExecutor(len(clients)) as pool:
                list(pool.map(lambda client: client.stop(), clients))

    def events(self, interval: float) -> Generator[float]:
        """Look for news once an interval; 0 is sooner than any that could be chosen."""
        watcher, group_id = self._client, GROUP.encode()
        heard: list[float] = []
        begin = time.perf_counter()

        def joined(_: Any) -> None:
            heard.append(time.perf_counter())

        actor = self._coordinator("actor")
        watcher.watch_join_group(group_id, joined)
        watcher.run_watchers()
        try:
            while True:
                heard.clear()
                start = time.perf_counter()
                actor.join_group(group_id, ATTRIBUTES).get()
                while not heard:
                    if time.perf_counter() - start > LONGEST:
                        return
                    if interval:
                        time.sleep(interval - time.monotonic() % interval)
                    watcher.run_watchers()
                yield heard[0] - start
                if time.perf_counter() - begin > ENOUGH:
                    break
                actor.leave_group(group_id).get()
                watcher.run_watchers()
        finally:
            watcher.unwatch_join_group(group_id, joined)
            actor.stop()

    @property
    def _client(self) -> Any:
        if self._onlooker is None:
            self._onlooker = self._coordinator("onlooker")
            self._started.callback(self._onlooker.stop)
        return self._onlooker

    def _coordinator(self, name: str) -> Any:
        client = coordination.get_coordinator(self._url, name.encode())
        client.start()
        return client


def _ignored(_: Any) -> None:
    pass


def packed(value: object) -> bytes:
    """Return a value as tooz stores it."""
    data: bytes = utils.dumps(value)
    return data
