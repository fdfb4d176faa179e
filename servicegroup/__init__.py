"""Know which daemons of a fleet are alive, and why one is not.

The names below are the public interface; drivers are written against :mod:`servicegroup.driver`
and tested with :mod:`servicegroup.testing`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from servicegroup.api import ServiceGroup
    from servicegroup.exceptions import (
        ConfigurationError,
        DriverUnavailable,
        InvalidMember,
        LivenessUnknown,
        MemberExists,
        NoSuchService,
        NotSupported,
        ServiceGroupError,
    )
    from servicegroup.membership import Membership
    from servicegroup.model import EventType, Member, State
    from servicegroup.status import Event, Liveness, MemberStatus
    from servicegroup.unsure import RAISE
    from servicegroup.watch import Watch

__all__ = [
    "RAISE",
    "ConfigurationError",
    "DriverUnavailable",
    "Event",
    "EventType",
    "InvalidMember",
    "Liveness",
    "LivenessUnknown",
    "Member",
    "MemberExists",
    "MemberStatus",
    "Membership",
    "NoSuchService",
    "NotSupported",
    "ServiceGroup",
    "ServiceGroupError",
    "State",
    "Watch",
]

#: Where each name is. They are loaded when first asked for: the guardian, which runs beside every
#: daemon, is a part of this package and needs none of them.
_PLACES = {
    "api": ("ServiceGroup",),
    "exceptions": (
        "ConfigurationError",
        "DriverUnavailable",
        "InvalidMember",
        "LivenessUnknown",
        "MemberExists",
        "NoSuchService",
        "NotSupported",
        "ServiceGroupError",
    ),
    "membership": ("Membership",),
    "model": ("EventType", "Member", "State"),
    "status": ("Event", "Liveness", "MemberStatus"),
    "unsure": ("RAISE",),
    "watch": ("Watch",),
}


def __getattr__(name: str) -> Any:
    for module, names in _PLACES.items():
        if name in names:
            value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
