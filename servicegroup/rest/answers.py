"""What all resources share: reading a request, writing JSON, times as the families write them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import falcon
import msgspec

from servicegroup.rest.errors import bad_request

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()

_TRUE = {"1", "t", "true", "on", "y", "yes"}
_FALSE = {"0", "f", "false", "off", "n", "no"}


def reply(resp: falcon.Response, body: Any, status: str = falcon.HTTP_200) -> None:
    """Answer with *body* as JSON."""
    resp.status = status
    resp.content_type = falcon.MEDIA_JSON
    resp.data = _encoder.encode(body)


def read_json(req: falcon.Request, limit: int) -> dict[str, Any]:
    """Return the body of a request.

    It must say that it is JSON: else any page in a browser on this machine could send us one.

    :raises falcon.HTTPError: larger than *limit* bytes, not JSON, or no object
    """
    declared = req.content_length
    if declared is not None and declared > limit:
        raise _too_large(limit)
    chunked = "chunked" in req.env.get("HTTP_TRANSFER_ENCODING", "").lower()
    raw = (req.stream if chunked else req.bounded_stream).read(limit + 1)
    if len(raw) > limit:
        raise _too_large(limit)
    kind = (req.content_type or "").partition(";")[0].strip().lower()
    if kind != falcon.MEDIA_JSON:
        raise falcon.HTTPUnsupportedMediaType(
            title="Unsupported Media Type",
            description=f"Content-Type {kind[:80] or 'is missing'}: send application/json",
        )
    try:
        body = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request("Malformed request body") from error
    if not isinstance(body, dict):
        raise bad_request("Malformed request body: it must be a JSON object")
    return body


def one_of(req: falcon.Request, name: str) -> str | None:
    """Return a parameter of the query; of several the last one. ``None``: there is none.

    :raises falcon.HTTPError: it holds what no name can
    """
    value = req.params.get(name)
    text: str | None = value[-1] if isinstance(value, list) else value
    if text is not None and ("\0" in text or any("\ud800" <= char <= "\udfff" for char in text)):
        raise bad_request(f"Invalid value of parameter {name}: it holds what no name can")
    return text


def boolean(req: falcon.Request, name: str, default: bool = False) -> bool:
    """Return a parameter that is true or false.

    :raises falcon.HTTPError: it is neither
    """
    text = one_of(req, name)
    if text is None:
        return default
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise bad_request(f"Invalid value of parameter {name}: '{text}' is neither true nor false")


def limit_of(req: falcon.Request, most: int) -> int:
    """Return how many rows are asked for, *most* where nothing is said or more is.

    :raises falcon.HTTPError: no positive whole number
    """
    text = one_of(req, "limit")
    if text is None:
        return most
    digits = text.strip()
    number = digits[1:] if digits.startswith("-") else digits
    if not (number.isascii() and number.isdigit()):
        raise bad_request(f"Expected an integer for limit: {text}")
    if digits.startswith("-") or not number.strip("0"):
        raise bad_request("Limit must be positive")
    return most if len(number) > 9 else min(int(number), most)


def only(req: falcon.Request, names: Collection[str], what: str = "Unexpected arguments") -> None:
    """Refuse parameters of the query other than *names*.

    :raises falcon.HTTPError: there are others
    """
    others = sorted(req.params.keys() - set(names))
    if others:
        raise bad_request(f"{what}: {', '.join(others)}")


def ago(seconds: float | None) -> datetime | None:
    """Return the wall time that was *seconds* ago; only to be shown."""
    if seconds is None:
        return None
    return datetime.now(UTC) - timedelta(seconds=seconds)


def _too_large(limit: int) -> falcon.HTTPError:
    return falcon.HTTPContentTooLarge(
        title="Request Entity Too Large", description=f"the body is larger than {limit} bytes"
    )
