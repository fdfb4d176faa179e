"""The ring is tooz's, bit for bit; and of what moves, the list is exact."""

import hashlib
import itertools
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servicegroup.exceptions import EmptyRing, InvalidPlacement
from servicegroup.hashring import TOP, HashRing, position
from servicegroup.positions import Positions

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # futurist imports eventlet where it is, which says it is old
    from tooz.hashring import HashRing as ToozRing

names = st.text("abcxyz0é.-", min_size=1, max_size=8)
fleets = st.dictionaries(names, st.integers(1, 4), max_size=8)
peopled = st.dictionaries(names, st.integers(1, 4), min_size=1, max_size=8)
exponents = st.integers(0, 5)
keys = st.lists(st.one_of(st.uuids().map(str), st.text(max_size=5)), max_size=60)

#: The fixture is the same for all examples of a test, and that is what it is for.
often = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

_md5 = hashlib.md5


class Coarse:
    """An md5 of which there are sixteen: points meet points, keys meet points, halves decide."""

    def __init__(self, data=b"", usedforsecurity=True):
        self._real = _md5(data, usedforsecurity=False)

    def update(self, data):
        self._real.update(data)

    def digest(self):
        first, second = self._real.digest()[:2]
        return bytes([0] * 7 + [first % 4] + [0] * 7 + [second % 4])

    def hexdigest(self):
        return self.digest().hex()


@pytest.fixture(params=["md5", "coarse"])
def grain(request):
    """Run the test with the real hash, and with one in which everything collides."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "coarse":
            patch.setattr(hashlib, "md5", Coarse)
        yield


def tooz(weights, exponent):
    ring = ToozRing([], partitions=2**exponent)
    # Of those with a point in common the one that is added last has it.
    by_weight = itertools.groupby(sorted(weights, reverse=True), weights.get)
    for weight, hosts in by_weight:
        ring.add_nodes(hosts, weight)
    return ring


def owners_of(ring, keys):
    return [ring.get_nodes(key.encode()).pop() for key in keys]


@often
@given(weights=peopled, exponent=exponents, keys=keys)
def test_every_key_has_the_host_that_tooz_gives_it(grain, weights, exponent, keys):
    ring = HashRing([], weights, exponent)
    expected = owners_of(tooz(weights, exponent), keys)
    assert ring.map(keys) == expected
    assert [ring.owner(key) for key in keys] == expected
    assert [ring.owner_at(position(key)) for key in keys] == expected
    numbers = Positions.of(keys).owners(ring)
    assert [ring.hosts[number] for number in numbers] == expected


@often
@given(before=fleets, after=fleets, exponent=exponents)
def test_a_ring_that_is_changed_is_the_ring_made_anew(grain, before, after, exponent):
    changed = HashRing([], before, exponent).replaced([], after)
    anew = HashRing([], after, exponent)
    assert changed.arrays == anew.arrays
    assert changed.hosts == anew.hosts
    assert changed.weights == anew.weights


@often
@given(before=fleets, after=fleets, exponent=exponents, keys=keys)
def test_what_moves_is_listed_and_nothing_else(grain, before, after, exponent, keys):
    old, new = HashRing([], before, exponent), HashRing([], after, exponent)
    was = old.map(keys) if before else [None] * len(keys)
    will = new.map(keys) if after else [None] * len(keys)
    moved = Positions.of(keys).moved(old.moves_to(new))
    assert len(moved) == len({index for index, _ in moved})
    assert {index: (move.before, move.after) for index, move in moved} == {
        index: pair for index, pair in enumerate(zip(was, will, strict=True)) if pair[0] != pair[1]
    }


@often
@given(weights=peopled, exponent=exponents, keys=keys)
def test_the_spans_of_the_hosts_are_the_whole_ring_once(grain, weights, exponent, keys):
    ring = HashRing([], weights, exponent)
    spans = {host: ring.spans(host) for host in ring.hosts}
    every = sorted(span for some in spans.values() for span in some)
    assert every[0].first == bytes(16)
    assert int.from_bytes(every[-1].last) == TOP
    for one, following in itertools.pairwise(every):
        assert int.from_bytes(one.last) + 1 == int.from_bytes(following.first)
    positions, expected = Positions.of(keys), ring.map(keys)
    for host, some in spans.items():
        mine = [index for index, owner in enumerate(expected) if owner == host]
        assert sorted(positions.within(some)) == mine
    shares = ring.shares()
    assert sum(shares.values()) == pytest.approx(1)
    assert shares == {host: pytest.approx(ring.share(host)) for host in ring.hosts}
    counts = positions.counts(ring)
    assert counts == {host: expected.count(host) for host in ring.hosts}


@often
@given(weights=fleets, host=names, weight=st.integers(1, 4), keys=keys)
def test_one_that_joins_takes_only_and_one_that_goes_gives_only(weights, host, weight, keys):
    weights.pop(host, None)
    without = HashRing([], weights)
    with_it = without.with_host(host, weight)
    assert {move.after for move in without.moves_to(with_it)} <= {host}
    assert {move.before for move in with_it.moves_to(without)} <= {host}
    assert with_it.without_host(host).arrays == without.arrays


@pytest.mark.parametrize("size", [100, 1000])
def test_a_large_fleet_is_mapped_as_by_tooz(size):
    hosts = [f"conductor-{number}" for number in range(size)]
    keys = [f"node-{number}" for number in range(2000)]
    assert HashRing(hosts).map(keys) == owners_of(tooz(dict.fromkeys(hosts, 1), 5), keys)


def test_the_order_of_hosts_does_not_matter_nor_does_one_given_twice():
    one, other = HashRing(["b", "a", "b"]), HashRing(["a", "b"])
    assert one.arrays == other.arrays
    assert (len(one), "a" in one, "c" in one) == (2, True, False)


def test_an_unchanged_ring_is_the_same_object():
    ring = HashRing(["a", "b"])
    assert ring.replaced(["b", "a"]) is ring
    assert ring.without_host("c") is ring


def test_the_arrays_of_a_thousand_conductors_take_less_than_a_megabyte():
    ring = HashRing([f"conductor-{number:04d}.example.org" for number in range(1000)])
    arrays = ring.arrays
    assert len(arrays[0]) == 32_000
    assert sum(len(one) * one.itemsize for one in arrays) == 640_000


@pytest.mark.parametrize("weight", [0, -1, 1.5, "2", None, True])
def test_a_weight_that_no_host_can_have(weight):
    with pytest.raises(InvalidPlacement, match=r"weight .* of host 'a' must be .* from 1 up"):
        HashRing(["a", "b"], {"a": weight})
    with pytest.raises(InvalidPlacement):
        HashRing(["b"]).with_host("a", weight)


@pytest.mark.parametrize("host", ["", None, 7, "\ud800"])
def test_a_host_that_cannot_be(host):
    with pytest.raises(InvalidPlacement):
        HashRing([host])


def test_other_words_for_what_cannot_be():
    with pytest.raises(InvalidPlacement, match="one text"):
        HashRing("conductor-1")
    for exponent in (-1, 17, 2.0, "5"):
        with pytest.raises(InvalidPlacement, match="partition_exponent"):
            HashRing(["a"], partition_exponent=exponent)
    with pytest.raises(InvalidPlacement, match="'c' is not on the ring: its hosts are 'a', 'b'"):
        HashRing(["a", "b"]).spans("c")
    with pytest.raises(InvalidPlacement, match="nothing in common"):
        HashRing(["a"]).moves_to(HashRing(["a"], partition_exponent=4))
    with pytest.raises(InvalidPlacement, match="16 bytes each"):
        Positions([b"short"])


def test_an_empty_ring_serves_nothing():
    ring = HashRing([])
    with pytest.raises(EmptyRing, match="add a host"):
        ring.owner("key")
    with pytest.raises(EmptyRing):
        ring.owner_at(position("key"))
    with pytest.raises(EmptyRing):
        Positions.of(["key"]).owners(ring)
    assert ring.map([]) == []
    assert ring.shares() == {}
    assert list(Positions.of([]).owners(ring)) == []
    assert Positions.of([]).within(HashRing(["a"]).spans("a")) == []
