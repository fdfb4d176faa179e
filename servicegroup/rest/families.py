"""The three families of paths, and how each one's clients want to be told of an error."""

from __future__ import annotations

import enum
import json
import re
from typing import Any

#: Nova's names of faults; all others are ``computeFault``.
_NOVA_FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    503: "serviceUnavailable",
}


class Family(enum.Enum):
    """Whose clients ask."""

    VITRAGE = "vitrage"
    IRONIC = "baremetal"
    NOVA = "compute"
    OWN = "servicegroup"

    def error(self, status: int, title: str, message: str) -> Any:
        """Return the body of an error, as this family's clients show its message."""
        if self is Family.NOVA:
            return {_NOVA_FAULTS.get(status, "computeFault"): {"code": status, "message": message}}
        if self is Family.IRONIC:
            fault = {
                "faultcode": "Client" if status < 500 else "Server",
                "faultstring": message,
                "debuginfo": None,
            }
            return {"error_message": json.dumps(fault)}
        return {"code": status, "title": title, "description": message}


_PATHS = (
    (re.compile(r"/v2(\.1)?(/|$)"), Family.NOVA),
    (re.compile(r"/v1/services?(/|$)"), Family.VITRAGE),
    (re.compile(r"/(v1|conductors|nodes)(/|$)"), Family.IRONIC),
)


def family_of(path: str) -> Family:
    """Return the family that a path belongs to, whether or not there is anything at it."""
    for pattern, family in _PATHS:
        if pattern.match(path):
            return family
    return Family.OWN
