"""Differences, and the picture of a watch: an honest path, in bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from servicegroup.diff import changed, diff
from servicegroup.model import EventType, Member, Record, State
from servicegroup.picture import Picture
from servicegroup.status import Cause, Liveness, MemberStatus

LIMIT = 60.0


def status(
    member_id="m", *, life="a", incarnation=1, revision=0, state=State.UP, age=1.0, **record
):
    member = Member("g", member_id, instance_id=life, incarnation=incarnation, revision=revision)
    kept = Record(1, "u")._replace(**record) if record else None
    return MemberStatus(member, Liveness(state, Cause.BEATS, age, 0.0, LIMIT), kept)


def types(events):
    return [event.type for event in events]


def drain(picture):
    events = []
    while (event := picture.next_event()) is not None:
        events.append(event)
    return events


def test_what_the_difference_says():
    up, down = status(), status(state=State.DOWN)
    assert types(diff(None, up)) == [EventType.JOINED]
    assert types(diff(up, None)) == [EventType.LEFT]
    assert types(diff(None, None)) == []
    assert types(diff(up, up)) == []
    assert types(diff(up, down)) == [EventType.DOWN]
    assert types(diff(down, up)) == [EventType.UP]
    assert types(diff(up, status(state=State.UNKNOWN))) == [EventType.UNKNOWN]


def test_a_new_life_new_attributes_and_the_operators_word_are_changes():
    before = status(disabled=False)
    for after in (
        status(life="b", disabled=False),
        status(incarnation=2, disabled=False),
        status(revision=1, disabled=False),
        status(disabled=True),
    ):
        assert types(diff(before, after)) == [EventType.CHANGED]
        assert changed(before, after)
    both = diff(before, status(life="b", state=State.DOWN, disabled=False))
    assert types(both) == [EventType.CHANGED, EventType.DOWN]
    assert all(event.previous is before for event in both)


def test_ages_that_grow_are_no_event():
    assert not diff(status(age=1.0), status(age=2.0))
    assert not changed(status(age=1.0), status(age=2.0))


def test_the_first_load_is_told_and_then_ready():
    picture = Picture("g", LIMIT)
    picture.replace([status("a"), status("b", state=State.DOWN)], 0.0)
    picture.mark_ready()
    events = drain(picture)
    assert types(events) == [EventType.JOINED, EventType.JOINED, EventType.READY]
    assert events[1].status.state is State.DOWN
    assert picture.up == {"a": True, "b": False}


def test_a_slow_consumer_is_told_the_way_from_what_it_knew():
    picture = Picture("g", LIMIT)
    picture.replace([status("a"), status("b")], 0.0)
    drain(picture)
    picture.merge([status("a", state=State.DOWN)], 1.0)
    picture.merge([status("a")], 2.0)  # down and up again: nothing lasting
    picture.merge([status("b", life="x")], 3.0)  # another life is always told
    picture.merge([status("c")], 4.0)
    assert [(e.type, e.member_id) for e in drain(picture)] == [
        (EventType.CHANGED, "b"),
        (EventType.JOINED, "c"),
    ]


def test_leaving_with_evidence_is_told_at_once():
    picture = Picture("g", LIMIT)
    picture.replace([status("a")], 0.0)
    drain(picture)
    left = status("a")._replace(liveness=Liveness(State.DOWN, Cause.LEFT))
    picture.merge([left], 1.0)
    assert types(drain(picture)) == [EventType.LEFT]
    assert picture.up == {}


def test_absence_without_evidence_is_unknown_for_one_limit_and_then_left():
    picture = Picture("g", LIMIT)
    picture.replace([status("a"), status("b")], 0.0)
    drain(picture)
    picture.replace([status("b")], 10.0)
    assert types(drain(picture)) == [EventType.UNKNOWN]
    assert picture.up == {"a": None, "b": True}
    assert "no longer in the store" in picture.status("a", 10.0).reason
    picture.replace([status("b")], 10.0 + LIMIT)
    assert drain(picture) == []
    picture.replace([status("b")], 10.1 + LIMIT)
    assert types(drain(picture)) == [EventType.LEFT]


def test_who_comes_back_within_the_limit_was_never_gone():
    picture = Picture("g", LIMIT)
    picture.replace([status("a")], 0.0)
    drain(picture)
    picture.replace([], 10.0)
    picture.merge([status("a")], 11.0)
    assert drain(picture) == []


def test_partial_looks_touch_only_whom_they_asked_for():
    picture = Picture("g", LIMIT)
    picture.replace([status("a"), status("b")], 0.0)
    drain(picture)
    picture.merge([], 1.0, asked=["a", "stranger"])
    assert picture.up == {"a": None, "b": True}
    assert picture.unsure == {"a"}


def test_an_outage_is_one_event_and_its_end_another():
    picture = Picture("g", LIMIT)
    picture.mark_contact("no route")
    picture.mark_contact("no route")
    events = drain(picture)
    assert types(events) == [EventType.STALE]
    assert events[0].reason == "no route"
    picture.mark_contact(None)
    picture.mark_contact("again")
    picture.mark_contact(None)
    assert types(drain(picture)) == [EventType.FRESH]
    picture.mark_contact("short")
    picture.mark_contact(None)
    assert drain(picture) == []


def test_expiries_follow_the_beats():
    picture = Picture("g", LIMIT)
    picture.replace([status("a", age=50.0), status("b", age=0.0)], 100.0)
    assert picture.next_expiry() == 110.0
    assert picture.due(111.0) == ["a"]
    picture.merge([status("a", age=0.0)], 105.0)
    assert picture.next_expiry() <= 160.0  # too early costs a look at the clock
    assert picture.due(111.0) == []
    assert picture.next_expiry() == 160.0
    assert sorted(picture.due(200.0)) == ["a", "b"]
    picture.merge([status("a", state=State.DOWN, age=90.0)], 190.0)
    picture.replace([], 190.0)
    assert picture.next_expiry() == float("inf")


def test_ages_grow_in_the_view():
    picture = Picture("g", LIMIT)
    picture.replace([status("a", age=5.0)], 100.0)
    assert picture.status("a", 103.0).liveness.age == 8.0
    assert picture.statuses(103.0)[0].liveness.since == 3.0


def test_what_is_seen_again_is_told_as_it_is_now():
    picture = Picture("g", LIMIT)
    present = status("z")._replace(liveness=Liveness(State.UP, Cause.PRESENT, None, 10.0))
    picture.replace([verdict("a", age=2.0, since=100.0), present], 1000.0)
    picture.replace([verdict("a", age=1.0, since=150.0), present], 1050.0)
    seen = picture.status("a", 1053.0).liveness
    assert (seen.age, seen.since) == (4.0, 153.0)
    assert picture.status("z", 1053.0).liveness.since == 13.0
    picture.merge([verdict("a", age=1.0, since=3.0)], 1060.0)  # it had been down between two looks
    assert picture.status("a", 1060.0).uptime == 3.0


def test_another_reason_for_the_same_state_is_no_event_but_the_reason_from_then_on():
    picture = Picture("g", LIMIT)
    picture.replace([silent(70.0, Cause.SILENT)], 100.0)
    drain(picture)
    ended = Liveness(State.DOWN, Cause.ENDED, 71.0, 0.5, detail="process ended without leaving")
    picture.merge([status()._replace(liveness=ended)], 101.0)
    assert drain(picture) == []
    assert picture.status("m", 101.0).reason == "process ended without leaving"


def verdict(member_id, *, age, since):
    return status(member_id)._replace(liveness=Liveness(State.UP, Cause.BEATS, age, since, LIMIT))


steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "left", "fetch"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(list(State)),
        st.sampled_from(["x", "y"]),
    ),
    max_size=40,
)


@given(steps)
def test_the_events_alone_rebuild_the_picture(script):
    """Whatever the consumer's pace: each event follows from the last, and in the end all agree."""
    picture = Picture("g", LIMIT)
    copy = {}

    now = 0.0
    for what, member_id, state, life in script:
        now += 1.0
        if what == "put":
            picture.merge([status(member_id, life=life, state=state)], now)
        elif what == "left":
            gone = status(member_id)._replace(liveness=Liveness(State.DOWN, Cause.LEFT))
            picture.merge([gone], now)
        elif (event := picture.next_event()) is not None:
            _apply(copy, event)
    for event in drain(picture):
        _apply(copy, event)
    assert copy.keys() == picture.up.keys()
    for member_id, known in copy.items():
        held = picture.status(member_id, now)
        assert held.member == known.member
        assert held.state is known.state


def _apply(copy, event):
    known = copy.get(event.member_id)
    assert (event.type is EventType.JOINED) == (known is None)
    if event.type is EventType.LEFT:
        del copy[event.member_id]
        return
    if event.type.value in [state.value for state in State]:
        assert event.status.state.value == event.type.value
        assert event.previous.state is not event.status.state
    copy[event.member_id] = event.status


def silent(age, cause=Cause.UNWITNESSED, **named):
    state = State.DOWN if cause is Cause.SILENT else State.UNKNOWN
    since = age - LIMIT if cause is Cause.SILENT else None
    verdict = Liveness(state, cause, age, since, LIMIT)
    return status(**named)._replace(liveness=verdict)


def test_a_silence_once_believed_is_believed_without_the_witness():
    picture = Picture("g", LIMIT)
    picture.replace([silent(70.0, Cause.SILENT)], now=100.0)
    drain(picture)
    picture.replace([silent(80.0)], now=110.0)
    assert drain(picture) == []
    kept = picture.status("m", 110.0).liveness
    assert (kept.state, kept.cause, kept.age, kept.since) == (State.DOWN, Cause.SILENT, 80.0, 20.0)


def test_another_silence_is_not():
    for other in (
        silent(61.0),  # it beat 61 s ago, when it had been called down for long
        silent(370.0, life="b"),
    ):
        picture = Picture("g", LIMIT)
        picture.replace([silent(70.0, Cause.SILENT)], now=100.0)
        drain(picture)
        picture.replace([other], now=400.0)
        assert EventType.UNKNOWN in types(drain(picture))
