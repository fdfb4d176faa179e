"""The judgement: every step of it, at its boundaries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicegroup.liveness import (
    UNWITNESSED_PATIENCE,
    Limits,
    Witness,
    judge,
    silence,
    states,
    verdicts,
    within,
)
from servicegroup.model import Ending, EndKind, Member, Record, Sighting, State
from servicegroup.status import Cause

LIMITS = Limits(service_down_time=60.0, record_down_time=90.0, driver="zookeeper")
HEARD = Witness(driver=True, records=True)
SILENT = Witness(driver=False, records=False)
MEMBER = Member("compute", "node-17")
RECORD = Record(1, "3c2e", created_at=0.0)


def seen(age, **more):
    return Sighting(MEMBER, age, **more)


@pytest.mark.parametrize(("age", "up"), [(0.0, True), (59.9, True), (60.0, True), (60.001, False)])
def test_the_boundary_is_closed(age, up):
    assert within(age, 60.0) is up
    assert judge(None, seen(age), HEARD, LIMITS).is_up is up


def test_presence_alone_is_a_proof_of_life():
    verdict = judge(None, seen(None, since=5.0), HEARD, LIMITS)
    assert (verdict.state, verdict.cause, verdict.since) == (State.UP, Cause.PRESENT, 5.0)


def test_a_silent_member_is_down_since_its_limit_ran_out():
    verdict = judge(None, seen(75.0), HEARD, LIMITS)
    assert verdict.state is State.DOWN
    assert verdict.since == 15.0
    assert verdict.reason == "no beat for 1 min 15 s, more than 1 min"


def test_silence_without_a_witness_is_unknown():
    verdict = judge(None, seen(75.0), SILENT, LIMITS)
    assert (verdict.state, verdict.cause) == (State.UNKNOWN, Cause.UNWITNESSED)
    assert "nobody else was heard" in verdict.reason


def test_a_total_silence_is_believed_in_the_end():
    patience = 60.0 + UNWITNESSED_PATIENCE
    assert silence(patience, 60.0, witnessed=False) is State.UNKNOWN
    assert silence(patience + 0.1, 60.0, witnessed=False) is State.DOWN
    assert silence(2 * UNWITNESSED_PATIENCE, UNWITNESSED_PATIENCE, witnessed=False) is State.UNKNOWN


@given(
    age=st.floats(0, 1e6),
    limit=st.floats(0.1, 1e4),
    witnessed=st.booleans(),
)
def test_nobody_within_the_limit_is_ever_anything_but_up(age, limit, witnessed):
    state = silence(age, limit, witnessed=witnessed)
    assert (state is State.UP) == (age <= limit)
    if witnessed:
        assert state is not State.UNKNOWN


def test_the_operator_has_the_first_word():
    record = RECORD._replace(
        forced_down=True, forced_down_reason="disk swap", forced_down_at=1_700_000_000.0
    )
    verdict = judge(record, seen(0.1), HEARD, LIMITS)
    assert verdict.state is State.DOWN
    assert verdict.reason == ("forced down by the operator at 2023-11-14T22:13:20+00:00: disk swap")


@pytest.mark.parametrize(
    ("kind", "cause", "reason"),
    [
        (EndKind.ENDED, Cause.ENDED, "process ended without leaving"),
        (EndKind.WITHDRAWN, Cause.WITHDRAWN, "unhealthy: process ended without leaving"),
        (EndKind.LEFT, Cause.LEFT, "left"),
    ],
)
def test_evidence_needs_nothing_more(kind, cause, reason):
    ended = Ending(kind, "process ended without leaving", 3.0)
    verdict = judge(None, seen(0.1, ended=ended), SILENT, LIMITS)
    assert (verdict.state, verdict.cause, verdict.since) == (State.DOWN, cause, 3.0)
    assert verdict.reason == reason


def test_lost_knowledge_is_no_evidence():
    ended = Ending(EndKind.VANISHED, "the row is gone")
    assert judge(None, seen(None, ended=ended), HEARD, LIMITS).state is State.UNKNOWN


def test_a_record_that_is_silent_makes_a_beating_member_down():
    record = RECORD._replace(age=90.5)
    verdict = judge(record, seen(1.0), HEARD, LIMITS)
    assert verdict.state is State.DOWN
    assert verdict.reason == (
        "beats in zookeeper, but its record is 1 min 30 s old, more than 1 min 30 s"
    )
    assert judge(record._replace(age=90.0), seen(1.0), HEARD, LIMITS).is_up


def test_a_database_that_was_away_makes_nobody_down():
    witness = Witness(driver=True, records=False)
    verdict = judge(RECORD._replace(age=200.0), seen(1.0), witness, LIMITS)
    assert verdict.state is State.UNKNOWN


def test_the_drivers_down_wins_over_an_unknown_record():
    witness = Witness(driver=True, records=False)
    verdict = judge(RECORD._replace(age=200.0), seen(61.0), witness, LIMITS)
    assert (verdict.state, verdict.cause) == (State.DOWN, Cause.SILENT)


def test_updated_at_is_never_a_sign_of_life():
    # Nova bug 1420848: enabling a dead host made it look alive.
    record = RECORD._replace(updated_at=1e12, age=1000.0)
    assert not judge(record, seen(1000.0), HEARD, LIMITS).is_up


def test_who_is_not_there_is_down_with_its_reason():
    assert judge(None, None, HEARD, LIMITS).reason == "no such member"
    assert "has not joined" in judge(RECORD, None, HEARD, LIMITS).reason
    left = judge(RECORD._replace(left_at=0.0), None, HEARD, LIMITS)
    assert left.reason == "left at 1970-01-01T00:00:00+00:00"


@pytest.mark.parametrize("witness", [HEARD, SILENT])
@given(ages=st.lists(st.one_of(st.none(), st.floats(-5.0, 2000.0)), max_size=5))
def test_many_are_judged_as_each_alone(witness, ages):
    seen_ages = {str(number): age for number, age in enumerate(ages)}
    alone = {key: judge(None, seen(age), witness, LIMITS).state for key, age in seen_ages.items()}
    assert states(seen_ages, [], witness, LIMITS) == alone


def test_those_with_more_to_them_are_judged_by_all_of_it():
    ended = Sighting(Member("compute", "a"), 1.0, Ending(EndKind.ENDED, "died"))
    vanished = Sighting(Member("compute", "b"), None, Ending(EndKind.VANISHED, "gone"))
    forced = Sighting(Member("compute", "c"), 1.0, record=RECORD._replace(forced_down=True))
    assert states({"d": 1.0}, [ended, vanished, forced], HEARD, LIMITS) == {
        "a": State.DOWN,
        "b": State.UNKNOWN,
        "c": State.DOWN,
        "d": State.UP,
    }


AGES = st.one_of(st.none(), st.floats(-5.0, 2000.0))


@pytest.mark.parametrize("witness", [HEARD, SILENT])
@given(
    sightings=st.lists(
        st.builds(
            Sighting,
            st.just(MEMBER),
            AGES,
            st.sampled_from([None, Ending(EndKind.ENDED, "died"), Ending(EndKind.LEFT, "")]),
            AGES,
            st.one_of(
                st.none(),
                st.builds(RECORD._replace, age=AGES, forced_down=st.booleans()),
            ),
        ),
        max_size=5,
    )
)
def test_verdicts_on_many_are_those_on_each(witness, sightings):
    alone = [judge(one.record, one, witness, LIMITS) for one in sightings]
    assert list(verdicts(sightings, witness, LIMITS)) == alone
