"""What is the same for each request: its id, its family, and what clients may send at all."""

from __future__ import annotations

import re
import uuid

import falcon

from servicegroup.rest.errors import bad_request
from servicegroup.rest.families import family_of

_REQUEST_ID = re.compile(r"req-[0-9a-f-]{36}")


class Requests:
    """The first thing that a request meets."""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Give it an id and a family; HEAD is GET, but for the body.

        A global id that another service gave goes on, as oslo.middleware has it.
        """
        if req.path.startswith("//"):  # an address that ends in a slash, and a path put behind it
            req.path = "/" + req.path.lstrip("/")
        req.context.head = req.method == "HEAD"
        if req.context.head:  # so that the same rule of the policy decides
            req.method = "GET"
        req.context.family = family_of(req.path)
        req.context.request_id = request_id = f"req-{uuid.uuid4()}"
        resp.set_header("x-openstack-request-id", request_id)
        given = req.get_header("X-Openstack-Request-Id")
        if given is not None and _REQUEST_ID.fullmatch(given):
            req.context.global_request_id = given

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: object, params: dict[str, str]
    ) -> None:
        """Refuse what no store could keep."""
        if "\0" in req.path or any("\ud800" <= char <= "\udfff" for char in req.path):
            raise bad_request("the path holds what no name can")

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        """Let the body of an answer to HEAD be left out."""
        if getattr(req.context, "head", False):
            req.method = "HEAD"
