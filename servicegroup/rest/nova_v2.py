"""Nova's API of before microversions, with the extension ``os-hypervisor-status``."""

from __future__ import annotations

from typing import Any

import falcon

from servicegroup.rest.answers import reply
from servicegroup.rest.errors import not_found
from servicegroup.rest.microversions import NOVA
from servicegroup.rest.nova_hypervisors import HypervisorResource
from servicegroup.rest.nova_hypervisors import One as NewOne
from servicegroup.rest.resource import Resource

EXTENSION: dict[str, Any] = {
    "alias": "os-hypervisor-status",
    "name": "HypervisorStatus",
    "namespace": "http://docs.openstack.org/compute/ext/hypervisor_status/api/v1.1",
    "description": "The state and status of the service that runs a hypervisor.",
    "updated": "2014-04-17T00:00:00Z",
    "links": [],
}


class List(HypervisorResource):
    """``/v2/{tenant_id}/os-hypervisors``."""

    policy = {"GET": "hypervisor:list"}
    contract = {"GET": {"answer": "Hypervisors"}}
    detailed = False

    def on_get(self, req: falcon.Request, resp: falcon.Response, tenant_id: str) -> None:
        """List all; there are no pages here."""
        extended = self.settings.hypervisor_status_extension
        show = self.full if self.detailed else self.short
        found = self.view.hypervisors()
        reply(resp, {"hypervisors": [show(one, NOVA.least, state=extended) for one in found]})


class Detail(List):
    """``/v2/{tenant_id}/os-hypervisors/detail``."""

    detailed = True


class One(NewOne):
    """``/v2/{tenant_id}/os-hypervisors/{ident}``."""

    def on_get(  # type: ignore[override]
        self, req: falcon.Request, resp: falcon.Response, tenant_id: str, ident: str
    ) -> None:
        """Show one."""
        one = self.find(ident, NOVA.least)
        row = self.full(one, NOVA.least, state=self.settings.hypervisor_status_extension)
        pci = one.hypervisor.pci_stats
        reply(resp, {"hypervisor": row | ({} if pci is None else {"os-pci:pci_stats": pci})})


class Extensions(Resource):
    """``/v2/{tenant_id}/extensions``."""

    policy = {"GET": "hypervisor:list"}
    contract = {"GET": {"answer": "Extensions"}}

    def on_get(self, req: falcon.Request, resp: falcon.Response, tenant_id: str) -> None:
        """List those that are loaded."""
        loaded = [EXTENSION] if self.settings.hypervisor_status_extension else []
        reply(resp, {"extensions": loaded})


class Extension(Resource):
    """``/v2/{tenant_id}/extensions/{alias}``."""

    policy = {"GET": "hypervisor:list"}
    contract = {"GET": {"answer": "OneExtension"}}

    def on_get(
        self, req: falcon.Request, resp: falcon.Response, tenant_id: str, alias: str
    ) -> None:
        """Show one."""
        if alias != EXTENSION["alias"] or not self.settings.hypervisor_status_extension:
            raise not_found(f"There is no extension {alias}")
        reply(resp, {"extension": EXTENSION})
