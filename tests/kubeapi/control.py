"""What only a test may do to the server: a second port, which is no part of the API."""

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from kubeapi.access import User
from kubeapi.app import Api
from kubeapi.faults import Fault


class Control:
    """``POST /<word>`` with the arguments as a JSON object; answers with JSON."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._words: dict[str, Callable[..., Any]] = {
            "fault": self._fault,
            "normal": api.faults.clear,
            "requests": self._requests,
            "compact": api.store.compact,
            "lose": api.store.lose,
            "drop_watches": api.watches.drop,
            "freeze_watches": self._freeze_watches,
            "watches": lambda: api.watches.count,
            "collect": api.collector.round,
            "grant": self._grant,
            "revoke": api.access.revoke,
            "step_clock": self._step_clock,
            "bookmarks": self._bookmarks,
        }

    def application(self) -> web.Application:
        """Return what serves the words."""
        app = web.Application(client_max_size=2**20)
        app.router.add_post("/{word}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        word = self._words[request.match_info["word"]]
        data = await request.read()
        return web.json_response(word(**(json.loads(data) if data else {})))

    def _fault(self, **fault: Any) -> None:
        self._api.faults.set.append(Fault(**fault))

    def _requests(self) -> list[tuple[str, str]]:
        requests = list(self._api.faults.requests)
        self._api.faults.requests.clear()
        return requests

    def _freeze_watches(self, frozen: bool) -> None:
        if frozen:
            self._api.watches.flows.clear()
        else:
            self._api.watches.flows.set()

    def _grant(self, token: str, name: str, groups: list[str], seconds: float = 1e9) -> None:
        self._api.access.grant(token, User(name, tuple(groups)), seconds)

    def _step_clock(self, seconds: float) -> None:
        self._api.clock.ahead += seconds

    def _bookmarks(self, interval: float) -> None:
        self._api.watches.bookmark_interval = interval
