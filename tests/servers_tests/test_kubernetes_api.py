"""What is stored and changed, as clients see it; on a real cluster too: see kubernetes_cluster."""

import pytest
from kubernetes_cluster import MERGE, lease, named, names, pod

TIME = "2026-01-02T03:04:05.000000Z"

pytestmark = pytest.mark.server("kubernetes")


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
