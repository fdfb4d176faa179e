"""What the API takes and what it refuses: types, times, names, labels and the rules of a kind."""

import re
from datetime import UTC, datetime
from typing import Any

from kubeapi.kinds import LEASE, POD, ROLE, Kind
from kubeapi.status import bad_request, invalid

Causes = list[tuple[str, str]]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*\Z")
_DNS_LABEL = re.compile(rf"{_LABEL}\Z")
_NAME_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")
_MICRO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)\Z")
#: In bytes: of all annotations' keys and values together.
ANNOTATIONS_LIMIT = 256 * 1024
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character"
)

_METADATA: dict[str, type] = {
    "name": str,
    "generateName": str,
    "namespace": str,
    "labels": dict,
    "annotations": dict,
    "ownerReferences": list,
    "finalizers": list,
    "resourceVersion": str,
    "uid": str,
    "creationTimestamp": str,
    "deletionTimestamp": str,
    "deletionGracePeriodSeconds": int,
    "generation": int,
    "managedFields": list,
    "selfLink": str,
}
_LEASE_SPEC: dict[str, type] = {
    "holderIdentity": str,
    "leaseDurationSeconds": int,
    "acquireTime": str,
    "renewTime": str,
    "leaseTransitions": int,
    "strategy": str,
    "preferredHolder": str,
}
_OWNER: dict[str, type] = {
    "apiVersion": str,
    "kind": str,
    "name": str,
    "uid": str,
    "controller": bool,
    "blockOwnerDeletion": bool,
}


def decoded(kind: Kind, obj: object, *, strict: bool) -> dict[str, Any]:
    """Return the object as far as its kind knows its fields, every value of the right type.

    :param strict: refuse what is unknown in place of leaving it out (``fieldValidation=Strict``)
    """
    if not isinstance(obj, dict):
        raise bad_request("the object provided is unrecognized (must be of type Object)")
    if obj.get("kind", kind.name) != kind.name:
        raise bad_request(
            f"the object provided is of kind {obj['kind']}, but {kind.name} is expected"
        )
    if obj.get("apiVersion", kind.api_version) != kind.api_version:
        raise bad_request(
            f"the API version in the data ({obj['apiVersion']}) does not match the expected API "
            f"version ({kind.api_version})"
        )
    shown = f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}'
    result = {**obj, "kind": kind.name, "apiVersion": kind.api_version}
    metadata = _typed(obj.get("metadata") or {}, _METADATA, "metadata", shown, strict=strict)
    for field in ("labels", "annotations"):
        for key, value in (metadata.get(field) or {}).items():
            if type(value) is not str:
                raise bad_request(
                    f"{shown}: json: cannot unmarshal {type(value).__name__} into Go struct field "
                    f"ObjectMeta.metadata.{field} of type string ({key})"
                )
    metadata["ownerReferences"] = [
        _typed(one, _OWNER, "metadata.ownerReferences", shown, strict=strict)
        for one in metadata.get("ownerReferences") or ()
    ]
    result["metadata"] = {key: value for key, value in metadata.items() if value not in (None, [])}
    if kind is LEASE:
        unknown = set(obj) - {"kind", "apiVersion", "metadata", "spec"}
        _refuse_unknown(unknown, shown, strict=strict)
        for field in unknown:
            del result[field]
        spec = _typed(obj.get("spec") or {}, _LEASE_SPEC, "spec", shown, strict=strict)
        for field in ("acquireTime", "renewTime"):
            if spec.get(field) is not None:
                spec[field] = _micro_time(spec[field], shown)
        result["spec"] = {key: value for key, value in spec.items() if value is not None}
    for field in ("spec", "status"):
        if not isinstance(result.get(field) or {}, dict):
            raise bad_request(f"{shown}: json: cannot unmarshal into {field}")
    return result


def validate(kind: Kind, obj: dict[str, Any]) -> None:
    """Refuse an object that breaks a rule, naming every field that does."""
    metadata = obj["metadata"]
    name = metadata.get("name", "")
    causes = _name_errors(kind, name)
    causes += label_errors(metadata.get("labels") or {}, "metadata.labels")
    causes += _annotation_errors(metadata.get("annotations") or {})
    for number, owner in enumerate(metadata.get("ownerReferences") or ()):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                place = f"metadata.ownerReferences[{number}].{field}"
                causes.append((place, 'Invalid value: "": must not be empty'))
    if kind is LEASE:
        causes += _lease_errors(obj.get("spec") or {})
    elif kind is POD:
        causes += _pod_errors(obj.get("spec") or {})
    elif kind is ROLE:
        for number, rule in enumerate(obj.get("rules") or ()):
            if not rule.get("verbs"):
                causes.append((f"rules[{number}].verbs", "Required value"))
    if causes:
        raise invalid(kind.name, name, causes)


def label_errors(labels: dict[str, str], where: str) -> Causes:
    """Return what is wrong with keys and values of labels."""
    causes = []
    for key, value in labels.items():
        causes += [(where, f'Invalid value: "{key}": {why}') for why in _key_errors(key)]
        if len(value) > 63:
            causes.append((where, f'Invalid value: "{value}": must be no more than 63 characters'))
        elif value and _NAME_PART.match(value) is None:
            causes.append(
                (
                    where,
                    f'Invalid value: "{value}": a valid label must be an empty string or '
                    "consist of alphanumeric characters, '-', '_' or '.'",
                )
            )
    return causes


def _typed(
    values: object, types: dict[str, type], where: str, shown: str, *, strict: bool
) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise bad_request(f"{shown}: json: cannot unmarshal into Go struct field {where}")
    _refuse_unknown({f"{where}.{one}" for one in set(values) - set(types)}, shown, strict=strict)
    known = {key: value for key, value in values.items() if key in types}
    for key, value in known.items():
        # A bool is an int to Python, and 1.0 is no int32 to the API.
        if value is not None and type(value) is not types[key]:
            raise bad_request(
                f"{shown}: json: cannot unmarshal {type(value).__name__} into Go struct field "
                f"{where}.{key} of type {types[key].__name__}"
            )
        if type(value) is int and not -(2**31) <= value < 2**63:
            raise bad_request(f"{shown}: json: cannot unmarshal number {value} into {where}.{key}")
    return known


def _refuse_unknown(names: set[str], shown: str, *, strict: bool) -> None:
    if names and strict:
        listed = ", ".join(f'unknown field "{one}"' for one in sorted(names))
        raise bad_request(f"{shown}: strict decoding error: {listed}")


def _micro_time(text: str, shown: str) -> str | None:
    """Return a MicroTime as it is kept; the server's layout has exactly six digits."""
    if text == "":
        return None
    layout = "2006-01-02T15:04:05.000000Z07:00"
    if _MICRO.match(text) is None:
        raise bad_request(f'{shown}: parsing time "{text}" as "{layout}": cannot parse')
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_request(f'{shown}: parsing time "{text}": {error}') from error
    return micro_time(time)


def micro_time(time: datetime) -> str:
    """Return a time as a MicroTime is written."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _name_errors(kind: Kind, name: str) -> Causes:
    if not name:
        return [("metadata.name", "Required value: name or generateName is required")]
    if kind.group == ROLE.group:
        bad = name in {".", ".."} or "/" in name or "%" in name
        return [("metadata.name", f'Invalid value: "{name}"')] if bad else []
    label = kind.plural == "namespaces"
    longest, pattern = (63, _DNS_LABEL) if label else (253, _SUBDOMAIN)
    if len(name) > longest:
        words = f'Invalid value: "{name}": must be no more than {longest} characters'
        return [("metadata.name", words)]
    if pattern.match(name) is None:
        return [("metadata.name", f'Invalid value: "{name}": {_SUBDOMAIN_RULE}')]
    return []


def _key_errors(key: str) -> list[str]:
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or _SUBDOMAIN.match(prefix) is None):
        return [f"prefix part {_SUBDOMAIN_RULE}"]
    if len(name) > 63:
        return ["name part must be no more than 63 characters"]
    if _NAME_PART.match(name) is None:
        return ["name part must consist of alphanumeric characters, '-', '_' or '.'"]
    return []


def _annotation_errors(annotations: dict[str, str]) -> Causes:
    where = "metadata.annotations"
    causes = [
        (where, f'Invalid value: "{key}": {why}')
        for key in annotations
        for why in _key_errors(key.lower())
    ]
    size = sum(
        len(key.encode()) + len(value.encode(errors="surrogatepass"))
        for key, value in annotations.items()
    )
    if size > ANNOTATIONS_LIMIT:
        causes.append((where, f"Too long: may not be more than {ANNOTATIONS_LIMIT} bytes"))
    return causes


def _lease_errors(spec: dict[str, Any]) -> Causes:
    causes = []
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        causes.append(
            ("spec.leaseDurationSeconds", f"Invalid value: {duration}: must be greater than 0")
        )
    if transitions is not None and transitions < 0:
        causes.append(
            (
                "spec.leaseTransitions",
                f"Invalid value: {transitions}: must be greater than or equal to 0",
            )
        )
    for field in ("leaseDurationSeconds", "leaseTransitions"):
        if (spec.get(field) or 0) >= 2**31:
            causes.append((f"spec.{field}", "Invalid value: does not fit into int32"))
    if spec.get("preferredHolder") and not spec.get("strategy"):
        causes.append(("spec.preferredHolder", "Forbidden: may only be set if strategy is defined"))
    return causes


def _pod_errors(spec: dict[str, Any]) -> Causes:
    containers = spec.get("containers")
    if not containers:
        return [("spec.containers", "Required value")]
    causes: Causes = []
    for number, container in enumerate(containers):
        for field in ("name", "image"):
            if not container.get(field):
                causes.append((f"spec.containers[{number}].{field}", "Required value"))
    return causes
