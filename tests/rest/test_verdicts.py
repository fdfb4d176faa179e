"""What is answered where a format has no word for unknown."""

import pytest

from servicegroup import LivenessUnknown, Member
from servicegroup.model import State
from servicegroup.rest import verdicts
from servicegroup.status import Cause, Liveness, MemberStatus

PATIENCE = 60


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(verdicts, "boottime", lambda: now[0])
    return now


def status(state, member="m"):
    cause = Cause.UNREACHABLE if state is State.UNKNOWN else Cause.BEATS
    return MemberStatus(Member("g", member), Liveness(state, cause, 1.0, detail="it is away"))


@pytest.mark.parametrize("state", [State.UP, State.DOWN])
def test_the_last_verdict_stands_for_a_while_and_no_longer(clock, state):
    remembered = verdicts.Verdicts(PATIENCE)
    assert remembered.is_up(status(state)) is (state is State.UP)
    clock[0] += 1000  # nobody asked meanwhile: only what is unknown counts
    for _ in range(2):
        assert remembered.is_up(status(State.UNKNOWN)) is (state is State.UP)
        clock[0] += PATIENCE / 2
    assert remembered.is_up(status(State.UNKNOWN)) is (state is State.UP)  # exactly so long
    clock[0] += 0.001
    with pytest.raises(LivenessUnknown, match=r"'m' of group 'g' is up: .*it is away"):
        remembered.is_up(status(State.UNKNOWN))
    assert remembered.is_up(status(State.UP))
    assert remembered.is_up(status(State.UNKNOWN))  # anew


def test_who_was_never_known_is_neither_up_nor_down(clock):
    with pytest.raises(LivenessUnknown):
        verdicts.Verdicts(PATIENCE).is_up(status(State.UNKNOWN))


def test_those_that_are_gone_are_forgotten(clock):
    remembered = verdicts.Verdicts(PATIENCE)
    for number in range(1001):
        remembered.is_up(status(State.UP, f"m{number}"))
    remembered.forget_others([])
    with pytest.raises(LivenessUnknown):
        remembered.is_up(status(State.UNKNOWN, "m0"))
