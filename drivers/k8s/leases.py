"""Leases as they come over the wire: only the fields that we read, decoded in one go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

KIND = "servicegroup/kind"
GROUP = "servicegroup/group"
MEMBER = "servicegroup/member"
INSTANCE = "servicegroup/instance"
STATE = "servicegroup/state"
ATTRIBUTES = "servicegroup/attributes"
ENDED = "servicegroup/ended"
ENDED_AT = "servicegroup/ended-at"
UP_SINCE = "servicegroup/up-since"
ABSENT = "servicegroup/absent"

Object = dict[str, Any]


class Labels(msgspec.Struct, frozen=True):
    """What leases are selected by; ids are hashed in them."""

    kind: str = msgspec.field(name=KIND, default="")
    group: str = msgspec.field(name=GROUP, default="")
    instance: str = msgspec.field(name=INSTANCE, default="")


class Notes(msgspec.Struct, frozen=True):
    """The annotations: of members the first five, of signs of life the rest."""

    group: str = msgspec.field(name=GROUP, default="")
    member: str = msgspec.field(name=MEMBER, default="")
    state: str = msgspec.field(name=STATE, default="")
    attributes: str = msgspec.field(name=ATTRIBUTES, default="{}")
    instance: str = msgspec.field(name=INSTANCE, default="")
    ended: str | None = msgspec.field(name=ENDED, default=None)
    ended_at: str = msgspec.field(name=ENDED_AT, default="")
    up_since: str = msgspec.field(name=UP_SINCE, default="")
    absent: str | None = msgspec.field(name=ABSENT, default=None)


class Metadata(msgspec.Struct, frozen=True):
    """What every object has."""

    name: str = ""
    version: str = msgspec.field(name="resourceVersion", default="")
    labels: Labels = Labels()
    notes: Notes = msgspec.field(name="annotations", default=Notes())


class Spec(msgspec.Struct, frozen=True):
    """What a Lease says."""

    holder: str | None = msgspec.field(name="holderIdentity", default=None)
    acquired: datetime | None = msgspec.field(name="acquireTime", default=None)
    renewed: datetime | None = msgspec.field(name="renewTime", default=None)
    transitions: int | None = msgspec.field(name="leaseTransitions", default=None)


class Lease(msgspec.Struct, frozen=True):
    """One Lease."""

    metadata: Metadata = Metadata()
    spec: Spec = Spec()


class ListMetadata(msgspec.Struct, frozen=True):
    """What a list says of itself."""

    version: str = msgspec.field(name="resourceVersion", default="")
    rest: str = msgspec.field(name="continue", default="")


class LeaseList(msgspec.Struct, frozen=True):
    """One page of a list."""

    metadata: ListMetadata = ListMetadata()
    items: list[Lease] = []


class Event(msgspec.Struct, frozen=True):
    """One line of a watch; the object is decoded by what kind of event it is."""

    type: str
    object: msgspec.Raw


decode_list = msgspec.json.Decoder(LeaseList).decode
decode_lease = msgspec.json.Decoder(Lease).decode
decode_event = msgspec.json.Decoder(Event).decode


def seconds(time: datetime | None) -> float | None:
    """Return a time as seconds since 1970."""
    return None if time is None else time.timestamp()


def micro_time(at: float) -> str:
    """Return seconds since 1970 as a MicroTime: six digits, also where they are all 0."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def encode(obj: Object) -> bytes:
    """Return an object as it is sent."""
    return msgspec.json.encode(obj)


class Status(msgspec.Struct, frozen=True):
    """Why a watch ends."""

    code: int = 0
    message: str = ""


decode_status = msgspec.json.Decoder(Status).decode
