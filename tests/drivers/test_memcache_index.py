"""The memcache driver's index at size, and its compaction; requests counted at the wire."""

import itertools
import threading

import pytest
from servers.hole import Hole

from servicegroup.testing import Store
from servicegroup.testing.scene import GROUP, join, listed, member, seen

_names = itertools.count()
#: What closes each request.
REQUEST = b"mn\r\n"
STOCK_ITEM = 1024 * 1024


def make_store(*addresses):
    values = {"servers": list(addresses), "namespace": f"index-{next(_names)}"}
    # Beats are far apart: nothing of these tests depends on time.
    return Store("memcache", {"servicegroup_memcache": values}, age=lambda _: None)


@pytest.fixture
def store(memcached):
    memcached.flush()
    with make_store(memcached.address) as store:
        yield store


def shards(server):
    """Return the size of each shard of a group's index, in bytes."""
    found = {}
    for key in server.remaining():
        if b":i:" in key and not key.endswith(b"groups"):
            reply = server.ask(b"mg %b s\r\n" % key)
            found[key] = int(reply.split()[1][1:])
    return found


def test_ten_thousand_are_listed_in_few_requests(memcached):
    memcached.flush()
    with (
        Hole((memcached.host, memcached.port), REQUEST) as hole,
        make_store(hole.address) as store,
    ):
        driver = store.driver()
        ids = [f"node-{number:05}" for number in range(10_000)]
        driver.join([member(driver, one, process_id=at) for at, one in enumerate(ids)])
        before = hole.count
        first = driver.sightings(GROUP)
        assert len(first.members) == len(ids)
        assert hole.count - before < 30
        before = hole.count
        known = {one.member.member_id: one.member for one in first.members}
        again = driver.sightings(GROUP, known=known)
        assert all(one.member is known[one.member.member_id] for one in again.members)
        assert hole.count - before < 30
        before = hole.count
        assert [one.member.member_id for one in driver.sightings(GROUP, [ids[7]]).members]
        assert hole.count - before == 1, "a member seen before is one request"
        before = hole.count
        held = known[ids[7]]
        assert driver.heartbeat(held.instance_id, [held]) == []
        before = hole.count
        assert driver.heartbeat(held.instance_id, [held]) == []
        assert hole.count - before == 1, "a beat is one request"


def test_requests_are_counted_at_the_wire(memcached):
    memcached.flush()
    with (
        Hole((memcached.host, memcached.port), REQUEST) as hole,
        make_store(hole.address) as store,
    ):
        driver, reader = store.driver(), store.driver()

        def cost(call, *arguments, **named):
            before = hole.count
            call(*arguments, **named)
            return hole.count - before

        held = join(driver)
        driver.join([member(driver, f"n{number}") for number in range(100)])  # of all shards
        assert len(reader.sightings(GROUP).members) == 101
        assert cost(driver.join, [member(driver, "m2")]) == 2
        assert cost(driver.update, [held._replace(attributes={"a": 1}, revision=1)]) == 2
        assert cost(reader.sightings, GROUP, ["m2"]) == 2, "never seen before"
        assert cost(reader.sightings, GROUP, ["m2"]) == 1
        assert cost(reader.sightings, GROUP) == 3, "index, members, signs of life"
        assert cost(reader.ages, GROUP) == 3
        assert cost(driver.leave, [held]) <= 3
        other = store.driver()
        assert cost(other.join, [member(other, "m2")]) <= 6, "and the one superseded is told"


@pytest.mark.slow
def test_fifty_thousand_fit_a_stock_server(memcached, store):
    driver = store.driver()
    for start in range(0, 50_000, 5000):
        driver.join([member(driver, f"m{start + at}", attributes={}) for at in range(5000)])
    assert len(store.driver().sightings(GROUP).members) == 50_000
    assert max(shards(memcached).values()) < STOCK_ITEM / 2


def test_names_of_members_that_left_are_taken_out(memcached, store):
    driver = store.driver()
    kept = driver.join([member(driver, f"kept-{number}") for number in range(50)])
    left = driver.join([member(driver, f"left-{number}") for number in range(600)])
    driver.leave(left)
    before = sum(shards(memcached).values())
    reader = store.driver()
    assert len(seen(reader)) == 50
    assert sum(shards(memcached).values()) == before, "they left a moment ago"
    memcached.age(2 * store.settings.service_down_time)
    assert len(seen(store.driver())) == 50
    assert sum(shards(memcached).values()) < before / 5
    assert listed(store.driver()) == {one.member_id for one in kept}
    assert driver.heartbeat(driver.context.instance_id, kept) == []
    again = join(driver, "left-1")
    assert listed(reader) == {one.member_id for one in kept} | {again.member_id}


def test_who_joins_while_it_shrinks_stays_listed(memcached, store):
    driver, other = store.driver(), store.driver()
    driver.leave(driver.join([member(driver, f"m{number}") for number in range(200)]))
    memcached.age(2 * store.settings.service_down_time)
    compactor = driver._sight._compactor
    done = threading.Event()

    def shrink():
        while not done.is_set():
            compactor.shrink(GROUP)

    thread = threading.Thread(target=shrink)
    thread.start()
    try:
        for number in range(200):  # the same ids again, whose names are just taken out
            join(other, f"m{number}")
    finally:
        done.set()
        thread.join()
    assert listed(store.driver()) == {f"m{number}" for number in range(200)}


def test_eight_that_join_at_once_all_find_a_place(memcached, store):
    drivers = [store.driver() for _ in range(8)]
    start = threading.Barrier(len(drivers))

    def work(driver):
        start.wait()
        for number in range(25):
            join(driver, f"{driver.context.instance_id}-{number}")

    threads = [threading.Thread(target=work, args=(driver,)) for driver in drivers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(listed(store.driver())) == 200


def test_a_corrupt_shard_costs_its_own_names_only(memcached, store, caplog):
    driver = store.driver()
    held = driver.join([member(driver, f"m{number}") for number in range(100)])
    key = max(shards(memcached), key=shards(memcached).get)
    memcached.ask(b"ms %b 9\r\nxx\nyy zz\r\r\n" % key)
    assert 80 < len(listed(store.driver())) < 100
    assert any("no names of members" in record.getMessage() for record in caplog.records)
    assert driver.heartbeat(driver.context.instance_id, held) == []
    assert len(listed(store.driver())) == 100, "the next beat appends them again"


def test_an_instance_with_many_members_beats_in_one_request(memcached):
    memcached.flush()
    with (
        Hole((memcached.host, memcached.port), REQUEST) as hole,
        make_store(hole.address) as store,
    ):
        driver = store.driver()
        held = driver.join([member(driver, f"m{number}") for number in range(1000)])
        assert driver.heartbeat(driver.context.instance_id, held) == []
        before = hole.count
        assert driver.heartbeat(driver.context.instance_id, held) == []
        assert hole.count - before == 1
