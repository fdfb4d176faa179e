"""``/metrics``: for Prometheus, of this process and of what it sees."""

from __future__ import annotations

import collections
import time
from collections.abc import Iterator
from typing import Any

import falcon
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily

from servicegroup.exceptions import ConfigurationError, DriverUnavailable, ServiceGroupError
from servicegroup.model import EventType, State
from servicegroup.rest.options import ApiSettings
from servicegroup.rest.resource import Resource
from servicegroup.rest.view import View
from servicegroup.status import Cause, Event

#: Seconds: from a killed process whose guardian spoke to the longest usual ``service_down_time``.
DETECTIONS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 75, 90, 120, 300)


class Members:
    """Counts members at each scrape, through the watches: none is asked of the store for it."""

    def __init__(self, view: View) -> None:
        self._view = view

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges."""
        members = GaugeMetricFamily(
            "servicegroup_members", "Members, by group and verdict.", labels=("group", "state")
        )
        oldest = GaugeMetricFamily(
            "servicegroup_oldest_beat_seconds",
            "Age of the oldest sign of life among members that are up, by group.",
            labels=("group",),
        )
        up = GaugeMetricFamily(
            "servicegroup_store_up", "Whether the members could be read: 1 or 0.", value=None
        )
        began = time.perf_counter()
        try:
            statuses = self._view.members()
        except ServiceGroupError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        counts: collections.Counter[tuple[str, State]] = collections.Counter()
        ages: dict[str, float] = {}
        for status in statuses:
            counts[status.group_id, status.state] += 1
            if status.is_up and status.liveness.age is not None:
                ages[status.group_id] = max(ages.get(status.group_id, 0.0), status.liveness.age)
        for group in sorted({group for group, _ in counts}):
            for state in State:
                members.add_metric([group, state.value], counts[group, state])
        for group, age in sorted(ages.items()):
            oldest.add_metric([group], age)
        yield members
        yield oldest
        look = GaugeMetricFamily(
            "servicegroup_look_seconds", "Seconds that reading all members took, at this scrape."
        )
        look.add_metric([], time.perf_counter() - began)
        yield look


class Traffic:
    """The middleware that counts and times requests, by the path's template: never by names."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "servicegroup_api_request_seconds",
            "Seconds that requests took, by template of the path and method.",
            ("path", "method"),
            registry=registry,
        )
        self._answers = Counter(
            "servicegroup_api_requests",
            "Requests answered, by template of the path, method and status.",
            ("path", "method", "status"),
            registry=registry,
        )

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Begin to count."""
        req.context.began = time.perf_counter()

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, req_succeeded: bool
    ) -> None:
        """Count."""
        path = req.uri_template or "none"
        known = isinstance(resource, Resource) and req.method in resource.policy
        method = req.method if known else "other"
        self._seconds.labels(path, method).observe(time.perf_counter() - req.context.began)
        self._answers.labels(path, method, str(resp.status)[:3]).inc()


class Detections:
    """How late this process saw members go down, from the events of its watches."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "servicegroup_detection_seconds",
            "Seconds from the last sign of life, or from the end where the store was told of one, "
            "until this process saw the member down.",
            ("group", "cause"),
            buckets=DETECTIONS,
            registry=registry,
        )

    def told(self, event: Event) -> None:
        """Take one event of a watch."""
        if event.type is not EventType.DOWN or event.status is None:
            return
        verdict = event.status.liveness
        silent = verdict.cause in (Cause.SILENT, Cause.RECORD_SILENT)
        seconds = verdict.age if silent else verdict.since
        if seconds is not None:
            self._seconds.labels(event.group_id, verdict.cause.name.lower()).observe(seconds)


class Calls:
    """What the stores were asked by this process, beats among it, and how quickly they answered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "servicegroup_store_seconds",
            "Seconds of calls that the store answered, by driver and call.",
            ("driver", "call"),
            registry=registry,
        )
        self._failures = Counter(
            "servicegroup_store_failures",
            "Calls that failed, mostly because the store did not answer, by driver and call.",
            ("driver", "call"),
            registry=registry,
        )
        self._beats = Counter(
            "servicegroup_beats",
            "Beats of this process, by driver and whether they were stored.",
            ("driver", "stored"),
            registry=registry,
        )

    def told(self, driver: str, call: str, seconds: float, error: BaseException | None) -> None:
        """Take one call of a store."""
        if _answered(error):
            self._seconds.labels(driver, call).observe(seconds)
        else:
            self._failures.labels(driver, call).inc()
        if call == "heartbeat":
            self._beats.labels(driver, "yes" if error is None else "no").inc()


def _answered(error: BaseException | None) -> bool:
    """Whether a call that raised this was answered: a refusal such as "no such member" is one."""
    failures = (ConfigurationError, DriverUnavailable)
    return error is None or (
        isinstance(error, ServiceGroupError) and not isinstance(error, failures)
    )


class Metrics(Resource):
    """``/metrics``. What takes listening to is listened to from the first time that it is asked."""

    policy = {"GET": "metrics:get"}
    contract = {"GET": {"answer": {"text/plain": {"schema": {"type": "string"}}}}}

    def __init__(self, view: View, settings: ApiSettings) -> None:
        super().__init__(view, settings)
        self.registry = CollectorRegistry()
        self.registry.register(Members(view))
        self._calls = Calls(self.registry)
        self._detections = Detections(self.registry)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show them."""
        self.view.follow(self._detections.told)
        self.view.service_group.listen(self._calls.told)  # a forked child's stores are others
        resp.content_type = CONTENT_TYPE_LATEST
        resp.data = generate_latest(self.registry)
