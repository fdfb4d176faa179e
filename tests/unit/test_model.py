"""Ids, names and attributes: what every store can keep, and the error for what none can."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicegroup import exceptions, model
from servicegroup.status import in_words


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "is empty"),
        ("x" * 256, "256 characters"),
        ("a\0b", "NUL"),
        ("a\udc80", "lone surrogate"),
        (17, "must be text, not int"),
        (b"node", "must be text, not bytes"),
        (None, "must be text"),
    ],
)
def test_ids_that_no_store_could_keep_are_refused(value, why):
    with pytest.raises(exceptions.InvalidMember, match=why) as caught:
        model.check_text("member id", value)
    assert "member id" in str(caught.value)


@given(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=255
    )
)
def test_any_other_text_is_kept_as_it_is(value):
    assert model.check_text("member id", value) == value


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_attributes_come_back_as_json_gives_them(attributes):
    checked = model.check_attributes(attributes)
    assert checked == json.loads(json.dumps(attributes))
    assert model.check_attributes(checked) == checked
    assert model.encode_attributes(checked).isascii()


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        (["a"], "must be a mapping"),
        ({1: "a"}, "name 1 is not text"),
        ({"a": object()}, "not JSON"),
        ({"a": float("nan")}, "not JSON"),
        ({"a": {1, 2}}, "not JSON"),
        ({"a": "x" * model.MAX_ATTRIBUTES}, "at most 65536"),
    ],
)
def test_attributes_that_are_not_json_are_refused(attributes, why):
    with pytest.raises(exceptions.InvalidMember, match=why):
        model.check_attributes(attributes)


def test_the_largest_attributes_are_accepted():
    room = model.MAX_ATTRIBUTES - len('{"a":""}')
    assert model.check_attributes({"a": "x" * room})
    with pytest.raises(exceptions.InvalidMember):
        model.check_attributes({"a": "x" * (room + 1)})


def test_attributes_are_copied():
    mine = {"drivers": ["a"]}
    checked = model.check_attributes(mine)
    mine["drivers"].append("b")
    assert checked == {"drivers": ["a"]}


def test_errors_are_built_in_kinds_too():
    assert issubclass(exceptions.ConfigurationError, ValueError)
    assert issubclass(exceptions.DriverUnavailable, ConnectionError)
    assert exceptions.DriverUnavailable.retryable
    assert not exceptions.ConfigurationError.retryable
    for name in exceptions.__all__:
        assert issubclass(getattr(exceptions, name), exceptions.ServiceGroupError)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "an unknown time"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (10.4, "10 s"),
        (59.6, "1 min"),
        (185, "3 min 5 s"),
        (7380, "2 h 3 min"),
        (90061, "1 d 1 h"),
    ],
)
def test_durations_are_said_in_two_units_at_most(seconds, words):
    assert in_words(seconds) == words
