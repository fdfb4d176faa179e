"""Nova's ``os-hypervisors`` with the state of the services that run them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import falcon

from servicegroup.exceptions import NoSuchHypervisor
from servicegroup.hypervisors import HypervisorStatus
from servicegroup.rest.answers import boolean, one_of, only, reply
from servicegroup.rest.errors import bad_request, not_found
from servicegroup.rest.microversions import Version
from servicegroup.rest.nova_services import UUIDS, is_uuid, service_number, service_uuid
from servicegroup.rest.resource import Resource

#: Since when cpu_info is an object.
CPU_OBJECT = Version(2, 28)
PAGES = Version(2, 33)
#: Since when servers are shown if asked for, also where there are none.
SERVERS = Version(2, 75)
#: Since when capacities are left to Placement, and uptime is a field.
NO_CAPACITY = Version(2, 88)

CAPACITY = (
    *("vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "free_ram_mb"),
    *("local_gb", "local_gb_used", "free_disk_gb", "disk_available_least"),
    *("running_vms", "current_workload"),
)
_PARAMETERS = ("limit", "marker", "hypervisor_hostname_pattern", "with_servers")


class HypervisorResource(Resource):
    """What all resources of hypervisors do."""

    def short(self, one: HypervisorStatus, version: Version, *, state: bool = True) -> Any:
        """Return what a list shows of a hypervisor; *state*: also how its service is."""
        hypervisor = one.hypervisor
        row: dict[str, Any] = {
            "id": hypervisor.uuid if version >= UUIDS else hypervisor.id,
            "hypervisor_hostname": hypervisor.hypervisor_hostname,
        }
        if state:
            up = one.service is not None and self.view.verdicts.is_up(one.service)
            row |= {"state": "up" if up else "down", "status": one.status}
        return row

    def full(self, one: HypervisorStatus, version: Version, *, state: bool = True) -> Any:
        """Return everything that is known of a hypervisor."""
        hypervisor, service = one.hypervisor, one.service
        ident: str | int | None = None
        if service is not None:
            ident = service_uuid(service) if version >= UUIDS else service_number(service)
        shown: dict[str, Any] = {"id": ident, "host": hypervisor.host}
        if state:
            shown["disabled_reason"] = one.disabled_reason
        row: dict[str, Any] = self.short(one, version, state=state) | {
            "hypervisor_type": hypervisor.hypervisor_type,
            "hypervisor_version": hypervisor.hypervisor_version,
            "host_ip": hypervisor.host_ip,
            "service": shown,
        }
        if version >= NO_CAPACITY:
            return row | {"uptime": self.uptime(one)}
        row |= {name: getattr(hypervisor, name) for name in CAPACITY}
        cpu = hypervisor.cpu_info
        if version < CPU_OBJECT:
            cpu = "" if cpu is None else json.dumps(cpu)
        return row | {"cpu_info": cpu}

    def find(self, ident: str, version: Version) -> HypervisorStatus:
        """Return the hypervisor of a uuid, or of a number for old clients.

        :raises falcon.HTTPError: there is none, or no uuid where only they are known
        """
        if version >= UUIDS and not is_uuid(ident):
            raise bad_request(f"Invalid uuid {ident}")
        missing = not_found(f"Hypervisor with ID '{ident}' could not be found.")
        if version < UUIDS and not (ident.isascii() and ident.isdigit() and len(ident) < 19):
            raise missing
        try:
            one = self.view.hypervisor(ident.lower())
        except NoSuchHypervisor as error:
            raise missing from error
        known = (one.hypervisor.uuid, str(one.hypervisor.id))[version < UUIDS]
        if known != ident.lower():  # it is somebody's name
            raise missing
        return one

    def matching(self, pattern: str) -> Sequence[HypervisorStatus]:
        """Return those with *pattern* in their names.

        :raises falcon.HTTPError: there are none
        """
        names = ((one, one.hypervisor.hypervisor_hostname) for one in self.view.hypervisors())
        found = [one for one, name in names if pattern in name]
        if not found:
            raise not_found(f"No hypervisor matching '{pattern}' could be found.")
        return found

    @staticmethod
    def uptime(one: HypervisorStatus) -> str | None:
        """Return what the service of a hypervisor publishes as that of its host, if it is up."""
        if one.service is None or not one.service.is_up:
            return None
        text = one.service.attributes.get("uptime")
        return text if isinstance(text, str) else None


class List(HypervisorResource):
    """``/v2.1/os-hypervisors``."""

    policy = {"GET": "hypervisor:list"}
    contract = {
        "GET": {
            "query": {
                "limit": ({"type": "integer", "minimum": 0}, "at most so many"),
                "marker": ({"type": "string"}, "id of the last one of the page before"),
                "hypervisor_hostname_pattern": ({"type": "string"}, "only those with it in it"),
                "with_servers": ({"type": "boolean"}, "of which none are known"),
            },
            "answer": "Hypervisors",
        }
    }
    path, detailed = "/v2.1/os-hypervisors", False

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List a page: two queries, whatever the number."""
        version = req.context.version
        if version >= UUIDS:
            only(req, _PARAMETERS, "Additional properties are not allowed")
        limit, marker = self._limit(req), one_of(req, "marker")
        pattern = one_of(req, "hypervisor_hostname_pattern") if version >= UUIDS else None
        if pattern is not None and (limit is not None or marker is not None):
            raise bad_request(
                "Paging over hypervisors with the hypervisor_hostname_pattern query parameter is "
                "not supported."
            )
        found = self.view.hypervisors() if pattern is None else self.matching(pattern)
        page, further = found, False
        if version >= PAGES:
            if marker is not None:
                found = _after(found, marker, version)
            most = self.settings.max_limit
            page = found[: min(limit or most, most)]
            further = len(found) > len(page)
        show = self.full if self.detailed else self.short
        rows = [show(one, version) for one in page]
        if version >= UUIDS and boolean(req, "with_servers") and version >= SERVERS:
            for row in rows:
                row["servers"] = []  # of them nothing is known here
        body: dict[str, Any] = {"hypervisors": rows}
        if further:
            query = {"limit": len(page), "marker": body["hypervisors"][-1]["id"]}
            href = f"{req.prefix}{self.path}?{urlencode(query)}"
            body["hypervisors_links"] = [{"rel": "next", "href": href}]
        reply(resp, body)

    @staticmethod
    def _limit(req: falcon.Request) -> int | None:
        text = one_of(req, "limit")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise bad_request(
                f"Invalid input for query parameters limit. Value: {text[:80]}. It is no whole "
                f"number from 0 up"
            )
        return int(text)


class Detail(List):
    """``/v2.1/os-hypervisors/detail``."""

    path, detailed = "/v2.1/os-hypervisors/detail", True


class One(HypervisorResource):
    """``/v2.1/os-hypervisors/{ident}``."""

    policy = {"GET": "hypervisor:get"}
    contract = {"GET": {"answer": "OneHypervisor"}}

    def on_get(self, req: falcon.Request, resp: falcon.Response, ident: str) -> None:
        """Show one."""
        version = req.context.version
        if version >= UUIDS:
            only(req, ("with_servers",), "Additional properties are not allowed")
        reply(resp, {"hypervisor": self.full(self.find(ident, version), version)})


class Aggregates(Resource):
    """``/v2.1/os-aggregates``: we know of none, but clients ask for them beside a hypervisor."""

    policy = {"GET": "hypervisor:list"}
    contract = {"GET": {"answer": "Aggregates"}}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List none."""
        reply(resp, {"aggregates": []})


def _after(found: Any, marker: str, version: Version) -> Any:
    for index, one in enumerate(found):
        ident = one.hypervisor.uuid if version >= UUIDS else str(one.hypervisor.id)
        if ident == marker.lower():
            return found[index + 1 :]
    raise bad_request(f"marker [{marker}] not found")
