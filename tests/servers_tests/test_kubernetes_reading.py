"""Lists and watches, as clients see them; on a real cluster too: see kubernetes_cluster."""

import itertools

import pytest
from kubernetes_cluster import MERGE, lease, names

pytestmark = pytest.mark.server("kubernetes")


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
