"""What others do to an instance's sign of life: note its end, raise its generation, remove it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import layout, leases
from .client import LEASES, Client, Conflict, Missing
from .leases import Lease, Object

#: How often somebody else may get in between.
TRIES = 8


class Others:
    """Signs of life that are not ours to renew."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def _place(self) -> str:
        return self._client.objects(LEASES, "leases")

    def end(self, instance_id: str, reason: str) -> None:
        """See :meth:`servicegroup.driver.Driver.end`.

        From then on it has no owner: the word that it ended outlives the pod.
        """

        def ended(before: Object) -> Object | None:
            if leases.ENDED in (before["metadata"].get("annotations") or {}):
                return None
            return self._noted(instance_id, {**self._now(), leases.ENDED: reason}, before)

        if self._changed(instance_id, ended) or not self._has_members(instance_id):
            return
        # Gone with its pod, before we came.
        made = self._noted(instance_id, {**self._now(), leases.ENDED: reason}, None)
        self._created(made)

    def note_absence(self, instance_id: str) -> Lease | None:
        """Note from when on an instance with members has no sign of life; returns what is there."""
        made = self._noted(instance_id, {leases.ABSENT: self._now()[leases.ENDED_AT]}, None)
        return self._created(made)

    def touch(self, instance_id: str) -> None:
        """Have its owner look at its members: somebody else changed one."""

        def touched(before: Object) -> Object:
            spec = before["spec"]
            generation = spec.get("leaseTransitions", 0) + 1
            return {**before, "spec": {**spec, "leaseTransitions": generation}}

        self._changed(instance_id, touched)

    def tidy(self, instance_id: str, is_dead: Callable[[Lease], bool]) -> None:
        """Remove the sign of life of a dead instance that carries no member any more."""
        try:
            path = f"{self._place}/{layout.beat_name(instance_id)}"
            answer = self._client.get(path)
            if not is_dead(leases.decode_lease(answer.data)) or self._has_members(instance_id):
                return
            metadata = answer.json()["metadata"]
            only = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
            self._client.delete(path, {"preconditions": only})
        except (Conflict, Missing):
            return

    def _changed(self, instance_id: str, change: Callable[[Object], Object | None]) -> bool:
        """Change a sign of life, whatever comes in between; returns whether there is one."""
        path = f"{self._place}/{layout.beat_name(instance_id)}"
        for _ in range(TRIES):
            try:
                made = change(self._client.get(path).json())
                if made is not None:
                    self._client.replace(path, made)
            except Missing:
                return False
            except Conflict:
                continue
            return True
        raise Conflict(f"{path} is changed by somebody else all the time")

    def _created(self, made: Object) -> Lease | None:
        try:
            return leases.decode_lease(self._client.create(self._place, made).data)
        except Conflict:
            return None

    def _noted(self, instance_id: str, notes: Object, before: Object | None) -> Object:
        spec: Object = (
            dict(before["spec"])
            if before is not None
            else {
                "holderIdentity": instance_id,
                "renewTime": leases.micro_time(self._client.clock.stamp()),
            }
        )
        labels = {
            leases.KIND: layout.BEAT,
            leases.INSTANCE: layout.instance_label(instance_id),
        }
        notes = {leases.INSTANCE: instance_id, **notes}
        made = layout.lease(layout.beat_name(instance_id), labels, notes, spec, before)
        made["metadata"].pop("ownerReferences", None)
        return made

    def _now(self) -> dict[str, Any]:
        return {leases.ENDED_AT: repr(self._client.clock.stamp())}

    def _has_members(self, instance_id: str) -> bool:
        label = layout.instance_label(instance_id)
        query = {"labelSelector": layout.selected(layout.HERE, instance=label), "limit": "1"}
        return bool(leases.decode_list(self._client.get(self._place, query).data).items)
