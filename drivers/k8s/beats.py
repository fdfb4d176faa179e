"""Our own sign of life: one Lease, replaced at every beat by what the last answer told of it."""

from __future__ import annotations

import logging
import math
import threading
from typing import NamedTuple

from servicegroup.config import Settings

from . import layout, leases
from .client import LEASES, Client, Conflict, Missing
from .leases import Lease, Object
from .settings import Owner

LOG = logging.getLogger(__name__)
#: How often somebody else may get in between before we give up until the next beat.
TRIES = 8
#: A Lease that is gone so often is taken away by a collector that does not know its owner.
REMOVALS = 2


class Token(NamedTuple):
    """While it is the same, nobody else changed anything of this instance."""

    uid: str
    generation: int


class OwnBeat:
    """The sign of life of this process. Usable from any thread; one beat at a time."""

    def __init__(
        self, client: Client, instance_id: str, settings: Settings, owner: Owner | None
    ) -> None:
        self._client = client
        self._instance_id = instance_id
        self._settings = settings
        self._owner = owner
        self._lock = threading.Lock()
        self._object: Object | None = None
        self._renewed_at = float("-inf")
        self._removals = 0
        self._steps = 0

    def renew(self) -> Token:
        """Beat: one request, unless somebody else changed the Lease since the last one."""
        client = self._client
        place = client.objects(LEASES, "leases")
        path = f"{place}/{layout.beat_name(self._instance_id)}"
        with self._lock:
            for _ in range(TRIES):
                before, sent = self._object, client.clock.now()
                try:
                    if before is None:
                        answer = client.create(place, self._first())
                    else:
                        answer = client.replace(path, self._next(before, sent))
                except (Conflict, Missing):
                    self._object = self._found(path)
                    self._note_removal(before, self._object)
                    continue
                self._object, self._renewed_at = answer.json(), sent
                return self._token()
        raise Conflict(f"{path} is changed by somebody else all the time")

    def withdraw(self) -> None:
        """Remove it: no member needs it any more. Whatever changed it meanwhile keeps it."""
        with self._lock:
            before, self._object, self._renewed_at = self._object, None, float("-inf")
            if before is None:
                return
            path = f"{self._client.objects(LEASES, 'leases')}/{before['metadata']['name']}"
            metadata = before["metadata"]
            only = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
            try:
                self._client.delete(path, {"preconditions": only})
            except (Conflict, Missing):
                return

    def _found(self, path: str) -> Object | None:
        try:
            return self._client.get(path).json()
        except Missing:
            return None

    def _note_removal(self, before: Object | None, now: Object | None) -> None:
        """Give the owner up that the cluster does not know: it removes what we make, for ever."""
        if before is None or (now is not None and _uid(now) == _uid(before)):
            return
        self._removals += 1
        if self._owner is not None and self._removals >= REMOVALS:
            LOG.error(
                "the sign of life of this process was removed %d times although it lives: the "
                "cluster knows no pod %r with uid %s; it is kept without an owner from now on, "
                "correct pod_name and pod_uid",
                self._removals,
                self._owner.name,
                self._owner.uid,
            )
            self._owner = None

    def _token(self) -> Token:
        assert self._object is not None
        generation = self._object["spec"].get("leaseTransitions", 0)
        return Token(_uid(self._object), generation)

    def _first(self) -> Object:
        now = self._client.clock.stamp()
        return beat(
            self._instance_id, self._settings, self._owner, now=now, steady=now, up_since=now
        )

    def _next(self, before: Object, sent: float) -> Object:
        now = self._client.clock.stamp()
        found = leases.decode_lease(leases.encode(before))
        gap, alive = self._gap(found, now, sent), is_alive(found)
        steady = leases.seconds(found.spec.acquired)
        # A clock that was set makes who beat before look silent: for a while nobody is a witness.
        stepped, self._steps = self._steps != self._client.clock.steps, self._client.clock.steps
        if steady is None or not alive or stepped or gap > self._settings.steady_gap:
            steady = now
        up_since = up_since_of(found)
        if up_since is None or not alive or gap > self._settings.service_down_time:
            up_since = now
        made = beat(
            self._instance_id,
            self._settings,
            self._owner,
            now=now,
            steady=steady,
            up_since=up_since,
            before=before,
        )
        for note in (leases.ENDED, leases.ENDED_AT, leases.ABSENT):
            made["metadata"]["annotations"].pop(note, None)
        made["spec"]["leaseTransitions"] = found.spec.transitions or 0
        return made

    def _gap(self, found: Lease, now: float, sent: float) -> float:
        """Return the seconds since the last beat: by our own clock, if it was ours."""
        if self._renewed_at > float("-inf"):
            return sent - self._renewed_at
        renewed = leases.seconds(found.spec.renewed)
        return float("inf") if renewed is None else max(0.0, now - renewed)


def beat(
    instance_id: str,
    settings: Settings,
    owner: Owner | None,
    *,
    now: float,
    steady: float,
    up_since: float,
    before: Object | None = None,
) -> Object:
    """Return a sign of life; its owner, who removes it with the pod, is the one that is given."""
    label = layout.instance_label(instance_id)
    made = layout.lease(
        layout.beat_name(instance_id),
        {leases.KIND: layout.BEAT, leases.INSTANCE: label},
        {leases.INSTANCE: instance_id, leases.UP_SINCE: repr(up_since)},
        {
            "holderIdentity": instance_id,
            "leaseDurationSeconds": max(1, math.ceil(settings.service_down_time)),
            "acquireTime": leases.micro_time(steady),
            "renewTime": leases.micro_time(now),
            "leaseTransitions": 0,
        },
        before,
    )
    made["metadata"].pop("ownerReferences", None)
    if owner is not None:
        made["metadata"]["ownerReferences"] = [owner.reference()]
    return made


def is_alive(found: Lease) -> bool:
    """Whether nothing says that this life is over."""
    return found.metadata.notes.ended is None and found.metadata.notes.absent is None


def up_since_of(found: Lease) -> float | None:
    """Return since when this life is up, by the server's clock."""
    return number(found.metadata.notes.up_since)


def number(text: str) -> float | None:
    """Return a number that somebody may have edited."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _uid(found: Object) -> str:
    uid: str = found["metadata"]["uid"]
    return uid
