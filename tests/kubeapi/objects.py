"""Creating, changing and deleting objects by the rules of their kinds."""

import random
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from kubeapi import validation
from kubeapi.kinds import NAMESPACE, POD, Kind
from kubeapi.patches import patched
from kubeapi.status import (
    StatusError,
    already_exists,
    bad_request,
    conflict,
    invalid,
    not_found,
    stale,
)
from kubeapi.store import Item, Key, Store

#: What of an object's metadata no client can change.
_KEPT = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "resourceVersion",
    "managedFields",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
)
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
#: Seconds that a pod has to end, unless it says otherwise.
GRACE = 30


class Objects:
    """The rules; *clock* is the server's wall clock."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self._clock = clock

    def get(self, kind: Kind, key: Key) -> Item:
        """Return an object.

        :raises StatusError: 404
        """
        item = self.store.get(kind, key)
        if item is None:
            raise not_found(kind.resource, key[1])
        return item

    def create(self, kind: Kind, namespace: str, body: object, query: dict[str, str]) -> Item:
        """Store a new object."""
        obj = self._decoded(kind, namespace, body, query)
        metadata = obj["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            suffix = "".join(random.choices(_LETTERS, k=5))
            metadata["name"] = metadata["generateName"][:58] + suffix
        if metadata.get("resourceVersion"):
            message = "resourceVersion should not be set on objects to be created"
            raise StatusError(500, "InternalError", message)
        validation.validate(kind, obj)
        if self.store.get(kind, (namespace, metadata["name"])) is not None:
            raise already_exists(kind.resource, metadata["name"])
        if namespace and self.store.get(NAMESPACE, ("", namespace)) is None:
            raise not_found("namespaces", namespace)
        return self._created(kind, namespace, obj, query)

    def replace(
        self, kind: Kind, key: Key, sub: str, body: object, query: dict[str, str]
    ) -> tuple[Item, bool]:
        """Store an object in place of another; returns it and whether it was created."""
        obj = self._decoded(kind, key[0], body, query)
        metadata = obj["metadata"]
        if metadata.get("name") != key[1]:
            raise bad_request(
                f"the name of the object ({metadata.get('name', '')}) does not match the name on "
                f"the URL ({key[1]})"
            )
        before = self.store.get(kind, key)
        if before is None:
            if not kind.creates_on_update or sub:
                raise not_found(kind.resource, key[1])
            if metadata.get("uid"):
                words = f"Precondition failed: UID in precondition: {metadata['uid']}"
                words = f"StorageError: invalid object, Code: 4, {words}, UID in object meta: "
                raise conflict(kind.resource, key[1], words)
            metadata.pop("resourceVersion", None)
            validation.validate(kind, obj)
            return self._created(kind, key[0], obj, query), True
        version = metadata.get("resourceVersion")
        if not version and not kind.unconditional:
            why = "Invalid value: 0x0: must be specified for an update"
            raise invalid(kind.name, key[1], [("metadata.resourceVersion", why)])
        if version and not version.isdigit():
            why = f'Invalid value: "{version}"'
            raise invalid(kind.name, key[1], [("metadata.resourceVersion", why)])
        return self._changed(kind, before, obj, sub, query), False

    def patch(
        self,
        kind: Kind,
        key: Key,
        sub: str,
        query: dict[str, str],
        *,
        content_type: str,
        body: Any,
    ) -> Item:
        """Change a part of an object."""
        before = self.get(kind, key)
        obj = patched(content_type, before.obj, body)
        return self._changed(kind, before, self._decoded(kind, key[0], obj, query), sub, query)

    def delete(self, kind: Kind, key: Key, options: Any) -> tuple[dict[str, Any], bool]:
        """Delete an object; returns its last state, and whether it is gone by now."""
        item = self.get(kind, key)
        metadata = item.obj["metadata"]
        options = options if isinstance(options, dict) else {}
        for name, wanted in (options.get("preconditions") or {}).items():
            if wanted is not None and metadata.get(name) != wanted:
                shown = "UID" if name == "uid" else "ResourceVersion"
                why = f"Precondition failed: {shown} in precondition: {wanted}"
                why += f", {shown} in object meta: {metadata.get(name)}"
                raise conflict(kind.resource, key[1], why)
        if kind is POD:
            grace = self._grace(item.obj, options.get("gracePeriodSeconds"))
            if grace > 0:
                return self._dying(item, grace).obj, False
        if finalizers := metadata.get("finalizers"):
            raise conflict(kind.resource, key[1], f"finalizers are not served: {finalizers}")
        if kind is NAMESPACE:
            raise StatusError(405, "MethodNotAllowed", "namespaces are not deleted here")
        return self.store.delete(kind, key), True

    def now(self) -> str:
        """Return the server's time as objects carry it."""
        return self._time(0)

    def _time(self, later: float) -> str:
        moment = datetime.fromtimestamp(self._clock(), UTC) + timedelta(seconds=later)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _decoded(
        self, kind: Kind, namespace: str, body: object, query: dict[str, str]
    ) -> dict[str, Any]:
        strict = query.get("fieldValidation") == "Strict"
        obj = validation.decoded(kind, body, strict=strict)
        given = obj["metadata"].get("namespace", "")
        if namespace and given not in ("", namespace):
            raise bad_request(
                f"the namespace of the provided object does not match the namespace sent on the "
                f"request ({given} != {namespace})"
            )
        if namespace:
            obj["metadata"]["namespace"] = namespace
        return obj

    def _created(
        self, kind: Kind, namespace: str, obj: dict[str, Any], query: dict[str, str]
    ) -> Item:
        metadata = {
            **obj["metadata"],
            "uid": str(uuid.uuid4()),
            "creationTimestamp": self.now(),
            "managedFields": self._managed(kind, obj, query),
        }
        for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            metadata.pop(field, None)
        obj = {**obj, "metadata": metadata}
        if kind.has_status:
            obj["status"] = {"phase": "Pending"} if kind is POD else {}
        return self.store.put(kind, (namespace, metadata["name"]), obj)

    def _changed(
        self, kind: Kind, before: Item, obj: dict[str, Any], sub: str, query: dict[str, str]
    ) -> Item:
        old, new = before.obj["metadata"], obj["metadata"]
        if new.get("resourceVersion", old["resourceVersion"]) != old["resourceVersion"]:
            raise stale(kind.resource, before.key[1])
        if new.get("uid", old["uid"]) != old["uid"]:
            why = f"Precondition failed: UID in precondition: {new['uid']}, UID in object meta: "
            raise conflict(kind.resource, before.key[1], why + old["uid"])
        if new.get("name", old["name"]) != old["name"]:
            raise invalid(
                kind.name, old["name"], [("metadata.name", "Invalid value: field is immutable")]
            )
        metadata = {key: value for key, value in new.items() if key not in _KEPT}
        metadata |= {key: old[key] for key in _KEPT if key in old}
        if sub == "status":
            obj = {**before.obj, "status": obj.get("status") or {}}
        else:
            obj = {**obj, "metadata": metadata}
            if kind.has_status:
                obj["status"] = before.obj.get("status") or {}
            validation.validate(kind, obj)
            if kind is POD and _fixed(obj["spec"]) != _fixed(before.obj["spec"]):
                why = "Forbidden: pod updates may not change fields other than images"
                raise invalid(kind.name, old["name"], [("spec", why)])
        if obj == before.obj:
            return before  # what changes nothing is not written
        managed = self._managed(kind, obj, query)
        obj["metadata"] = {**obj["metadata"], "managedFields": managed}
        return self.store.put(kind, before.key, obj)

    def _managed(
        self, kind: Kind, obj: dict[str, Any], query: dict[str, str]
    ) -> list[dict[str, Any]]:
        """Return who manages which fields, as far as it makes an object as large as a real one."""
        fields: dict[str, Any] = {}
        for part in ("labels", "annotations"):
            if obj["metadata"].get(part):
                names: dict[str, Any] = {f"f:{key}": {} for key in obj["metadata"][part]}
                fields.setdefault("f:metadata", {})[f"f:{part}"] = {".": {}, **names}
        if isinstance(obj.get("spec"), dict):
            fields["f:spec"] = {f"f:{key}": {} for key in obj["spec"]}
        return [
            {
                "manager": query.get("fieldManager") or "unknown",
                "operation": "Update",
                "apiVersion": kind.api_version,
                "time": self.now(),
                "fieldsType": "FieldsV1",
                "fieldsV1": fields,
            }
        ]

    @staticmethod
    def _grace(pod: dict[str, Any], asked: object) -> int:
        spec = pod["spec"]
        if not spec.get("nodeName"):
            return 0  # nobody runs it
        grace = asked if type(asked) is int else spec.get("terminationGracePeriodSeconds", GRACE)
        already = pod["metadata"].get("deletionGracePeriodSeconds")
        return grace if already is None else min(grace, already)

    def _dying(self, item: Item, grace: int) -> Item:
        metadata = item.obj["metadata"]
        if metadata.get("deletionGracePeriodSeconds", grace + 1) <= grace:
            return item
        dying = {"deletionTimestamp": self._time(grace), "deletionGracePeriodSeconds": grace}
        obj = {**item.obj, "metadata": {**metadata, **dying}}
        return self.store.put(POD, item.key, obj)


def _fixed(spec: dict[str, Any]) -> dict[str, Any]:
    """Return what of a pod's specification cannot be changed."""
    images = [{**one, "image": ""} for one in spec.get("containers") or ()]
    changeable = {"activeDeadlineSeconds", "tolerations"}
    kept = {key: value for key, value in spec.items() if key not in changeable}
    return {**kept, "containers": images}
