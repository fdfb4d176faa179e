"""What Ironic's lists are asked by: fields, order, pages; and the links in its bodies."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import falcon

from servicegroup.rest.answers import boolean, limit_of, one_of, only
from servicegroup.rest.errors import bad_request
from servicegroup.rest.microversions import Version

#: Since then there are conductors.
CONDUCTORS = Version(1, 49)
#: Other fields that came with a microversion.
SINCE = {"name": Version(1, 5), "conductor_group": Version(1, 46), "conductor": CONDUCTORS}


#: What the contract says of the parameters that all lists have.
PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "fields": ({"type": "string"}, "only these fields, with commas between"),
    "detail": ({"type": "boolean"}, "all fields"),
    "limit": ({"type": "integer", "minimum": 1}, "at most so many"),
    "marker": ({"type": "string"}, "the last one of the page before"),
    "sort_key": ({"type": "string"}, "the field to sort by"),
    "sort_dir": ({"type": "string", "enum": ["asc", "desc"]}, "upwards or downwards"),
}


class Listing(NamedTuple):
    """A list that was asked for; *fields*: in which detail, ``None`` for all."""

    path: str
    fields: tuple[str, ...] | None
    limit: int
    marker: str | None
    sort_key: str
    descending: bool
    others: Mapping[str, str]

    def next(self, req: falcon.Request, marker: str) -> str:
        """Return the address of the page after *marker*, with all that was asked for."""
        shown = {"detail": "True"} if self.fields is None else {"fields": ",".join(self.fields)}
        order = {"sort_key": self.sort_key, "sort_dir": "desc" if self.descending else "asc"}
        query = {**self.others, **order, **shown, "limit": self.limit, "marker": marker}
        return f"{req.prefix}{self.path}?{urlencode(query)}"


def listing(
    req: falcon.Request,
    *,
    path: str,
    default: Sequence[str],
    known: Collection[str],
    sort_keys: Collection[str],
    others: Collection[str] = (),
    most: int,
    detailed: bool = False,
) -> Listing:
    """Read what a list is asked by.

    :param detailed: the path itself asks for everything
    :raises falcon.HTTPError: what cannot be
    """
    only(req, ("fields", "detail", "limit", "marker", "sort_key", "sort_dir", *others))
    fields: tuple[str, ...] | None = fields_of(req, known)
    if boolean(req, "detail", detailed):
        if fields:
            raise bad_request("Can not specify ?detail=True and fields in the same request.")
        fields = None
    elif not fields:
        fields = tuple(default)
    sort_key = one_of(req, "sort_key") or "id"
    if sort_key not in sort_keys:
        raise bad_request(f'The sort_key value "{sort_key}" is an invalid field for sorting')
    sort_dir = one_of(req, "sort_dir") or "asc"
    if sort_dir not in ("asc", "desc"):
        raise bad_request(f"Schema error: '{sort_dir}' is not one of ['asc', 'desc']")
    return Listing(
        path,
        fields,
        limit_of(req, most),
        one_of(req, "marker"),
        sort_key,
        sort_dir == "desc",
        {name: value for name in others if (value := one_of(req, name)) is not None},
    )


def fields_of(req: falcon.Request, known: Collection[str]) -> tuple[str, ...]:
    """Return the fields that are asked for, each once; none: nothing is said.

    :raises falcon.HTTPError: there are others
    """
    given = req.params.get("fields", ())
    texts = given if isinstance(given, list) else [given] if given else []
    names = (name for text in texts for name in text.lower().split(","))
    fields = tuple(dict.fromkeys(filter(None, names)))
    for name in fields:
        if name not in known:
            raise bad_request(f"Schema error: '{name}' is not one of {sorted(known)}")
    return fields


def links(req: falcon.Request, kind: str, name: str) -> list[dict[str, str]]:
    """Return the links of one conductor or node."""
    where = f"{kind}/{quote(name, safe='')}"
    return [
        {"href": f"{req.prefix}/v1/{where}", "rel": "self"},
        {"href": f"{req.prefix}/{where}", "rel": "bookmark"},
    ]


def chosen(row: dict[str, Any], fields: Sequence[str] | None) -> dict[str, Any]:
    """Return those fields of a row, and its links."""
    if fields is None:
        return row
    return {name: row[name] for name in fields} | {"links": row["links"]}
