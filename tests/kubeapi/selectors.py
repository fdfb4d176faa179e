"""Label and field selectors, as in a list's or a watch's query."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from kubeapi.status import bad_request
from kubeapi.validation import label_errors

Object = Mapping[str, Any]
Selector = Callable[[Object], bool]

_SET = re.compile(r"^\s*(!?)\s*([^\s!=,()]+)\s*(?:(in|notin)\s*\(([^()]*)\))?\s*$")
_EQUAL = re.compile(r"^\s*([^\s!=,()]+)\s*(==|=|!=)\s*([^\s!=,()]*)\s*$")
_COMMA = re.compile(r",(?![^()]*\))")
#: The fields that may be selected by, of every kind and of pods.
FIELDS = ("metadata.name", "metadata.namespace")
POD_FIELDS = (*FIELDS, "spec.nodeName", "status.phase", "spec.restartPolicy")


def by_labels(text: str) -> Selector:
    """Return whether an object's labels fit: ``a=b,c!=d,e in (f,g),h,!i``."""
    tests = [_label_test(part) for part in _COMMA.split(text)] if text.strip() else []
    return lambda item: all(test(item["metadata"].get("labels") or {}) for test in tests)


def by_fields(text: str, allowed: tuple[str, ...]) -> Selector:
    """Return whether an object's fields fit; only some can be asked for."""
    tests = []
    for part in text.split(",") if text.strip() else ():
        found = _EQUAL.match(part)
        if found is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        field, operator, value = found.groups()
        if field not in allowed:
            raise bad_request(f'field label not supported: "{field}"')
        tests.append((field.split("."), value, operator != "!="))

    def fits(item: Object) -> bool:
        for path, value, wanted in tests:
            found: Any = item
            for step in path:
                found = (found or {}).get(step)
            if ((found or "") == value) is not wanted:
                return False
        return True

    return fits


def _label_test(part: str) -> Callable[[Mapping[str, str]], bool]:
    equal = _EQUAL.match(part)
    if equal is not None:
        key, operator, value = equal.groups()
        _checked(key, value)
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    found = _SET.match(part)
    if found is None:
        raise bad_request(f"unable to parse requirement: found '{part}'")
    negated, key, word, listed = found.groups()
    if word is None:
        _checked(key)
        return (lambda labels: key not in labels) if negated else (lambda labels: key in labels)
    values = {value.strip() for value in listed.split(",")}
    _checked(key, *values)
    if word == "in":
        return lambda labels: labels.get(key) in values
    return lambda labels: labels.get(key) not in values


def _checked(key: str, *values: str) -> None:
    for value in values or ("",):
        errors = label_errors({key: value}, "key")
        if errors:
            raise bad_request(f"unable to parse requirement: {errors[0][1]}")
