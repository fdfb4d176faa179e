"""Random faults on fleets of real processes; a failure prints the schedule that shows it."""

import contextlib

import pytest
from faults.laboratory.drawing import schedules
from faults.laboratory.schedule import Schedule, Step
from faults.laboratory.stores import opened
from faults.laboratory.trial import Violated, attempt
from faults.laboratory.troupe import Troupe
from hypothesis import HealthCheck, Phase, given, settings
from servers.fixtures import requirements

#: Schedules for each kind of store: all of them together take less than three minutes.
SCHEDULES = 3
KINDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.server("postgresql")),
    pytest.param("mariadb", marks=pytest.mark.server("mariadb")),
    pytest.param("zookeeper", marks=pytest.mark.server("zookeeper")),
    pytest.param("memcache", marks=pytest.mark.server("memcached")),
    pytest.param("k8s", marks=pytest.mark.server("kubernetes")),
    pytest.param("tooz", marks=pytest.mark.server("redis")),
]
LOCKED = {"how": "locked by a running writer", "seconds": 2.2}
#: {defect: what shows it, and as a violation of what}; where the store is not named, on SQLite.
SHOWN_BY = {
    "wall clock": (Schedule("sqlite", (), {"p1": -3600.0}), "accuracy"),
    "no witness": (Schedule("sqlite", (Step(0.0, "outage", "store", LOCKED),)), "accuracy"),
    "no assertion": (Schedule("sqlite", (Step(0.0, "lose", "store"),)), "recovery"),
    "doubled event": (
        Schedule("postgresql", (Step(0.0, "refuse", "o0", {"seconds": 2.2}),)),
        "order",
    ),
    "open pipe": (
        Schedule(
            "sqlite",
            (Step(0.0, "fork", "p0", {"seconds": 10.0}), Step(2.0, "kill", "p0", {"again": None})),
            guardian=True,
        ),
        "completeness",
    ),
}


@pytest.fixture(scope="module")
def troupe():
    with Troupe() as troupe:
        yield troupe


@pytest.fixture
def store(kind, server_home):
    with requirements(), contextlib.ExitStack() as opening:
        store = opening.enter_context(opened(kind, server_home))
        yield store


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_schedule_of_faults_breaks_a_promise(kind, store, troupe, tmp_path):
    @given(schedules(kind))
    @settings(
        max_examples=SCHEDULES + 1,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes
        suppress_health_check=list(HealthCheck),
    )
    def played(schedule):
        if len({(step.at, step.fault) for step in schedule.steps}) > 1:  # not the plainest of all
            attempt(schedule, store, troupe, tmp_path)

    played()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("defect", "kind"),
    [
        ("wall clock", "sqlite"),
        ("no witness", "sqlite"),
        ("no assertion", "sqlite"),
        ("open pipe", "sqlite"),
        pytest.param("doubled event", "postgresql", marks=pytest.mark.server("postgresql")),
    ],
)
def test_a_defect_is_caught(defect, kind, store, tmp_path):
    schedule, violated = SHOWN_BY[defect]
    with Troupe() as troupe, pytest.raises(Violated) as caught:
        attempt(schedule._replace(defect=defect), store, troupe, tmp_path)
    assert violated in {one.kind for one in caught.value.violations}
