"""Nova's ``os-services``, as ``openstack compute service`` and openstacksdk use it."""

from __future__ import annotations

import functools
import uuid
from datetime import UTC, datetime
from typing import Any

import falcon

from servicegroup.exceptions import ConfigurationError, NoSuchService
from servicegroup.model import Member
from servicegroup.rest import bodies
from servicegroup.rest.answers import one_of, only, read_json, reply
from servicegroup.rest.errors import bad_request, not_found
from servicegroup.rest.microversions import Version
from servicegroup.rest.resource import Resource
from servicegroup.status import MemberStatus

FORCED_DOWN = Version(2, 11)
UUIDS = Version(2, 53)
STRICT_QUERY = Version(2, 75)

#: Nova hides its own API processes, which never report.
_HIDDEN = ("nova-osapi_compute", "nova-metadata")
#: Of members that have no record: made of their names, the same everywhere and always.
_WITHOUT_RECORD = uuid.UUID("d7a2f0a6-70cf-5a1c-9a6e-2f6c9f8c1b54")


def service_uuid(status: MemberStatus) -> str:
    """Return the uuid by which a service is known here: its record's, if it has one."""
    if status.record is not None:
        return status.record.uuid
    place = f"{len(status.group_id)}:{status.group_id}{status.member_id}"
    return str(uuid.uuid5(_WITHOUT_RECORD, place))


def service_number(status: MemberStatus) -> int:
    """Return the number by which old clients know a service."""
    if status.record is not None:
        return status.record.id
    return uuid.UUID(service_uuid(status)).int >> 97  # 31 bits


def updated_at(status: MemberStatus) -> datetime | None:
    """Return when a service was last heard of or its record changed, whichever is later."""
    heard = status.liveness.heard
    record = status.record
    if record is not None and record.updated_at is not None:
        changed = datetime.fromtimestamp(record.updated_at, UTC)
        return changed if heard is None else max(heard, changed)
    return heard


def _without_zone(when: datetime) -> str:
    return when.isoformat(timespec="microseconds").removesuffix("+00:00")


class _Services(Resource):
    def row(self, status: MemberStatus, version: Version) -> dict[str, Any]:
        """Return a service as Nova shows it."""
        record, member = status.record, status.member
        when = updated_at(status)
        row = {
            "id": service_uuid(status) if version >= UUIDS else service_number(status),
            "binary": member.name,
            "host": member.member_id,
            "zone": self.zone(member),
            "status": "enabled" if status.enabled else "disabled",
            "state": "up" if self.view.verdicts.is_up(status) else "down",
            "updated_at": None if when is None else _without_zone(when),
            "disabled_reason": None if record is None else record.disabled_reason,
        }
        if version >= FORCED_DOWN:
            row["forced_down"] = record is not None and record.forced_down
        return row

    def zone(self, member: Member) -> str:
        """Return the availability zone: what computes publish of themselves, else Nova's words."""
        if member.group_id != self.compute_group:
            return "internal"
        zone = member.attributes.get("availability_zone")
        return zone if isinstance(zone, str) and zone else "nova"

    @functools.cached_property
    def compute_group(self) -> str:
        """The group whose members run hypervisors."""
        return self.view.service_group.settings.hypervisor_group

    def find(self, ident: str, version: Version) -> MemberStatus:
        """Return the service of a uuid, or of a number for old clients.

        :raises falcon.HTTPError: no uuid or number; there is none
        """
        if version >= UUIDS:
            if not is_uuid(ident):
                raise bad_request(f"Invalid uuid {ident}")
            matches = (one for one in self.view.services() if service_uuid(one) == ident.lower())
        else:
            if not (ident.isascii() and ident.isdigit() and len(ident) < 19):
                raise bad_request(f"Invalid id {ident}")
            number = int(ident)
            matches = (one for one in self.view.services() if service_number(one) == number)
        found = next(matches, None)
        if found is None:
            raise not_found(f"Service {ident} could not be found.")
        return found


class List(_Services):
    """``/v2.1/os-services``."""

    policy = {"GET": "service:list"}
    contract = {
        "GET": {
            "query": {
                "host": ({"type": "string"}, "only of this host"),
                "binary": ({"type": "string"}, "only of this name"),
            },
            "answer": "NovaServices",
        }
    }

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List, by ``host`` and ``binary`` if asked; there are no pages, as in Nova."""
        version = req.context.version
        if version >= STRICT_QUERY:
            only(req, ("host", "binary"), "Additional properties are not allowed")
        host, binary = one_of(req, "host"), one_of(req, "binary")
        rows = [
            self.row(status, version)
            for status in self.view.services()
            if (not host or status.member_id == host)
            and (not binary or status.name == binary)
            and status.name not in _HIDDEN
        ]
        reply(resp, {"services": rows})


class One(_Services):
    """``/v2.1/os-services/{uuid}``; before 2.53 ``/v2.1/os-services/{action}``."""

    policy = {"PUT": "service:update", "DELETE": "service:delete"}
    contract = {
        "PUT": {
            "body": {"oneOf": [bodies.SERVICE_UPDATE, *bodies.SERVICE_ACTIONS.values()]},
            "answer": "NovaServiceChanged",
        },
        "DELETE": {"status": 204},
    }

    def on_put(self, req: falcon.Request, resp: falcon.Response, ident: str) -> None:
        """Enable, disable, declare down, or take that back."""
        version = req.context.version
        if version < UUIDS:
            self._act(req, resp, ident, version)
            return
        body = read_json(req, self.settings.max_body)
        bodies.check(body, bodies.SERVICE_UPDATE)
        if not is_uuid(ident):
            raise bad_request(f"Invalid uuid {ident}")
        status = self.find(ident, version)
        if status.name != "nova-compute" and status.group_id != self.compute_group:
            raise bad_request(
                f"Updating a {status.name} service is not supported. Only nova-compute services "
                f"can be updated."
            )
        wanted, reason = body.get("status"), body.get("disabled_reason")
        if wanted == "enabled" and reason is not None:
            raise bad_request("Specifying 'disabled_reason' with status 'enabled' is invalid.")
        if wanted is None and "forced_down" not in body:
            raise bad_request(
                "No updates were requested. Fields 'status' or 'forced_down' should be specified."
            )
        disabled = None if wanted is None else wanted == "disabled"
        forced = bodies.truth(body["forced_down"]) if "forced_down" in body else None
        self._set(status, disabled, reason, forced)
        after = self.view.service_group.roster.get(status.group_id, status.member_id)
        reply(resp, {"service": self.row(after, version)})

    def on_delete(self, req: falcon.Request, resp: falcon.Response, ident: str) -> None:
        """Remove for good, from the records and from the driver's store."""
        status = self.find(ident, req.context.version)
        try:
            self.view.service_group.roster.delete(status.group_id, status.member_id)
        except NoSuchService as error:  # somebody else was faster
            raise not_found(f"Service {ident} not found.") from error
        resp.status = falcon.HTTP_204

    def _act(
        self, req: falcon.Request, resp: falcon.Response, action: str, version: Version
    ) -> None:
        schema = bodies.SERVICE_ACTIONS.get(action)
        if schema is None or (action == "force-down" and version < FORCED_DOWN):
            raise not_found("Unknown action")
        body = read_json(req, self.settings.max_body)
        bodies.check(body, schema)
        host, binary = body["host"], body["binary"]
        there = [one for one in self.view.services() if one.member_id == host]
        if not there:
            raise not_found(f"Host '{host}' is not mapped to any cell")
        status = next((one for one in there if one.name == binary), None)
        if status is None:
            raise not_found(f"Could not find binary {binary} on host {host}.")
        answer: dict[str, Any] = {"host": host, "binary": binary}
        if action == "force-down":
            forced = bodies.truth(body["forced_down"])
            self._set(status, None, None, forced)
            answer["forced_down"] = forced
        else:
            disabled, reason = action != "enable", body.get("disabled_reason")
            self._set(status, disabled, reason, None)
            answer["status"] = "disabled" if disabled else "enabled"
            if reason is not None:
                answer["disabled_reason"] = reason
        reply(resp, {"service": answer})

    def _set(
        self,
        status: MemberStatus,
        disabled: bool | None,
        reason: str | None,
        forced_down: bool | None,
    ) -> None:
        try:
            services = self.view.service_group.services
        except ConfigurationError as error:  # the request is wrong here, not the server broken
            raise falcon.HTTPConflict(description=str(error)) from error
        services.set(
            status.group_id,
            status.member_id,
            disabled=disabled,
            disabled_reason=reason,
            forced_down=forced_down,
        )


def is_uuid(text: str) -> bool:
    """Whether a text is a uuid as OpenStack writes it, with or without hyphens."""
    try:
        return str(uuid.UUID(text)).replace("-", "") == text.lower().replace("-", "")
    except ValueError:
        return False
