"""Know which daemons of a fleet are alive, and why one is not.

The names below are the public interface; drivers are written against :mod:`servicegroup.driver`
and tested with :mod:`servicegroup.testing`.
"""

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
