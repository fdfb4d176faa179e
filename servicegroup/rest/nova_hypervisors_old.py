"""What old microversions have of ``os-hypervisors``: statistics, uptime, and search by name."""

from __future__ import annotations

from typing import Any

import falcon

from servicegroup.rest.answers import reply
from servicegroup.rest.errors import bad_request, not_found
from servicegroup.rest.microversions import Version
from servicegroup.rest.nova_hypervisors import CAPACITY, NO_CAPACITY, HypervisorResource
from servicegroup.rest.nova_services import UUIDS


def _before(req: falcon.Request, end: Version) -> Version:
    version: Version = req.context.version
    if version >= end:
        raise not_found("The resource could not be found.")
    return version


class Statistics(HypervisorResource):
    """``/v2.1/os-hypervisors/statistics``, before 2.88."""

    policy = {"GET": "hypervisor:list"}
    contract = {"GET": {"answer": "HypervisorStatistics"}}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Add up what hypervisors of services that are enabled have; what is not known is none."""
        _before(req, NO_CAPACITY)
        found = [
            one.hypervisor
            for one in self.view.hypervisors()
            if one.service is not None and one.service.enabled
        ]
        sums = {name: sum(getattr(one, name) or 0 for one in found) for name in CAPACITY}
        reply(resp, {"hypervisor_statistics": {"count": len(found), **sums}})


class Uptime(HypervisorResource):
    """``/v2.1/os-hypervisors/{ident}/uptime``, before 2.88."""

    policy = {"GET": "hypervisor:get"}
    contract = {"GET": {"answer": "OneHypervisor", "statuses": {501}}}

    def on_get(self, req: falcon.Request, resp: falcon.Response, ident: str) -> None:
        """Show what its host says of itself."""
        version = _before(req, NO_CAPACITY)
        one = self.find(ident, version)
        row: dict[str, Any] = self.short(one, version)
        if row["state"] != "up":
            raise bad_request(
                f"Compute service of {one.hypervisor.host} is unavailable at this time."
            )
        row["uptime"] = self.uptime(one)
        if row["uptime"] is None:
            raise falcon.HTTPNotImplemented(
                description=f"The host {one.hypervisor.host} publishes no attribute uptime"
            )
        reply(resp, {"hypervisor": row})


class Search(HypervisorResource):
    """``/v2.1/os-hypervisors/{ident}/search``, before 2.53."""

    policy = {"GET": "hypervisor:list"}
    contract = {"GET": {"answer": "Hypervisors"}}

    def on_get(self, req: falcon.Request, resp: falcon.Response, ident: str) -> None:
        """List those with it in their names."""
        version = _before(req, UUIDS)
        found = self.matching(ident)
        reply(resp, {"hypervisors": [self.short(one, version) for one in found]})


class Servers(Search):
    """``/v2.1/os-hypervisors/{ident}/servers``, before 2.53: of servers we know nothing."""
