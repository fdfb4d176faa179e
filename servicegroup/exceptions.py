"""Every error of the library: one root, each also a built-in where one fits."""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ConfigurationError",
    "DatabaseNotReady",
    "DriverNotFound",
    "DriverUnavailable",
    "EmptyRing",
    "EntryExists",
    "InvalidInventory",
    "InvalidMember",
    "InvalidPlacement",
    "LivenessUnknown",
    "MemberExists",
    "NoSuchConductor",
    "NoSuchHypervisor",
    "NoSuchNode",
    "NoSuchService",
    "NotSupported",
    "ServiceGroupError",
]


class ServiceGroupError(Exception):
    """Root of all errors raised on purpose by this library."""

    #: Whether the same call may succeed later without anybody changing anything.
    retryable: ClassVar[bool] = False


class ConfigurationError(ServiceGroupError, ValueError):
    """A setting cannot work; the message names the option, its value and what would."""


class DriverNotFound(ConfigurationError):
    """No driver of that name can be loaded; the message lists those that can."""


class DatabaseNotReady(ConfigurationError):
    """The database answers but does not hold our tables, or an older version of them."""


class InvalidMember(ServiceGroupError, ValueError):
    """What cannot be kept of a member: an id, a name, an attribute, an operator's word on it.

    The message says which and why.
    """


class MemberExists(ServiceGroupError):
    """Another live process holds this member id, and ``takeover=False`` was asked for."""


class NoSuchService(ServiceGroupError, LookupError):
    """No service record under this group and member id."""


class InvalidInventory(ServiceGroupError, ValueError):
    """A node or hypervisor that cannot be kept; the message names it, the field and what would."""


class EntryExists(InvalidInventory):
    """Another node or hypervisor has this uuid or name."""


class InvalidPlacement(ServiceGroupError, ValueError):
    """A host, weight or exponent that no ring can have; the message says what would."""


class EmptyRing(ServiceGroupError, LookupError):
    """Nobody is there to serve a key."""


class NoSuchConductor(ServiceGroupError, LookupError):
    """No conductor of that host name."""


class NoSuchNode(ServiceGroupError, LookupError):
    """No node of that uuid or name in the inventory."""


class NoSuchHypervisor(ServiceGroupError, LookupError):
    """No hypervisor of that id, uuid or host name in the inventory."""


class NotSupported(ServiceGroupError, NotImplementedError):
    """The configured driver does not promise this ability."""


class DriverUnavailable(ServiceGroupError, ConnectionError):
    """The store did not answer; the client library's error is chained as the cause.

    It says nothing about any member: nobody is called dead because our own store is unreachable.
    """

    retryable = True


class LivenessUnknown(ServiceGroupError, RuntimeError):
    """The store answered, but what it holds neither proves life nor death; retry later."""

    retryable = True
