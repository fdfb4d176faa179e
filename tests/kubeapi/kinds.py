"""The kinds of objects that are served, and the rules by which they differ."""

from typing import NamedTuple


class Kind(NamedTuple):
    """One resource.

    ``creates_on_update``: a PUT of what is not there makes it. ``unconditional``: a PUT needs no
    resourceVersion. ``has_status``: its status is changed at ``/status`` only.
    """

    group: str
    version: str
    plural: str
    name: str
    namespaced: bool = True
    creates_on_update: bool = False
    unconditional: bool = True
    has_status: bool = False
    short: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """As errors name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


LEASE = Kind(
    "coordination.k8s.io", "v1", "leases", "Lease", creates_on_update=True, unconditional=False
)
POD = Kind("", "v1", "pods", "Pod", has_status=True, short="po")
NAMESPACE = Kind("", "v1", "namespaces", "Namespace", namespaced=False, short="ns")
ACCOUNT = Kind("", "v1", "serviceaccounts", "ServiceAccount", short="sa")
_RBAC = "rbac.authorization.k8s.io"
ROLE = Kind(_RBAC, "v1", "roles", "Role")
BINDING = Kind(_RBAC, "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLE = Kind(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_BINDING = Kind(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)

KINDS = (
    LEASE,
    POD,
    NAMESPACE,
    ACCOUNT,
    Kind("", "v1", "configmaps", "ConfigMap", short="cm"),
    Kind("", "v1", "secrets", "Secret"),
    ROLE,
    BINDING,
    CLUSTER_ROLE,
    CLUSTER_BINDING,
    Kind("apps", "v1", "deployments", "Deployment", has_status=True, short="deploy"),
    Kind(
        "flowcontrol.apiserver.k8s.io",
        "v1",
        "flowschemas",
        "FlowSchema",
        namespaced=False,
        has_status=True,
    ),
    Kind(
        "flowcontrol.apiserver.k8s.io",
        "v1",
        "prioritylevelconfigurations",
        "PriorityLevelConfiguration",
        namespaced=False,
        has_status=True,
    ),
)
BY_PATH = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
#: What has no objects: asked for by POST, answered and forgotten.
REVIEW = ("authorization.k8s.io", "v1", "selfsubjectaccessreviews")


def discovery(group: str, version: str) -> dict[str, object] | None:
    """Return the list of resources of a group's version, as clients read it first."""
    resources = []
    for kind in KINDS:
        if (kind.group, kind.version) != (group, version):
            continue
        shown = {
            "name": kind.plural,
            "singularName": kind.name.lower(),
            "namespaced": kind.namespaced,
            "kind": kind.name,
            "verbs": list(VERBS),
        }
        if kind.short:
            shown["shortNames"] = [kind.short]
        resources.append(shown)
        if kind.has_status:
            status = {"name": f"{kind.plural}/status", "verbs": ["get", "patch", "update"]}
            resources.append({**shown, **status})
    if (group, version) == REVIEW[:2]:
        resources.append(
            {
                "name": REVIEW[2],
                "singularName": "selfsubjectaccessreview",
                "namespaced": False,
                "kind": "SelfSubjectAccessReview",
                "verbs": ["create"],
            }
        )
    if not resources:
        return None
    full = f"{group}/{version}" if group else version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": full,
        "resources": resources,
    }


def groups() -> dict[str, object]:
    """Return the list of all named groups."""
    listed = []
    for group in dict.fromkeys([kind.group for kind in KINDS if kind.group] + [REVIEW[0]]):
        version = {"groupVersion": f"{group}/v1", "version": "v1"}
        listed.append({"name": group, "versions": [version], "preferredVersion": version})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
