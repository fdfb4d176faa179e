"""What a poll finds to tell, held against a dictionary of what was told before."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sources.scripted import TYPE

from servicegroup.synchronizer import Deleted, Entity, Rows, Unchanged
from servicegroup.synchronizer.baseline import Baseline

KEYS = st.sampled_from("abcdefgh")
LISTED = st.lists(st.tuples(KEYS, st.sampled_from("12")), max_size=12)
#: One poll: what is listed, in what order, in pages of what size, and whether it counts.
POLLS = st.lists(
    st.tuples(
        LISTED,
        st.sampled_from(["as listed", "sorted", "backwards"]),
        st.integers(1, 5),
        st.sampled_from([True, True, False]),
    ),
    max_size=8,
)
ORDERS = {
    "as listed": list,
    "sorted": lambda listed: sorted(dict(listed).items()),
    "backwards": lambda listed: sorted(dict(listed).items(), reverse=True),
}


def entity(row):
    key, state = row
    return Entity(key=key, type=TYPE, state=state)


def rows(page):
    yield Rows(TYPE, iter(page), key=lambda row: row[0], entity=entity)


def entities(page):
    yield from map(entity, page)


@pytest.mark.parametrize("said", [rows, entities])
@given(polls=POLLS)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_what_is_told_is_what_differs_from_what_was_told(said, polls):
    baseline, known = Baseline([TYPE]), {}
    for drawn, order, size, counts in polls:
        listed = ORDERS[order](drawn)
        expected, found, duplicates = [], set(), 0
        for key, state in listed:
            if key in found:
                duplicates += 1
                expected.append((key, state))
            elif known.get(key) != state:
                expected.append((key, state))
            if key in known:
                found.add(key)
        reading = baseline.poll()
        told = []
        for start in range(0, len(listed), size):
            for item in said(listed[start : start + size]):
                told.extend(reading.rows(item))
        assert [row.key for row in told] == [key for key, _ in expected]
        assert (reading.read, reading.duplicates) == (len(listed), duplicates)
        assert reading.changed == len(expected) - duplicates
        ((_, gone),) = reading.gone()
        assert sorted(gone) == sorted(known.keys() - found)
        if counts:
            baseline.note(told)
            baseline.forget(TYPE, gone)
            known = {key: known[key] for key in found} | dict(expected)
        assert len(baseline) == len(known)


def test_one_that_is_deleted_or_unchanged_was_there():
    baseline = Baseline([TYPE])
    first = baseline.poll()
    baseline.note([row for key in "abc" for row in first.rows(entity((key, "1")))])
    reading = baseline.poll()
    assert list(reading.rows(Unchanged("b", TYPE))) == []
    assert [row.data for row in reading.rows(Deleted("a", TYPE))] == [b""]
    assert list(reading.gone()) == [(TYPE, ["c"])]


def test_rows_without_end_are_given_up():
    baseline, drawn = Baseline([TYPE]), []

    def endless():
        while True:
            drawn.append(1)
            yield ("a", "1")

    with pytest.raises(ValueError, match="more than max_entities=2000"):
        list(baseline.poll(2000).rows(next(rows(endless()))))
    assert len(drawn) < 4000
