"""The other ways to choose a host: what each of them promises."""

import math
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servicegroup.exceptions import EmptyRing, InvalidPlacement
from servicegroup.hashring import HashRing, position
from servicegroup.placement import BoundedRing, Rendezvous, Static

names = st.text("abc01.", min_size=1, max_size=4)
hosts = st.lists(names, min_size=1, max_size=8, unique=True)
keys = st.lists(st.text("0123456789", max_size=6), max_size=60, unique=True)
often = settings(deadline=None, max_examples=60)


@often
@given(hosts=hosts, host=names, keys=keys)
def test_of_rendezvous_one_that_joins_takes_only_and_one_that_goes_gives_only(hosts, host, keys):
    before = Rendezvous([one for one in hosts if one != host] or ["z"])
    after = Rendezvous([*before.hosts, host])
    for old, new in zip(before.map(keys), after.map(keys), strict=True):
        assert new in (old, host)


@often
@given(hosts=hosts, keys=keys, data=st.data())
def test_rendezvous_with_numpy_and_without_is_the_same(hosts, keys, data):
    drawn = Rendezvous([], {host: data.draw(st.integers(1, 3)) for host in hosts})
    places = [position(key) for key in keys]
    expected = [drawn.owner(key) for key in keys]
    assert drawn.map_at(places) == drawn.map(keys) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "numpy", None)
        assert drawn.map_at(places) == expected


def test_rendezvous_does_not_change():
    """Processes of two versions must agree."""
    drawn = Rendezvous(["c1", "c2", "c3"], {"c2": 2})
    found = "".join(owner[1] for owner in drawn.map(str(number) for number in range(24)))
    assert found == "313221312112223112222332"


def test_rendezvous_keeps_to_the_weights():
    keys = [f"node-{number}" for number in range(4000)]
    found = Rendezvous(["a"], {"b": 3}).map(keys)
    assert found.count("b") / len(keys) == pytest.approx(0.75, abs=0.03)


@often
@given(hosts=hosts, keys=keys, load=st.floats(1, 3), data=st.data())
def test_nobody_on_a_bounded_ring_has_more_than_allowed(hosts, keys, load, data):
    weights = {host: data.draw(st.integers(1, 3)) for host in hosts}
    bounded = BoundedRing(hosts, keys, load, weights)
    found = bounded.map(keys)
    for host, weight in weights.items():
        limit = math.ceil(load * len(keys) * weight / sum(weights.values()))
        assert found.count(host) <= limit
    assert BoundedRing(hosts[::-1], keys[::-1], load, weights).map(keys) == found


@often
@given(hosts=hosts, keys=keys)
def test_with_room_for_all_a_bounded_ring_is_the_ring(hosts, keys):
    assert BoundedRing(hosts, keys, len(hosts)).map(keys) == HashRing(hosts).map(keys)


def test_a_table_says_it():
    static = Static({"n1": "a", "n2": "b"}, "c")
    assert static.map(["n1", "n2", "n3"]) == ["a", "b", "c"]
    assert static.hosts == ("a", "b", "c")
    with pytest.raises(EmptyRing, match="'n3'"):
        Static({"n1": "a"}).owner("n3")


def test_what_cannot_be():
    for load in (0.9, 0, -1, math.inf, math.nan, "1"):
        with pytest.raises(InvalidPlacement, match="load="):
            BoundedRing(["a"], [], load)
    for nobody in (lambda: BoundedRing([], ["k"]), lambda: Rendezvous([]).owner("k")):
        with pytest.raises(EmptyRing, match="add a host"):
            nobody()
    assert BoundedRing([], []).map([]) == []
    with pytest.raises(InvalidPlacement, match="none of those"):
        BoundedRing(["a"], ["k"]).owner("other")
    for make in (Rendezvous, HashRing):
        with pytest.raises(InvalidPlacement, match="weight 0"):
            make([], {"a": 0})
