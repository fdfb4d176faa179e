"""Who asks, by a bearer token, and what the stored roles let them do."""

import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

from kubeapi.kinds import ACCOUNT, BINDING, CLUSTER_BINDING, CLUSTER_ROLE, ROLE, Kind
from kubeapi.status import StatusError
from kubeapi.store import Store

MASTERS = "system:masters"


class User(NamedTuple):
    """Who asks."""

    name: str
    groups: tuple[str, ...]


class Attributes(NamedTuple):
    """What is asked for: to do *verb* to *resource* (``pods/status``) of *group*."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str = ""


class Access:
    """Tokens, each of a user; rights from the roles and bindings in the store."""

    def __init__(self, store: Store, admin_token: str, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._tokens: dict[str, tuple[User, float]] = {}
        self.grant(admin_token, User("admin", (MASTERS, "system:authenticated")))

    def grant(self, token: str, user: User, seconds: float = float("inf")) -> None:
        """Let a token stand for a user."""
        self._tokens[token] = (user, self._clock() + seconds)

    def revoke(self, token: str) -> None:
        """Let a token stand for nobody."""
        self._tokens.pop(token, None)

    def account_token(self, namespace: str, name: str, seconds: float) -> str:
        """Return a new token of a service account, which is good for some seconds."""
        groups = (
            "system:serviceaccounts",
            f"system:serviceaccounts:{namespace}",
            "system:authenticated",
        )
        token = secrets.token_urlsafe(24)
        self.grant(token, User(f"system:serviceaccount:{namespace}:{name}", groups), seconds)
        return token

    def user(self, header: str | None) -> User:
        """Return who sent an ``Authorization`` header.

        :raises StatusError: 401, nobody that is known
        """
        scheme, _, token = (header or "").partition(" ")
        found = self._tokens.get(token.strip()) if scheme.lower() == "bearer" else None
        if found is None or self._clock() > found[1] or not self._there(found[0]):
            raise StatusError(401, "Unauthorized", "Unauthorized")
        return found[0]

    def check(self, user: User, asked: Attributes, kind: Kind | None) -> None:
        """Refuse what no role allows.

        :raises StatusError: 403, with the words of a real server
        """
        if self.allows(user, asked):
            return
        resource = f'{asked.resource}" in API group "{asked.group}'
        where = (
            f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
        )
        full = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
        name = f' "{asked.name}"' if asked.name else ""
        raise StatusError(
            403,
            "Forbidden",
            f'{full}{name} is forbidden: User "{user.name}" cannot {asked.verb} resource '
            f'"{resource}" {where}',
            {"name": asked.name, "group": asked.group, "kind": kind.plural if kind else ""},
        )

    def allows(self, user: User, asked: Attributes) -> bool:
        """Whether some role lets this user do that."""
        if MASTERS in user.groups or not asked.resource:
            return True
        if asked.resource == "selfsubjectaccessreviews":
            return True
        bindings = [(item.obj, "") for item in self._store.all(CLUSTER_BINDING)]
        if asked.namespace:
            bindings += [
                (item.obj, asked.namespace)
                for item in self._store.all(BINDING)
                if item.key[0] == asked.namespace
            ]
        return any(
            self._role_allows(binding["roleRef"], namespace, asked)
            for binding, namespace in bindings
            if any(_is(user, subject) for subject in binding.get("subjects") or ())
        )

    def _role_allows(self, reference: dict[str, Any], namespace: str, asked: Attributes) -> bool:
        whole = reference["kind"] == "ClusterRole"
        kind, key = (CLUSTER_ROLE, "") if whole else (ROLE, namespace)
        role = self._store.get(kind, (key, reference["name"]))
        return role is not None and any(_fits(rule, asked) for rule in role.obj.get("rules") or ())

    def _there(self, user: User) -> bool:
        """Whether a service account still is."""
        kind, _, account = user.name.rpartition("serviceaccount:")
        if not kind:
            return True
        namespace, _, name = account.partition(":")
        return self._store.get(ACCOUNT, (namespace, name)) is not None


def _is(user: User, subject: dict[str, Any]) -> bool:
    if subject["kind"] == "ServiceAccount":
        return user.name == f"system:serviceaccount:{subject['namespace']}:{subject['name']}"
    if subject["kind"] == "Group":
        return subject["name"] in user.groups
    return bool(subject["name"] == user.name)


def _fits(rule: dict[str, Any], asked: Attributes) -> bool:
    def has(field: str, value: str) -> bool:
        return "*" in (rule.get(field) or ()) or value in (rule.get(field) or ())

    if not (has("verbs", asked.verb) and has("apiGroups", asked.group)):
        return False
    if not has("resources", asked.resource):
        return False
    # By name nothing can be limited that does not have one yet.
    return not rule.get("resourceNames") or asked.name in rule["resourceNames"]
