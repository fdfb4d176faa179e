"""From an error of the library, or of the request, to an answer: the only place that does it."""

from __future__ import annotations

import logging
from typing import Any

import falcon
import msgspec

from servicegroup import exceptions
from servicegroup.rest.families import family_of

LOG = logging.getLogger(__name__)

#: Seconds that a client is asked to wait while a store does not answer.
RETRY_AFTER = 5

#: The first that fits counts.
_STATUSES: tuple[tuple[type[Exception], type[falcon.HTTPError]], ...] = (
    (exceptions.DriverUnavailable, falcon.HTTPServiceUnavailable),
    (exceptions.LivenessUnknown, falcon.HTTPServiceUnavailable),
    (exceptions.ConfigurationError, falcon.HTTPServiceUnavailable),
    (exceptions.NoSuchService, falcon.HTTPNotFound),
    (exceptions.NoSuchConductor, falcon.HTTPNotFound),
    (exceptions.NoSuchNode, falcon.HTTPNotFound),
    (exceptions.NoSuchHypervisor, falcon.HTTPNotFound),
    (exceptions.InvalidMember, falcon.HTTPBadRequest),
    (exceptions.EntryExists, falcon.HTTPConflict),
    (exceptions.InvalidInventory, falcon.HTTPBadRequest),
    (exceptions.ServiceGroupError, falcon.HTTPConflict),
)


def bad_request(message: str) -> falcon.HTTPError:
    """Return the error for a request that cannot mean anything."""
    return falcon.HTTPBadRequest(title="Bad Request", description=message)


def not_found(message: str) -> falcon.HTTPError:
    """Return the error for what is not there."""
    return falcon.HTTPNotFound(title="Not Found", description=message)


def not_acceptable(message: str) -> falcon.HTTPError:
    """Return the error for a microversion that cannot be had."""
    return falcon.HTTPError(falcon.HTTP_406, title="Not Acceptable", description=message)


def serialize(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
    """Write *error* as the family of the path writes it."""
    message = error.description or f"{req.method} {req.path}: {error.title}"
    status = error.status_code
    body = family_of(req.path).error(status, error.title or str(status), message)
    resp.content_type = falcon.MEDIA_JSON
    resp.data = msgspec.json.encode(body)


def foreseen(
    req: falcon.Request,
    resp: falcon.Response,
    error: exceptions.ServiceGroupError,
    params: dict[str, Any],
) -> None:
    """Turn an error of the library into an answer; its text was written to be shown."""
    kind = next(http for ours, http in _STATUSES if isinstance(error, ours))
    options: dict[str, Any] = {"description": str(error)}
    if kind is falcon.HTTPServiceUnavailable:
        options["retry_after"] = RETRY_AFTER
        LOG.info("%s %s: %s", req.method, req.path, error)
    raise kind(**options) from error


def unforeseen(
    req: falcon.Request,
    resp: falcon.Response,
    error: Exception,
    params: dict[str, Any],
) -> None:
    """Answer 500 without a word of what went wrong, which is in the log under the request id."""
    request_id = getattr(req.context, "request_id", "-")
    LOG.error("%s %s failed (%s)", req.method, req.path, request_id, exc_info=error)
    raise falcon.HTTPInternalServerError(
        description=f"an error that was not foreseen; the log of the server has it as {request_id}"
    ) from error
