"""Who may do what, as clients see it; on a real cluster too: see kubernetes_cluster."""

import httpx2
import pytest
from kubernetes_cluster import LEASES, lease, named

pytestmark = pytest.mark.server("kubernetes")


class TestRights:
    def token(self, cluster, account):
        place = f"/api/v1/namespaces/{cluster.namespace}/serviceaccounts"
        cluster.ask("POST", place, named("ServiceAccount", "v1", account), expect=201)
        head = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        body = {**head, "spec": {"expirationSeconds": 600}}
        made = cluster.ask("POST", f"{place}/{account}/token", body, expect=201)
        return made["status"]["token"]

    def bind(self, cluster, account, *verbs):
        rbac = "rbac.authorization.k8s.io"
        place = f"/apis/{rbac}/v1/namespaces/{cluster.namespace}"
        rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs}
        role = named("Role", f"{rbac}/v1", "some", rules=[rule])
        cluster.ask("POST", f"{place}/roles", role, expect=201)
        who = {"kind": "ServiceAccount", "name": account, "namespace": cluster.namespace}
        reference = {"apiGroup": rbac, "kind": "Role", "name": "some"}
        binding = named("RoleBinding", f"{rbac}/v1", "some", roleRef=reference, subjects=[who])
        cluster.ask("POST", f"{place}/rolebindings", binding, expect=201)

    def ask(self, cluster, token, method="GET", path=None, scheme="Bearer", **how):
        headers = {"Authorization": f"{scheme} {token}"}
        place = path or cluster.leases
        auth = httpx2.Auth()  # none but the header
        return cluster.http.request(method, place, headers=headers, auth=auth, **how)

    def test_who_is_nobody_may_do_nothing(self, cluster):
        for scheme in ("Bearer", "Basic"):
            answer = self.ask(cluster, "wrong", scheme=scheme)
            assert (answer.status_code, answer.json()["reason"]) == (401, "Unauthorized")

    def test_roles_say_who_may_do_what(self, cluster):
        token = self.token(cluster, "daemon")
        refused = self.ask(cluster, token)
        assert refused.status_code == 403
        assert "cannot list resource" in refused.json()["message"]
        self.bind(cluster, "daemon", "list", "create")
        assert self.ask(cluster, token).status_code == 200
        assert self.ask(cluster, token, scheme="bearer").status_code == 200, "in any case"
        assert self.ask(cluster, token, "POST", json=lease("a")).status_code == 201
        assert self.ask(cluster, token, "DELETE", f"{cluster.leases}/a").status_code == 403
        assert self.ask(cluster, token, path=f"{LEASES}/leases").status_code == 403
        other = f"{LEASES}/namespaces/default/leases"
        assert self.ask(cluster, token, path=other).status_code == 403
        assert self.ask(cluster, token, path=f"{cluster.leases}?watch=1").status_code == 403

    def test_a_token_ends_with_its_account(self, cluster, control):
        token = self.token(cluster, "daemon")
        self.bind(cluster, "daemon", "list")
        assert self.ask(cluster, token).status_code == 200
        control("step_clock", seconds=601)
        assert self.ask(cluster, token).status_code == 401
        control("step_clock", seconds=-601)
        assert self.ask(cluster, token).status_code == 200
        control("revoke", token=token)
        assert self.ask(cluster, token).status_code == 401

    def test_one_may_ask_what_one_may(self, cluster):
        token = self.token(cluster, "daemon")
        self.bind(cluster, "daemon", "list")
        group = "authorization.k8s.io"
        for verb, allowed in {"list": True, "create": False}.items():
            wanted = {"group": "coordination.k8s.io", "resource": "leases", "verb": verb}
            wanted["namespace"] = cluster.namespace
            review = {"apiVersion": f"{group}/v1", "kind": "SelfSubjectAccessReview"}
            review["spec"] = {"resourceAttributes": wanted}
            path = f"/apis/{group}/v1/selfsubjectaccessreviews"
            answer = self.ask(cluster, token, "POST", path, json=review)
            assert answer.json()["status"]["allowed"] is allowed
