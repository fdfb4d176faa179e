"""A connection that only one side still holds: who merely listens on it must find out."""

import pytest
from faults.laboratory.link import Link

from servicegroup import EventType

#: Seconds: so long that the look which a watch makes in any case does not come within the test.
PATIENT = {"report_interval": 0.5, "service_down_time": 300.0}


@pytest.fixture
def kind():
    return "postgresql"


@pytest.mark.server("postgresql")
def test_a_watch_is_called_back_again(url, postgresql, make, eventually):
    with Link(postgresql.host, postgresql.port) as link:
        behind = url.replace(postgresql.address, link.address)
        watch = make(behind, **PATIENT).watch("g")
        assert watch.next_event(10.0).type is EventType.READY
        member = make(url, **PATIENT)
        with member.join("g", "before"):
            assert watch.next_event(10.0).type is EventType.JOINED
            link.half_open()
        # STALE and FRESH may come before it: looks went over a connection that broke, too.
        eventually(lambda: (event := watch.next_event(0.1)) and event.type is EventType.LEFT)
