"""Whatever lies under the memcache driver's keys: it is left out, counted, and put right."""

import itertools

import pytest

from servicegroup.driver import Loss
from servicegroup.model import EndKind, State
from servicegroup.testing import Store
from servicegroup.testing.scene import GROUP, join, seen, states

SECRET = "a secret that is long enough"
GARBAGE = [
    b"",
    b"\x00\xff" * 40,
    b"x\r\nEN\r\nMN\r\n",
    b"VA 5 f1\r\nMN\r\n",
    b'[1,0,null,"g"]',
    b"[" * 5000,
    b'{"reason": 1}',
    b"9" * 400,
]
KINDS = ("m", "b", "s", "r", "g", "w", "z", "i")
_names = itertools.count()


@pytest.fixture(params=[None, SECRET], ids=["plain", "sealed"])
def store(memcached, request):
    memcached.flush()
    values = {"servers": [memcached.address], "namespace": f"foreign-{next(_names)}"}
    if request.param:
        values["secret_key"] = request.param
    with Store("memcache", {"servicegroup_memcache": values}, age=memcached.age) as store:
        yield store


@pytest.mark.parametrize("value", GARBAGE)
def test_garbage_under_any_key_is_survived_and_healed(memcached, store, value):
    driver, other, reader = store.driver(), store.driver(), store.driver()
    held, well = join(driver), join(other, "well")
    gap = store.settings.steady_gap / 2
    for _ in range(5):  # so that all kinds of keys are there
        store.pass_time(gap)
        driver.heartbeat(held.instance_id, [held])
        other.heartbeat(well.instance_id, [well])
    keys = list(memcached.remaining())
    assert {kind for key in keys for kind in KINDS if f":{kind}:".encode() in key} >= set("mbsrwi")
    for key in keys:
        memcached.ask(b"ms %b %d F7\r\n%b\r\n" % (key, len(value), value))
        for one in (reader, store.driver()):
            one.sightings(GROUP)
            one.sightings(GROUP, ["m", "well", "nobody"])
            one.ages(GROUP)
            one.groups()
    for one, member in ((driver, held), (other, well)):
        for lost in one.heartbeat(member.instance_id, [member]):
            assert lost.loss is Loss.MISSING
            assert one.update([member]) == []
        one.heartbeat(member.instance_id, [member])
    for one in (reader, store.driver()):
        assert states(store, one) == {"m": State.UP, "well": State.UP}
        assert one.groups() == [GROUP]
    assert reader.codec.refusals > 0


def test_a_member_under_the_key_of_another_is_none(memcached, store):
    driver, reader = store.driver(), store.driver()
    join(driver, "original"), join(driver, "kept")
    key, original = (
        driver.codec.key(b"m", driver.codec.member_name(GROUP, one)) for one in ("a", "original")
    )
    copied = memcached.ask(b"get %b\r\n" % original, b"END\r\n").split(b"\r\n")[1]
    join(driver, "a")
    memcached.ask(b"ms %b %d\r\n%b\r\n" % (key, len(copied), copied))
    assert set(seen(reader)) == {"original", "kept"}
    # The store is new here: what is absent may have been lost with what was in it.
    assert seen(reader, member_ids=["a"])["a"].ended.kind is EndKind.VANISHED
    assert reader.codec.refusals > 0


def test_the_largest_attributes_fit_and_come_back(store):
    driver = store.driver()
    attributes = {"text": "é" * 10_000, "list": list(range(8000))}
    join(driver, attributes=attributes)
    assert seen(store.driver())["m"].member.attributes == attributes
