"""Ironic's conductors, as ``openstack baremetal conductor`` reads them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import falcon

from servicegroup.clock import boottime
from servicegroup.conductor import Conductor
from servicegroup.conductors import Conductors
from servicegroup.exceptions import ConfigurationError, DriverUnavailable, NoSuchConductor
from servicegroup.rest.answers import ago, only, reply
from servicegroup.rest.errors import not_found
from servicegroup.rest.ironic_query import CONDUCTORS, PARAMETERS, chosen, fields_of, links, listing
from servicegroup.rest.options import ApiSettings
from servicegroup.rest.resource import Resource
from servicegroup.rest.view import View

SHORT = ("hostname", "conductor_group", "alive")
FIELDS = (*SHORT, "created_at", "updated_at", "drivers", "last_seen", "links")
SORT_KEYS = ("id", "hostname", "conductor_group", "created_at", "updated_at")


class ConductorResource(Resource):
    """What conductors and the conductor of a node have in common."""

    def __init__(self, view: View, settings: ApiSettings) -> None:
        super().__init__(view, settings)
        self._counts: dict[str, tuple[float, int]] = {}

    @property
    def conductors(self) -> Conductors:
        """The conductors, kept in memory by a watch from the first question on."""
        conductors = self.view.service_group.conductors
        conductors.follow()
        return conductors

    @staticmethod
    def check_version(req: falcon.Request) -> None:
        """Refuse who asks by a version that has no conductors."""
        if req.context.version < CONDUCTORS:
            raise not_found("The API is not supported for this version")

    def get(self, hostname: str) -> Conductor:
        """Return a conductor.

        :raises falcon.HTTPError: there is none of that name
        """
        try:
            return self.conductors.get(hostname)
        except NoSuchConductor as error:
            raise not_found(f"Conductor {hostname} could not be found.") from error

    def conductor(self, req: falcon.Request, one: Conductor) -> dict[str, Any]:
        """Return a conductor as Ironic shows it, and when it was last seen."""
        created, seen = one.status.created_at, ago(one.last_seen)
        return {
            "hostname": one.hostname,
            "conductor_group": one.conductor_group,
            "alive": self.view.verdicts.is_up(one.status),
            "created_at": None if created is None else created.isoformat(),
            "updated_at": None if seen is None else seen.isoformat(),
            "drivers": list(one.drivers),
            "last_seen": None if seen is None else seen.strftime("%Y-%m-%d %H:%M:%S"),
            "links": links(req, "conductors", one.hostname),
        }

    def nodes_of(self, req: falcon.Request, one: Conductor) -> dict[str, Any]:
        """Return how many nodes a conductor serves, and where they are listed."""
        href = f"{req.prefix}/v1/nodes?{urlencode({'conductor': one.hostname})}"
        return {"nodes": {"count": self._count(one.hostname), "href": href}}

    def _count(self, hostname: str) -> int | None:
        """Count the nodes of a conductor, once a ``poll_interval``; ``None``: nobody can now."""
        counted_at, count = self._counts.get(hostname, (float("-inf"), 0))
        if boottime() - counted_at > self.view.service_group.settings.poll_interval:
            try:
                count = self.conductors.count_of(hostname)
            except ConfigurationError:
                return None  # there is no inventory
            except DriverUnavailable:  # whether it is alive can be told all the same
                return self._counts.get(hostname, (0, None))[1]
            except NoSuchConductor:
                return 0
            self._counts[hostname] = (boottime(), count)
        return count


class List(ConductorResource):
    """``/v1/conductors``."""

    policy = {"GET": "conductor:get"}
    contract = {"GET": {"query": PARAMETERS, "answer": "Conductors"}}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List a page."""
        self.check_version(req)
        asked = listing(
            req,
            path="/v1/conductors",
            default=SHORT,
            known=FIELDS,
            sort_keys=SORT_KEYS,
            most=self.settings.max_limit,
        )
        rows = [self.conductor(req, one) for one in self.conductors.list()]  # by host name
        if asked.sort_key not in ("id", "hostname"):
            rows.sort(key=lambda row: row[asked.sort_key] or "")
        if asked.descending:
            rows.reverse()
        if asked.marker is not None:
            names = [row["hostname"] for row in rows]
            if asked.marker not in names:
                raise not_found(f"Conductor {asked.marker} could not be found.")
            rows = rows[names.index(asked.marker) + 1 :]
        page = rows[: asked.limit]
        body: dict[str, Any] = {"conductors": [chosen(row, asked.fields) for row in page]}
        if len(rows) > len(page):
            body["next"] = asked.next(req, page[-1]["hostname"])
        reply(resp, body)


class One(ConductorResource):
    """``/v1/conductors/{hostname}``."""

    policy = {"GET": "conductor:get"}
    contract = {
        "GET": {"query": {"fields": PARAMETERS["fields"]}, "answer": "Conductor"},
    }

    def on_get(self, req: falcon.Request, resp: falcon.Response, hostname: str) -> None:
        """Show one."""
        self.check_version(req)
        only(req, ("fields",))
        fields = fields_of(req, FIELDS)
        one = self.get(hostname)
        row = self.conductor(req, one)
        reply(resp, chosen(row, fields) if fields else row | self.nodes_of(req, one))
