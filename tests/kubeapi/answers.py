"""Answers in JSON, labelled as the real server does: clients compare the type letter by letter."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return *body* as JSON."""
    data = json.dumps(body, separators=(",", ":")).encode()
    return web.Response(body=data, status=status, headers=headers, content_type="application/json")
