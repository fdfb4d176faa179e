"""Watches: changes as they come, to each client those that its selector lets through."""

import asyncio
import json
from typing import Any

from aiohttp import web

from kubeapi.kinds import Kind
from kubeapi.selectors import Selector
from kubeapi.status import StatusError
from kubeapi.store import Change, Item, Store


class Watch:
    """One client's watch, fed by the store."""

    def __init__(
        self, kind: Kind, namespace: str, selected: Selector, flows: asyncio.Event
    ) -> None:
        self._flows = flows
        self._kind = kind
        self._namespace = namespace
        self._selected = selected
        self._lines: list[bytes] = []
        self._news = asyncio.Event()
        self.ended = False

    def begin(self, store: Store, version: int | None) -> None:
        """Tell what is there now, or what changed since *version*."""
        if version is None:
            for item in store.all(self._kind):
                if self._fits(item):
                    self._say("ADDED", item.data)
            return
        if version > store.version:
            raise StatusError(
                504, "Timeout", f"Too large resource version: {version}, current: {store.version}"
            )
        for change in store.since(version):
            self.take(change)

    def take(self, change: Change) -> None:
        """Tell one change, as it looks through the selector."""
        if change.kind is not self._kind:
            return
        was = change.before is not None and self._fits(change.before)
        item = change.after
        if item is not None and self._fits(item):
            self._say("MODIFIED" if was else "ADDED", item.data)
        elif was:
            assert change.before is not None
            # What no longer fits is sent as it is now, what is gone as it was.
            self._say("DELETED", (item or change.before).data)

    def say(self, kind: str, obj: dict[str, Any]) -> None:
        """Tell something that is no change."""
        self._say(kind, json.dumps(obj).encode())

    def end(self) -> None:
        """End the stream after what was told."""
        self.ended = True
        self._news.set()

    async def stream(self, response: web.StreamResponse) -> None:
        """Send what is told until the end."""
        while True:
            await self._news.wait()
            await self._flows.wait()
            self._news.clear()
            lines, self._lines = self._lines, []
            if lines:
                await response.write(b"".join(lines))
            if self.ended and not self._lines:
                return

    def _say(self, kind: str, data: bytes) -> None:
        self._lines.append(b'{"type":"%b","object":%b}\n' % (kind.encode(), data))
        self._news.set()

    def _fits(self, item: Item) -> bool:
        return self._namespace in ("", item.key[0]) and self._selected(item.obj)


class Watches:
    """All that are open."""

    def __init__(self, store: Store, bookmark_interval: float) -> None:
        self._store = store
        self.bookmark_interval = bookmark_interval
        #: While it is not set, watches stay open and say nothing, as behind a dead router.
        self.flows = asyncio.Event()
        self.flows.set()
        self._open: set[Watch] = set()
        store.listeners.append(self._tell)

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    def drop(self) -> None:
        """End all of them, as an API server does that goes away in good order."""
        for watch in self._open:
            watch.end()

    async def serve(
        self,
        request: web.Request,
        watch: Watch,
        kind: Kind,
        version: int | None,
        *,
        bookmarks: bool,
        seconds: float,
    ) -> web.StreamResponse:
        """Answer a watch request until its end."""
        refusal = None
        try:
            watch.begin(self._store, version)
        except StatusError as error:
            if error.code != 410:
                raise
            refusal = error
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        if refusal is not None:
            watch.say("ERROR", refusal.body)
            watch.end()
        loop = asyncio.get_running_loop()
        timers = [loop.call_later(seconds, watch.end)]
        if bookmarks and refusal is None:
            self._bookmark_later(watch, kind, timers)
        self._open.add(watch)
        try:
            await watch.stream(response)
            await response.write_eof()
        finally:
            self._open.discard(watch)
            for timer in timers:
                timer.cancel()
        return response

    def _bookmark_later(self, watch: Watch, kind: Kind, timers: list[asyncio.TimerHandle]) -> None:
        def bookmark() -> None:
            metadata = {"resourceVersion": str(self._store.version), "creationTimestamp": None}
            shown = {"kind": kind.name, "apiVersion": kind.api_version, "metadata": metadata}
            watch.say("BOOKMARK", shown)
            timers[1:] = [loop.call_later(self.bookmark_interval, bookmark)]

        loop = asyncio.get_running_loop()
        timers.append(loop.call_later(self.bookmark_interval, bookmark))

    def _tell(self, change: Change) -> None:
        for watch in self._open:
            watch.take(change)
