"""Faults on demand: answers that are wrong, late or never come; and what was asked."""

import asyncio
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from kubeapi.answers import answer

REMEMBERED = 100_000


@dataclass
class Fault:
    """What happens to requests that fit, for so many *times* (-1: always).

    ``kind``: ``status`` answers *code*, *body* and *headers*; ``reset`` closes the connection;
    ``black_hole`` never answers; ``delay`` waits *seconds* and goes on; ``lost`` does what is asked
    and closes the connection in place of saying so. *path* is a regular expression.
    """

    kind: str
    verb: str = ".*"
    path: str = ".*"
    times: int = -1
    code: int = 503
    seconds: float = 0.0
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def fits(self, verb: str, path: str) -> bool:
        fits = re.fullmatch(self.verb, verb) and re.fullmatch(self.path, path)
        return self.times != 0 and bool(fits)


class Faults:
    """Those that are set, and every request that came: verb and path with its query."""

    def __init__(self) -> None:
        self.set: list[Fault] = []
        self.requests: deque[tuple[str, str]] = deque(maxlen=REMEMBERED)

    def clear(self) -> None:
        """Go back to normal; what hangs goes on hanging."""
        self.set.clear()

    def next(self, verb: str, path: str) -> Fault | None:
        """Return the fault for a request, if there is one."""
        for fault in self.set:
            if fault.fits(verb, path):
                fault.times -= fault.times > 0
                return fault
        return None

    async def before(self, fault: Fault, request: web.Request) -> web.StreamResponse | None:
        """Do what a fault does before the request is served; an answer ends it."""
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        elif fault.kind == "black_hole":
            await asyncio.Event().wait()
        elif fault.kind == "reset":
            abort(request)
        elif fault.kind == "status":
            body = fault.body or {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Failure",
                "message": "a fault on demand",
                "reason": "TooManyRequests" if fault.code == 429 else "InternalError",
                "code": fault.code,
            }
            return answer(body, fault.code, fault.headers)
        return None


def abort(request: web.Request) -> None:
    """Close a connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("the connection is closed on demand")
