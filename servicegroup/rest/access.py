"""Who asks, and whether they may: credentials, roles, and the rules of oslo.policy."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple, Protocol

import falcon
from oslo_config import cfg
from oslo_policy import policy

from servicegroup.clock import boottime
from servicegroup.exceptions import ConfigurationError
from servicegroup.rest.resource import Resource

LOG = logging.getLogger(__name__)

#: Seconds until a changed policy file counts.
DECIDED_FOR = 1.0
#: Decisions that are remembered so long.
REMEMBERED = 1000
#: What a deployment may change in its policy file. Readers may look, admins may do everything.
RULES = (
    policy.RuleDefault("admin_required", "role:admin", "Who may change something."),
    policy.RuleDefault(
        "reader_required", "role:reader or role:member or role:admin", "Who may look."
    ),
    *(
        policy.DocumentedRuleDefault(
            f"servicegroup:{name}",
            f"rule:{'reader' if what.startswith(('List', 'Show')) else 'admin'}_required",
            what,
            [{"path": path, "method": method} for method, path in operations],
        )
        for name, what, operations in (
            (
                "service:list",
                "List services.",
                [("GET", "/v1/service"), ("GET", "/v2.1/os-services")],
            ),
            (
                "service:update",
                "Enable or disable a service, or declare it down.",
                [("PUT", "/v2.1/os-services/{ident}")],
            ),
            (
                "service:delete",
                "Remove a service, its record and its membership.",
                [("DELETE", "/v2.1/os-services/{ident}")],
            ),
            (
                "conductor:get",
                "List conductors, and show which serves a node.",
                [("GET", "/v1/conductors"), ("GET", "/v1/nodes/{ident}/conductor")],
            ),
            ("node:get", "List nodes with their conductors.", [("GET", "/v1/nodes")]),
            ("node:create", "Add a node to the inventory.", [("POST", "/v1/nodes")]),
            ("node:delete", "Remove a node.", [("DELETE", "/v1/nodes/{ident}")]),
            (
                "hypervisor:list",
                "List hypervisors and aggregates.",
                [("GET", "/v2.1/os-hypervisors"), ("GET", "/v2/{tenant_id}/os-hypervisors")],
            ),
            (
                "hypervisor:get",
                "Show a hypervisor.",
                [("GET", "/v2.1/os-hypervisors/{ident}")],
            ),
            ("metrics:get", "Show the metrics.", [("GET", "/metrics")]),
        )
    ),
)


class Caller(NamedTuple):
    """Who asks."""

    user: str
    roles: tuple[str, ...]


class Credentials(Protocol):
    """How callers prove who they are."""

    @property
    def challenge(self) -> str | None:
        """What is told to whoever has none, as ``WWW-Authenticate``; ``None``: others tell it."""

    def caller(self, req: falcon.Request) -> Caller | None:
        """Return who asks; ``None`` where nobody is named, or nobody believable."""


class Everybody:
    """``noauth``: whoever can reach us may do everything."""

    challenge = None

    def caller(self, req: falcon.Request) -> Caller | None:
        """Return somebody who may do everything."""
        return Caller("noauth", ("admin", "member", "reader"))


class Access:
    """The middleware that asks both questions, ahead of the resource.

    :param conf: where ``[oslo_policy]`` names a file that changes rules; ``None``: none does
    :raises ConfigurationError: that file holds no rules, or some that cannot be
    """

    def __init__(self, credentials: Credentials, conf: cfg.ConfigOpts | None) -> None:
        self._credentials = credentials
        if conf is None:
            conf = cfg.ConfigOpts()
            conf([], project="servicegroup", default_config_files=[], default_config_dirs=[])
        self._enforcer = policy.Enforcer(conf)
        self._enforcer.register_defaults(RULES)
        self._file = f"[oslo_policy] policy_file={conf.oslo_policy.policy_file}"
        self._begin()
        self._decided: dict[tuple[str, Caller], tuple[float, bool]] = {}

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: object, params: dict[str, Any]
    ) -> None:
        """Refuse who may not.

        :raises falcon.HTTPError: 401 without credentials that are believed, 403 without the role
        """
        if not isinstance(resource, Resource) or req.method not in resource.policy:
            return  # that method is not there: 405
        rule = resource.policy[req.method]
        if rule is None:
            return
        caller = self._credentials.caller(req)
        if caller is None:
            challenge = self._credentials.challenge
            raise falcon.HTTPUnauthorized(
                title="Unauthorized",
                description="The request you have made requires authentication.",
                challenges=None if challenge is None else [challenge],
            )
        req.context.caller = caller
        if not self._may(rule, caller):
            raise falcon.HTTPForbidden(
                title="Forbidden",
                description=f"Policy doesn't allow servicegroup:{rule} to be performed.",
            )

    def _may(self, rule: str, caller: Caller) -> bool:
        """Ask the policy; of one rule and one caller not at each request: that looks for files."""
        now = boottime()
        until, allowed = self._decided.get((rule, caller), (now, False))
        if now >= until:
            self._refresh()
            subject = {"user_id": caller.user, "roles": list(caller.roles)}
            allowed = self._enforcer.authorize(f"servicegroup:{rule}", {}, subject)
            if len(self._decided) >= REMEMBERED:
                self._decided.clear()
            self._decided[rule, caller] = (now + DECIDED_FOR, allowed)
        return allowed

    def _begin(self) -> None:
        enforcer = self._enforcer
        try:
            enforcer.load_rules()
            enforcer.check_rules(raise_on_violation=True)
        except Exception as error:  # whatever a file can be in place of rules
            raise ConfigurationError(
                f"{self._file} cannot be used: {_in_one_line(error)}; correct it: "
                f"'oslopolicy-sample-generator --namespace servicegroup' prints all rules"
            ) from error
        known = enforcer.registered_rules
        for name in sorted(enforcer.file_rules.keys() - known.keys()):
            if name.startswith("servicegroup:"):
                LOG.warning("%s: there is no rule %s, nobody reads it", self._file, name)

    def _refresh(self) -> None:
        try:
            self._enforcer.load_rules()
        except Exception as error:  # noqa: BLE001 - likewise; told once, then it is not new
            LOG.error("the rules stay as they were: %s: %s", self._file, _in_one_line(error))


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def list_rules() -> tuple[policy.RuleDefault, ...]:
    """Return the rules for ``oslopolicy-sample-generator --namespace servicegroup``."""
    return RULES
