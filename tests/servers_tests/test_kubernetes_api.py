"""The API as clients see it. The same tests run on a real cluster: see kubernetes_cluster."""

import itertools

import httpx2
import pytest
from kubernetes_cluster import LEASES, lease, named, pod

MERGE = "application/merge-patch+json"
TIME = "2026-01-02T03:04:05.000000Z"

pytestmark = pytest.mark.server("kubernetes")


def names(listed):
    return [one["metadata"]["name"] for one in listed["items"]]


class TestObjects:
    def test_a_lease_is_created_read_and_deleted(self, cluster):
        made = cluster.ask("POST", cluster.leases, lease("a", {"renewTime": TIME}), expect=201)
        metadata = made["metadata"]
        assert metadata["uid"]
        assert metadata["resourceVersion"].isdigit()
        assert metadata["creationTimestamp"].endswith("Z")
        assert metadata["namespace"] == cluster.namespace
        assert made["spec"] == {"renewTime": TIME}
        assert cluster.ask("GET", f"{cluster.leases}/a") == made
        done = cluster.ask("DELETE", f"{cluster.leases}/a")
        assert (done["kind"], done["status"]) == ("Status", "Success")
        gone = cluster.ask("GET", f"{cluster.leases}/a", expect=404)
        assert (gone["reason"], gone["details"]["name"]) == ("NotFound", "a")

    def test_a_name_is_taken_once_and_may_be_generated(self, cluster):
        cluster.ask("POST", cluster.leases, lease("a"), expect=201)
        again = cluster.ask("POST", cluster.leases, lease("a"), expect=409)
        assert again["reason"] == "AlreadyExists"
        body = lease("")
        body["metadata"] = {"generateName": "beat-"}
        made = [cluster.ask("POST", cluster.leases, body, expect=201) for _ in range(2)]
        generated = [one["metadata"]["name"] for one in made]
        assert all(one.startswith("beat-") and len(one) == 10 for one in generated)
        assert generated[0] != generated[1]

    @pytest.mark.parametrize(
        ("code", "spec", "metadata"),
        [
            (422, {"leaseDurationSeconds": 0}, {}),
            (422, {"leaseTransitions": -1}, {}),
            (422, {"preferredHolder": "x"}, {}),
            (400, {"leaseDurationSeconds": "15"}, {}),
            (400, {"leaseDurationSeconds": 1.5}, {}),
            (400, {"leaseDurationSeconds": True}, {}),
            (400, {"renewTime": "yesterday"}, {}),
            (400, {"renewTime": "2026-01-02T03:04:05Z"}, {}),
            (400, {"renewTime": "2026-01-02T03:04:05.123Z"}, {}),
            (400, {"holderIdentity": 1}, {}),
            (422, {}, {"name": "Capital"}),
            (422, {}, {"name": "a_b"}),
            (422, {}, {"name": "x" * 254}),
            (422, {}, {"name": ""}),
            (422, {}, {"labels": {"a": "x" * 64}}),
            (422, {}, {"labels": {"a": "-x"}}),
            (422, {}, {"labels": {"a/b/c": "x"}}),
            (400, {}, {"labels": {"a": 1}}),
            (422, {}, {"annotations": {"a": "x" * (256 * 1024)}}),
            (422, {}, {"ownerReferences": [{"kind": "Pod", "name": "p", "apiVersion": "v1"}]}),
            (400, {}, {"namespace": "elsewhere"}),
        ],
    )
    def test_what_breaks_a_rule_is_refused(self, cluster, code, spec, metadata):
        body = lease("a", spec)
        body["metadata"].update(metadata)
        refused = cluster.ask("POST", cluster.leases, body, expect=code)
        assert refused["reason"] == {400: "BadRequest", 422: "Invalid"}[code]
        assert names(cluster.ask("GET", cluster.leases)) == []

    def test_what_is_no_object_is_refused(self, cluster):
        for body in (b"{", b"[]", b"1"):
            cluster.ask("POST", cluster.leases, body, expect=400)
        cluster.ask("POST", cluster.leases, pod("a"), expect=400)

    def test_micro_times_are_kept_in_utc(self, cluster):
        spec = {"renewTime": "2026-01-02T05:04:05.000001+02:00", "acquireTime": None}
        made = cluster.ask("POST", cluster.leases, lease("a", spec), expect=201)
        assert made["spec"] == {"renewTime": "2026-01-02T03:04:05.000001Z"}

    def test_unknown_fields_are_dropped_or_refused_where_that_is_asked(self, cluster):
        body = lease("a", {"colour": "red"})
        cluster.ask("POST", cluster.leases, body, expect=400, fieldValidation="Strict")
        assert cluster.ask("POST", cluster.leases, body, expect=201)["spec"] == {}


class TestChanges:
    def test_a_put_needs_the_version_that_is_there(self, cluster):
        made = cluster.ask("POST", cluster.leases, lease("a"), expect=201)
        bare = lease("a", {"holderIdentity": "x"})
        refused = cluster.ask("PUT", f"{cluster.leases}/a", bare, expect=422)
        assert "must be specified for an update" in refused["message"]
        made["spec"] = {"holderIdentity": "x"}
        changed = cluster.ask("PUT", f"{cluster.leases}/a", made)
        assert int(changed["metadata"]["resourceVersion"]) > int(
            made["metadata"]["resourceVersion"]
        )
        assert changed["metadata"]["uid"] == made["metadata"]["uid"]
        made["spec"] = {"holderIdentity": "y"}
        assert cluster.ask("PUT", f"{cluster.leases}/a", made, expect=409)["reason"] == "Conflict"
        changed["metadata"]["uid"] = "00000000-0000-4000-8000-000000000000"
        changed["spec"] = {"holderIdentity": "y"}
        cluster.ask("PUT", f"{cluster.leases}/a", changed, expect=409)

    def test_a_put_that_changes_nothing_is_not_written(self, cluster):
        made = cluster.ask("POST", cluster.leases, lease("a", {"renewTime": TIME}), expect=201)
        again = cluster.ask("PUT", f"{cluster.leases}/a", made)
        assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]

    def test_a_put_makes_a_lease_that_is_not_there(self, cluster):
        cluster.ask("PUT", f"{cluster.leases}/a", lease("a"), expect=201)
        cluster.ask("PUT", f"{cluster.leases}/b", lease("a"), expect=400)
        made = cluster.ask("GET", f"{cluster.leases}/a")
        cluster.ask("DELETE", f"{cluster.leases}/a")
        cluster.ask("PUT", f"{cluster.leases}/a", made, expect=409)
        cluster.ask("PUT", f"{cluster.pods}/p", pod("p"), expect=404)

    def test_patches(self, cluster):
        made = cluster.ask("POST", cluster.leases, lease("a", labels={"a": "1"}), expect=201)
        place = f"{cluster.leases}/a"
        patch = {"metadata": {"labels": {"a": None, "b": "2"}}, "spec": {"holderIdentity": "x"}}
        changed = cluster.ask("PATCH", place, patch, kind=MERGE)
        assert changed["metadata"]["labels"] == {"b": "2"}
        assert changed["spec"] == {"holderIdentity": "x"}
        patch["metadata"] = {"resourceVersion": made["metadata"]["resourceVersion"]}
        cluster.ask("PATCH", place, patch, kind=MERGE, expect=409)
        steps = [{"op": "test", "path": "/spec/holderIdentity", "value": "y"}]
        cluster.ask("PATCH", place, steps, kind="application/json-patch+json", expect=422)
        steps = [{"op": "replace", "path": "/spec/holderIdentity", "value": "z"}]
        changed = cluster.ask("PATCH", place, steps, kind="application/json-patch+json")
        assert changed["spec"]["holderIdentity"] == "z"
        cluster.ask("PATCH", place, {"spec": {"leaseTransitions": -1}}, kind=MERGE, expect=422)
        cluster.ask("PATCH", place, {}, kind="text/plain", expect=415)

    def test_a_delete_may_have_conditions(self, cluster):
        made = cluster.ask("POST", cluster.leases, lease("a"), expect=201)
        metadata = made["metadata"]
        for wrong in ({"uid": "x"}, {"resourceVersion": "1"}):
            options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": wrong}
            cluster.ask("DELETE", f"{cluster.leases}/a", options, expect=409)
        right = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        cluster.ask("DELETE", f"{cluster.leases}/a", {"preconditions": right})
        cluster.ask("DELETE", f"{cluster.leases}/a", expect=404)


class TestLists:
    def test_selectors(self, cluster):
        for name, labels in {"a": {"x": "1"}, "b": {"x": "2", "y": "1"}, "c": {}}.items():
            cluster.ask("POST", cluster.leases, lease(name, labels=labels), expect=201)
        cases = {
            "x=1": ["a"],
            "x==2,y=1": ["b"],
            "x!=1": ["b", "c"],
            "x in (1,2)": ["a", "b"],
            "x notin (1)": ["b", "c"],
            "x": ["a", "b"],
            "!x": ["c"],
            "": ["a", "b", "c"],
        }
        for selector, expected in cases.items():
            assert names(cluster.ask("GET", cluster.leases, labelSelector=selector)) == expected
        one = cluster.ask("GET", cluster.leases, fieldSelector="metadata.name=b")
        assert names(one) == ["b"]
        cluster.ask("GET", cluster.leases, fieldSelector="spec.holderIdentity=b", expect=400)
        cluster.ask("GET", cluster.leases, labelSelector="x in", expect=400)
        cluster.ask("DELETE", cluster.leases, labelSelector="x")
        assert names(cluster.ask("GET", cluster.leases)) == ["c"]

    def test_pages_show_one_moment(self, cluster):
        for number in range(5):
            cluster.ask("POST", cluster.leases, lease(f"l{number}"), expect=201)
        first = cluster.ask("GET", cluster.leases, limit=2)
        assert names(first) == ["l0", "l1"]
        assert first["metadata"]["remainingItemCount"] == 3
        cluster.ask("DELETE", f"{cluster.leases}/l2")
        cluster.ask("POST", cluster.leases, lease("l9"), expect=201)
        token = first["metadata"]["continue"]
        second = cluster.ask("GET", cluster.leases, limit=2, **{"continue": token})
        assert names(second) == ["l2", "l3"]
        assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        token = second["metadata"]["continue"]
        third = cluster.ask("GET", cluster.leases, limit=2, **{"continue": token})
        assert names(third) == ["l4"]
        assert not third["metadata"].get("continue")
        cluster.ask("GET", cluster.leases, limit=2, expect=400, **{"continue": "rubbish"})

    def test_a_page_that_is_too_old_can_be_gone_on_from_as_it_is_now(self, cluster, control):
        for number in range(3):
            cluster.ask("POST", cluster.leases, lease(f"l{number}"), expect=201)
        first = cluster.ask("GET", cluster.leases, limit=1)
        cluster.ask("DELETE", f"{cluster.leases}/l1")
        control("compact")
        token = first["metadata"]["continue"]
        gone = cluster.ask("GET", cluster.leases, limit=1, expect=410, **{"continue": token})
        assert gone["reason"] == "Expired"
        token = gone["metadata"]["continue"]
        rest = cluster.ask("GET", cluster.leases, limit=1, **{"continue": token})
        assert names(rest) == ["l2"]

    def test_a_version_that_never_was(self, cluster):
        cluster.ask("GET", cluster.leases, resourceVersion="999999999999", expect=504)
        cluster.ask("GET", cluster.leases, resourceVersion="x", expect=400)


class TestWatches:
    def test_changes_since_a_version_come_in_order(self, cluster):
        version = cluster.ask("GET", cluster.leases)["metadata"]["resourceVersion"]
        made = cluster.ask("POST", cluster.leases, lease("a"), expect=201)
        made["spec"] = {"holderIdentity": "x"}
        cluster.ask("PUT", f"{cluster.leases}/a", made)
        cluster.ask("DELETE", f"{cluster.leases}/a")
        events = list(cluster.watch(cluster.leases, resourceVersion=version))
        assert [one["type"] for one in events] == ["ADDED", "MODIFIED", "DELETED"]
        assert events[2]["object"]["spec"] == {"holderIdentity": "x"}
        versions = [int(one["object"]["metadata"]["resourceVersion"]) for one in events]
        assert versions == sorted(versions)
        middle = str(versions[0])
        later = cluster.watch(cluster.leases, resourceVersion=middle)
        assert [one["type"] for one in later] == ["MODIFIED", "DELETED"]

    def test_without_a_version_what_is_there_comes_first(self, cluster):
        cluster.ask("POST", cluster.leases, lease("a"), expect=201)
        events = cluster.watch(cluster.leases, 2)
        assert next(events)["object"]["metadata"]["name"] == "a"
        cluster.ask("POST", cluster.leases, lease("b"), expect=201)
        assert next(events)["object"]["metadata"]["name"] == "b"
        events.close()

    def test_a_selector_sees_what_comes_to_fit_and_what_no_longer_does(self, cluster):
        version = cluster.ask("GET", cluster.leases)["metadata"]["resourceVersion"]
        cluster.ask("POST", cluster.leases, lease("a"), expect=201)
        for value in ("1", "2", None):
            patch = {"metadata": {"labels": {"x": value}}}
            cluster.ask("PATCH", f"{cluster.leases}/a", patch, kind=MERGE)
        query = {"resourceVersion": version, "labelSelector": "x=1"}
        events = list(cluster.watch(cluster.leases, **query))
        assert [one["type"] for one in events] == ["ADDED", "DELETED"]

    def test_bookmarks_come_to_those_who_ask(self, cluster, control):
        control("bookmarks", interval=0.1)
        version = cluster.ask("GET", cluster.leases)["metadata"]["resourceVersion"]
        asked = {"resourceVersion": version, "allowWatchBookmarks": "true"}
        for event in itertools.islice(cluster.watch(cluster.leases, 2, **asked), 2):
            assert event["type"] == "BOOKMARK"
            assert int(event["object"]["metadata"]["resourceVersion"]) >= int(version)
        assert list(cluster.watch(cluster.leases, resourceVersion=version)) == []

    def test_a_version_that_is_too_old_is_gone(self, cluster, control):
        version = cluster.ask("GET", cluster.leases)["metadata"]["resourceVersion"]
        cluster.ask("POST", cluster.leases, lease("a"), expect=201)
        control("compact")
        (event,) = cluster.watch(cluster.leases, resourceVersion=version)
        assert event["type"] == "ERROR"
        assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


class TestPods:
    def test_status_is_changed_apart(self, cluster, control):
        made = cluster.ask("POST", cluster.pods, pod("p", nodeName="n1"), expect=201)
        assert made["status"]["phase"] == "Pending"
        made["status"] = {"phase": "Running"}
        assert cluster.ask("PUT", f"{cluster.pods}/p", made)["status"]["phase"] == "Pending"
        patch = {"status": {"phase": "Running"}, "metadata": {"labels": {"a": "b"}}}
        changed = cluster.ask("PATCH", f"{cluster.pods}/p/status", patch, kind=MERGE)
        assert changed["status"]["phase"] == "Running"
        assert "labels" not in changed["metadata"]
        for selector in ("spec.nodeName=n1", "status.phase=Running", "status.phase!=Pending"):
            assert names(cluster.ask("GET", cluster.pods, fieldSelector=selector)) == ["p"]
        patch = {"spec": {"nodeName": "n2"}}
        cluster.ask("PATCH", f"{cluster.pods}/p", patch, kind=MERGE, expect=422)
        cluster.ask("POST", cluster.pods, named("Pod", "v1", "q", spec={}), expect=422)

    def test_a_pod_has_time_to_end(self, cluster, control):
        cluster.ask("POST", cluster.pods, pod("p", nodeName="n1"), expect=201)
        dying = cluster.ask("DELETE", f"{cluster.pods}/p", {"gracePeriodSeconds": 5})
        assert dying["metadata"]["deletionGracePeriodSeconds"] == 5
        assert "deletionTimestamp" in cluster.ask("GET", f"{cluster.pods}/p")["metadata"]
        control("collect")
        cluster.ask("GET", f"{cluster.pods}/p")
        control("step_clock", seconds=6)
        assert control("collect") == ["p"]
        control("step_clock", seconds=-6)
        cluster.ask("GET", f"{cluster.pods}/p", expect=404)
        cluster.ask("POST", cluster.pods, pod("q", nodeName="n1"), expect=201)
        cluster.ask("DELETE", f"{cluster.pods}/q", {"gracePeriodSeconds": 0})
        cluster.ask("GET", f"{cluster.pods}/q", expect=404)

    def test_what_a_pod_owns_goes_with_it_and_what_nobody_owns_goes_at_once(self, cluster):
        made = cluster.ask("POST", cluster.pods, pod("p"), expect=201)
        owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": made["metadata"]["uid"]}
        wrong = {**owner, "uid": "00000000-0000-4000-8000-000000000000"}
        for name, owners in {"owned": [owner], "wrong": [wrong], "both": [owner, wrong]}.items():
            cluster.ask("POST", cluster.leases, lease(name, ownerReferences=owners), expect=201)
        cluster.ask("POST", cluster.leases, lease("free"), expect=201)
        self._collect(cluster)
        cluster.eventually(f"{cluster.leases}/wrong", 404)
        assert names(cluster.ask("GET", cluster.leases)) == ["both", "free", "owned"]
        cluster.ask("DELETE", f"{cluster.pods}/p", {"gracePeriodSeconds": 0})
        self._collect(cluster)
        cluster.eventually(f"{cluster.leases}/owned", 404)
        cluster.eventually(f"{cluster.leases}/both", 404)
        assert names(cluster.ask("GET", cluster.leases)) == ["free"]

    def _collect(self, cluster):
        if cluster.server is not None:
            cluster.server.tell("collect")


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


class TestFaults:
    """Of our own server only."""

    def test_answers_on_demand(self, cluster, control):
        headers = {"Retry-After": "1"}
        control("fault", kind="status", verb="list", code=429, headers=headers, times=1)
        answer = cluster.http.get(cluster.leases)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        assert cluster.http.get(cluster.leases).status_code == 200
        control("fault", kind="reset", verb="get", times=1)
        with pytest.raises(httpx2.TransportError):
            cluster.http.get(f"{cluster.leases}/a")
        control("fault", kind="black_hole", path=".*/leases/b", times=1)
        with pytest.raises(httpx2.ReadTimeout):
            cluster.http.get(f"{cluster.leases}/b", timeout=0.2)
        control("fault", kind="lost", verb="create", times=1)
        with pytest.raises(httpx2.TransportError):
            cluster.http.post(cluster.leases, json=lease("c"))
        assert names(cluster.ask("GET", cluster.leases)) == ["c"]

    def test_watches_that_fall_silent_and_end(self, cluster, control):
        version = cluster.ask("GET", cluster.leases)["metadata"]["resourceVersion"]
        events = cluster.watch(cluster.leases, 10, resourceVersion=version)
        control("freeze_watches", frozen=True)
        cluster.ask("POST", cluster.leases, lease("a"), expect=201)
        query = {"watch": "1", "resourceVersion": version}
        with (
            pytest.raises(httpx2.ReadTimeout),
            cluster.http.stream("GET", cluster.leases, params=query, timeout=0.2) as answer,
        ):
            next(answer.iter_lines())
        control("freeze_watches", frozen=False)
        assert next(events)["object"]["metadata"]["name"] == "a"
        control("drop_watches")
        assert list(events) == []

    def test_everything_is_kept_over_a_restart(self, kubernetes_server):
        server = kubernetes_server()
        place = f"{LEASES}/namespaces/default/leases"
        for name in "abc":
            assert server.request("POST", place, lease(name))[0] == 201
        server.request("DELETE", f"{place}/b")
        before = server.request("GET", place)[1]
        server.kill()
        server.start()
        assert server.request("GET", place)[1] == before
        status, _ = server.request("GET", f"{place}?limit=1&continue=WzIsICIiXQ==")
        assert status == 410, "what was watched or paged before is too old now"
