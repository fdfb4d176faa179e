"""Taking in nodes and hypervisors from elsewhere: each checked, and what is wrong named."""

from __future__ import annotations

import csv
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TextIO, TypeVar

from servicegroup.exceptions import InvalidInventory, ServiceGroupError
from servicegroup.inventory import Hypervisor, Node
from servicegroup.model import check_text

T = TypeVar("T")

#: What may be given of a node, and of a hypervisor.
NODE_FIELDS = tuple(name for name in Node._fields if not name.endswith("_at"))
HYPERVISOR_FIELDS = tuple(name for name in Hypervisor._fields if name != "id")
_HYPERVISOR_TEXTS = ("hypervisor_hostname", "host", "hypervisor_type", "host_ip")
_HYPERVISOR_JSON = ("cpu_info", "pci_stats")
_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}
#: The largest number that all databases keep.
_LARGEST = 2**63 - 1


class BadRow(NamedTuple):
    """A row that cannot be taken: its number in the file, from 1, and why."""

    number: int
    reason: str


def node(fields: Mapping[str, Any]) -> Node:
    """Return the node of these fields; what is left out, or empty, is not known.

    :raises InvalidInventory: no driver, or a field that is unknown or cannot be so
    """
    given = _given(fields, NODE_FIELDS, "node")
    group = _text(given, "conductor_group") or ""
    driver = _text(given, "driver")
    if driver is None:
        raise InvalidInventory("a node needs a driver: without it no conductor can serve it")
    return Node(
        _uuid(given),
        _text(given, "name"),
        driver,
        group.lower(),
        _text(given, "power_state"),
        _text(given, "provision_state"),
        _yes_or_no(given, "maintenance"),
        _text(given, "instance_uuid"),
    )


def hypervisor(fields: Mapping[str, Any]) -> Hypervisor:
    """Return the hypervisor of these fields, with id 0; what is left out, or empty, is not known.

    :raises InvalidInventory: no host names, or a field that is unknown or cannot be so
    """
    given = _given(fields, HYPERVISOR_FIELDS, "hypervisor")
    name = _text(given, "hypervisor_hostname")
    host = _text(given, "host") or name
    if name is None or host is None:
        raise InvalidInventory("a hypervisor needs a hypervisor_hostname")
    known = ("uuid", "hypervisor_hostname", "host")
    values = {one: _of_hypervisor(given, one) for one in HYPERVISOR_FIELDS if one not in known}
    return Hypervisor(id=0, uuid=_uuid(given), hypervisor_hostname=name, host=host, **values)


def changed_node(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what these fields change of a node; ``None``, or empty, is no longer known.

    :raises InvalidInventory: its uuid, no driver, or a field that is unknown or cannot be so
    """
    given = _changed(fields, NODE_FIELDS, "node")
    values: dict[str, Any] = {name: _text(given, name) for name in given if name != "maintenance"}
    if "maintenance" in given:
        values["maintenance"] = _yes_or_no(given, "maintenance")
    if "conductor_group" in given:
        values["conductor_group"] = (values["conductor_group"] or "").lower()
    if values.get("driver", "") is None:
        raise InvalidInventory("a node needs a driver: without it no conductor can serve it")
    return values


def changed_hypervisor(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what these fields change of a hypervisor; ``None``, or empty, is no longer known.

    :raises InvalidInventory: its uuid, no host names, or a field that is unknown or cannot be so
    """
    given = _changed(fields, HYPERVISOR_FIELDS, "hypervisor")
    values = {name: _of_hypervisor(given, name) for name in given}
    for name in ("hypervisor_hostname", "host"):
        if values.get(name, "") is None:
            raise InvalidInventory(f"a hypervisor needs a {name}")
    return values


def read_nodes(file: TextIO, *, kind: str) -> tuple[list[Node], list[BadRow]]:
    """Read nodes from an open file, and all that is wrong with it.

    :param kind: ``json``, a list of objects, or ``csv`` with the fields' names in its first line
    :raises InvalidInventory: it is neither
    """
    rows = _json_rows(file) if kind == "json" else _csv_rows(file)
    nodes: list[Node] = []
    bad: list[BadRow] = []
    seen: dict[tuple[str, str], int] = {}
    for number, fields in enumerate(rows, 1):
        try:
            if not isinstance(fields, Mapping):
                raise InvalidInventory(f"{fields!r} is no object with the fields of a node")
            one = node(fields)
            for what, value in (("uuid", one.uuid), ("name", one.name)):
                if value is not None and seen.setdefault((what, value), number) != number:
                    raise InvalidInventory(f"{what} {value!r} is that of row {seen[what, value]}")
            nodes.append(one)
        except ServiceGroupError as error:
            bad.append(BadRow(number, str(error)))
    return nodes, bad


def _json_rows(file: TextIO) -> Sequence[Any]:
    try:
        rows = json.load(file)
    except (ValueError, RecursionError) as error:
        raise InvalidInventory(f"it is no JSON: {error}") from error
    if isinstance(rows, dict) and isinstance(rows.get("nodes"), list):
        rows = rows["nodes"]  # as Ironic's API and its client write it
    if not isinstance(rows, list):
        raise InvalidInventory("it must be a JSON list of objects, one for each node")
    return rows


def _csv_rows(file: TextIO) -> Iterator[Mapping[str, Any]]:
    reader = csv.DictReader(file, restkey="what is beyond the last column")
    try:
        if "driver" not in (reader.fieldnames or ()):
            raise InvalidInventory(
                f"its first line must name the columns, driver among them; it names "
                f"{', '.join(reader.fieldnames or ()) or 'none'}"
            )
        yield from reader
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidInventory(f"it is no CSV, at line {reader.line_num}: {error}") from error


def _given(fields: Mapping[str, Any], known: Sequence[str], what: str) -> dict[str, Any]:
    """Return the fields under the names that we know, without the empty ones."""
    named = _named(fields, known, what)
    return {name: value for name, value in named.items() if value is not None}


def _changed(fields: Mapping[str, Any], known: Sequence[str], what: str) -> dict[str, Any]:
    given = _named(fields, known, what)
    if "uuid" in given:
        raise InvalidInventory(f"the uuid of a {what} never changes: leave it out")
    return given


def _named(fields: Mapping[str, Any], known: Sequence[str], what: str) -> dict[str, Any]:
    """Return the fields under the names that we know, the empty ones as ``None``."""
    named = {}
    for name, value in fields.items():
        plain = str(name).strip().lower().replace(" ", "_")  # as clients head their columns
        if plain not in known:
            raise InvalidInventory(f"a {what} has no field {name!r}; it has: {', '.join(known)}")
        named[plain] = None if value == "" else value
    return named


def _of_hypervisor(given: Mapping[str, Any], name: str) -> Any:
    if name in _HYPERVISOR_TEXTS:
        return _text(given, name)
    return _json(given, name) if name in _HYPERVISOR_JSON else _number(given, name)


def _uuid(given: Mapping[str, Any]) -> str:
    value = given.get("uuid")
    if value is None:
        return str(uuid.uuid4())
    try:
        if isinstance(value, str) and str(uuid.UUID(value)) == value:
            return value
    except ValueError:
        pass
    raise InvalidInventory(
        f"uuid {value!r} is none: write it in lower case with dashes, or leave it out for a new one"
    )


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    return None if value is None else _checked(name, value, lambda: check_text(name, value))


def _yes_or_no(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name) or False
    found = value if isinstance(value, bool) else _YES_NO.get(str(value).strip().lower())
    if found is None:
        raise InvalidInventory(f"{name} {value!r} is neither true nor false")
    return found


def _number(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    number = None if isinstance(value, bool | float) else _checked(name, value, lambda: int(value))
    if number is None or not -_LARGEST <= number <= _LARGEST:
        raise InvalidInventory(f"{name} {value!r} is no whole number")
    return number


def _json(given: Mapping[str, Any], name: str) -> Any:
    value = given.get(name)
    if isinstance(value, str):
        return _checked(name, value, lambda: json.loads(value))
    return value if value is None else _checked(name, value, lambda: json.loads(json.dumps(value)))


def _checked(name: str, value: Any, read: Callable[[], T]) -> T:
    try:
        return read()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInventory(f"{name} {value!r} cannot be: {error}") from error
