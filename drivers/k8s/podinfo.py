"""Pods as they come over the wire, and what they say about themselves."""

from __future__ import annotations

from datetime import datetime

import msgspec

from .leases import ListMetadata

#: Labels that say what runs in a pod, the recommended one first.
_NAMED_BY = ("app.kubernetes.io/name", "app")
_OVER = ("Succeeded", "Failed")


class Metadata(msgspec.Struct, frozen=True):
    """What every object has."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    version: str = msgspec.field(name="resourceVersion", default="")
    labels: dict[str, str] = {}
    created: datetime | None = msgspec.field(name="creationTimestamp", default=None)
    deleted: datetime | None = msgspec.field(name="deletionTimestamp", default=None)
    grace: int | None = msgspec.field(name="deletionGracePeriodSeconds", default=None)


class Spec(msgspec.Struct, frozen=True):
    """Where it runs."""

    node: str | None = msgspec.field(name="nodeName", default=None)


class Condition(msgspec.Struct, frozen=True):
    """One thing that holds or does not."""

    type: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None
    changed: datetime | None = msgspec.field(name="lastTransitionTime", default=None)


class Waiting(msgspec.Struct, frozen=True):
    """Why a container does not run."""

    reason: str | None = None


class ContainerState(msgspec.Struct, frozen=True):
    """How a container is."""

    waiting: Waiting | None = None


class Container(msgspec.Struct, frozen=True):
    """One container."""

    restarts: int = msgspec.field(name="restartCount", default=0)
    state: ContainerState = ContainerState()


class Status(msgspec.Struct, frozen=True):
    """How a pod is."""

    phase: str = ""
    reason: str | None = None
    message: str | None = None
    ip: str = msgspec.field(name="podIP", default="")
    started: datetime | None = msgspec.field(name="startTime", default=None)
    conditions: list[Condition] | None = None
    containers: list[Container] | None = msgspec.field(name="containerStatuses", default=None)


class Pod(msgspec.Struct, frozen=True):
    """One pod."""

    metadata: Metadata = Metadata()
    spec: Spec = Spec()
    status: Status = Status()


class PodList(msgspec.Struct, frozen=True):
    """One page of a list."""

    metadata: ListMetadata = ListMetadata()
    items: list[Pod] = []


decode_list = msgspec.json.Decoder(PodList).decode
decode_pod = msgspec.json.Decoder(Pod).decode


def is_over(pod: Pod) -> bool:
    """Whether it ran to its end, or failed for good: evicted, for example."""
    return pod.status.phase in _OVER


def name_of(pod: Pod) -> str:
    """Return what runs in it."""
    labels = pod.metadata.labels
    return next((labels[one] for one in _NAMED_BY if labels.get(one)), pod.metadata.name)


def restarts(pod: Pod) -> int:
    """Return how often its containers were started again."""
    return sum(one.restarts for one in pod.status.containers or ())


def why_down(pod: Pod) -> tuple[str | None, datetime | None]:
    """Return why it is down, or ``None`` if it is up; and since when, if that is said."""
    status, conditions = pod.status, {one.type: one for one in pod.status.conditions or ()}
    ready = conditions.get("Ready", Condition())
    if pod.metadata.deleted is not None:
        return "terminating: the pod is being deleted", None
    if is_over(pod):
        return _words(status.phase.lower(), status.reason, status.message), ready.changed
    if status.phase != "Running":
        scheduled = conditions.get("PodScheduled", Condition())
        waiting = [one.state.waiting for one in status.containers or () if one.state.waiting]
        reason = next((one.reason for one in waiting if one.reason), None)
        if scheduled.status == "False":
            return _words("pending", scheduled.reason, scheduled.message), scheduled.changed
        return _words(status.phase.lower() or "pending", reason or status.reason), None
    if ready.status == "True":
        return None, ready.changed
    if not ready.status:
        return "not ready: it has no Ready condition", None
    return _words("not ready", ready.reason, ready.message), ready.changed


def _words(*said: str | None) -> str:
    return ": ".join(one for one in said if one)
