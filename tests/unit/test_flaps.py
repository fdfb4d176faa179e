"""When returns are flapping, and when they are forgotten."""

import pytest

from servicegroup import Member
from servicegroup.flaps import CALM, LEAST, Flaps, came_back, flapping
from servicegroup.model import State
from servicegroup.status import Cause, Liveness, MemberStatus


def test_returns_close_to_one_another_are_counted_from_the_first():
    flaps = came_back(None, 1000.0)
    assert flaps == Flaps(1, 1000.0, 1000.0)
    flaps = came_back(flaps, 1000.0 + CALM)
    assert flaps == Flaps(2, 1000.0, 1000.0 + CALM)


def test_quiet_times_end_the_count():
    assert came_back(Flaps(7, 0.0, 1000.0), 1001.0 + CALM).times == 1


def test_a_clock_of_the_store_that_stepped_back_ends_nothing():
    assert came_back(Flaps(7, 900.0, 1000.0), 700.0).times == 8


@pytest.mark.parametrize(
    ("times", "since", "flaps"),
    [
        (LEAST - 1, 1.0, False),
        (LEAST, 1.0, True),
        (LEAST, CALM, True),
        (LEAST, CALM + 1, False),
        (LEAST, None, True),
    ],
)
def test_who_flaps(times, since, flaps):
    assert flapping(Flaps(times, 0.0, 0.0), since) is flaps


def test_nobody_flaps_without_a_history():
    assert not flapping(None, 1.0)


def test_the_reason_says_so():
    member = Member("g", "m", flaps=Flaps(4, 1_700_000_000.0, 1_700_000_300.0))
    status = MemberStatus(member, Liveness(State.UP, Cause.BEATS, age=1.0, since=20.0))
    assert status.reason == (
        "last beat 1.0 s ago; flapping: it came back 4 times since 2023-11-14T22:13:20+00:00"
    )
    assert status.flapping == member.flaps


def test_a_first_join_and_a_return():
    first = Member("g", "m").joined(1, 5.0, None)
    assert (first.incarnation, first.started_at, first.flaps) == (1, 5.0, None)
    assert Member("g", "m").joined(2, 9.0, first).flaps == Flaps(1, 9.0, 9.0)


def test_a_member_survives_json():
    member = Member("g", "m", flaps=Flaps(1, 2.0, 3.0))
    fields = member._asdict()
    assert Member.remade({**fields, "flaps": list(fields["flaps"])}) == member
    assert Member.remade(Member("g", "m")._asdict()) == Member("g", "m")
