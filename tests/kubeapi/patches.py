"""The three kinds of patches, applied to an object as it is kept."""

import copy
from typing import Any

from kubeapi.status import StatusError, bad_request, invalid

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json-patch+json"
#: By which field the lists of an object are merged by a strategic patch; others are replaced.
_MERGE_KEYS = {"containers": "name", "env": "name", "volumes": "name", "ownerReferences": "uid"}
_MERGE_KEYS["conditions"] = "type"


def patched(content_type: str, obj: dict[str, Any], patch: Any) -> dict[str, Any]:
    """Return *obj* with a patch of this content type applied.

    :raises StatusError: 415, 400 or 422
    """
    obj = copy.deepcopy(obj)
    if content_type == JSON:
        if not isinstance(patch, list):
            raise bad_request("error decoding patch: a JSON patch is a list of operations")
        for step in patch:
            _json_step(obj, step)
        return obj
    if content_type not in {MERGE, STRATEGIC}:
        words = f"the body of the request was in an unknown format - accepted: {JSON}, {MERGE}"
        raise StatusError(415, "UnsupportedMediaType", f"{words}, {STRATEGIC}")
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: it is no object")
    return _merged(obj, patch, strategic=content_type == STRATEGIC)


def _merged(target: Any, patch: dict[str, Any], *, strategic: bool) -> dict[str, Any]:
    result = target if isinstance(target, dict) else {}
    for key, value in patch.items():
        if strategic and key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = _merged(result.get(key), value, strategic=strategic)
        elif strategic and key in _MERGE_KEYS and isinstance(result.get(key), list):
            result[key] = _merged_list(result[key], value, _MERGE_KEYS[key])
        else:
            result[key] = value
    return result


def _merged_list(target: list[Any], patch: list[Any], merge_key: str) -> list[Any]:
    result = {one.get(merge_key): one for one in target}
    for one in patch:
        name = one.get(merge_key)
        if one.get("$patch") == "delete":
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), one, strategic=True)
    return list(result.values())


def _json_step(obj: dict[str, Any], step: dict[str, Any]) -> None:
    path = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
    try:
        parent: Any = obj
        for part in path[:-1]:
            parent = parent[int(part) if isinstance(parent, list) else part]
        last: Any = path[-1]
        if isinstance(parent, list):
            last = len(parent) if last == "-" else int(last)
        kind = step["op"]
        if kind == "test":
            if parent[last] != step["value"]:
                raise _impossible(f"testing path {step['path']} failed")
        elif kind == "remove":
            del parent[last]
        elif kind == "replace":
            parent[last]  # it must be there
            parent[last] = step["value"]
        elif kind == "add" and isinstance(parent, list):
            parent.insert(last, step["value"])
        elif kind == "add":
            parent[last] = step["value"]
        else:
            raise bad_request(f"unexpected kind of operation: {kind}")
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise _impossible(f"{step.get('op')} operation does not apply: {error!r}") from error


def _impossible(message: str) -> StatusError:
    return invalid("", "", [("patch", message)])
