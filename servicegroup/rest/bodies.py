"""Bodies of requests: their JSON schemas, and the words in which a wrong one is refused."""

from __future__ import annotations

from typing import Any

import jsonschema

from servicegroup.rest.errors import bad_request

Schema = dict[str, Any]

_WORDS = [
    *("true", "True", "TRUE", "1", "on", "On", "ON", "yes", "Yes", "YES"),
    *("false", "False", "FALSE", "0", "off", "Off", "OFF", "no", "No", "NO"),
]
BOOLEAN: Schema = {
    "oneOf": [{"type": "boolean"}, {"type": "string", "enum": _WORDS}],
    "description": "true or false, also as a word",
}
_HOST: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
_REASON: Schema = {"type": "string", "minLength": 1, "maxLength": 255}

SERVICE_UPDATE: Schema = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["enabled", "disabled"]},
        "disabled_reason": _REASON,
        "forced_down": BOOLEAN,
    },
    "additionalProperties": False,
}


def _old(**further: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {"host": _HOST, "binary": _HOST, **further},
        "required": ["host", "binary", *further],
        "additionalProperties": False,
    }


#: By the last part of the path, before microversion 2.53.
SERVICE_ACTIONS: dict[str, Schema] = {
    "enable": _old(),
    "disable": _old(),
    "disable-log-reason": _old(disabled_reason=_REASON),
    "force-down": _old(forced_down=BOOLEAN),
}

_TEXT: Schema = {"type": ["string", "null"], "minLength": 1, "maxLength": 255}
NODE: Schema = {
    "type": "object",
    "properties": {
        "uuid": {"type": ["string", "null"], "format": "uuid", "maxLength": 36},
        "name": _TEXT,
        "driver": {"type": "string", "minLength": 1, "maxLength": 255},
        "conductor_group": {"type": ["string", "null"], "maxLength": 255},
        "power_state": _TEXT,
        "provision_state": _TEXT,
        "maintenance": {"type": ["boolean", "null"]},
        "instance_uuid": _TEXT,
    },
    "required": ["driver"],
    "additionalProperties": False,
}

_validators: dict[int, jsonschema.Draft202012Validator] = {}


def check(body: dict[str, Any], schema: Schema) -> None:
    """Compare a body with its schema.

    :raises falcon.HTTPError: it does not fit; the message is worded as Nova's
    """
    validator = _validators.get(id(schema))
    if validator is None:
        validator = _validators[id(schema)] = jsonschema.Draft202012Validator(schema)
    for error in sorted(validator.iter_errors(body), key=lambda one: list(map(str, one.path))):
        if not error.path:
            raise bad_request(error.message[:300])
        name = error.path[-1]
        value = str(error.instance)[:80]
        words = f"Invalid input for field/attribute {name}. Value: {value}."
        reason = "" if error.validator == "oneOf" else f" {error.message[:300]}"
        raise bad_request(words + (reason or " It is neither true nor false"))


def truth(value: bool | str) -> bool:
    """Return the meaning of a value that fits ``BOOLEAN``."""
    return value if isinstance(value, bool) else value.lower() in ("true", "1", "on", "yes")
