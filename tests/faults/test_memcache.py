"""memcached's failures, made for real: whoever lives comes back by itself, and is never dead."""

import contextlib
import os
import time
import uuid

import pytest
from fleet.onlooker import Onlooker
from servers.hole import Hole

from servicegroup import DriverUnavailable, EventType, LivenessUnknown, State

#: Seconds. memcached counts whole ones: who falls silent is down after three or four.
INTERVAL = 0.4
DOWN = 2.0

NEVER = {EventType.DOWN, EventType.LEFT}


@pytest.fixture
def group(make, monkeypatch):
    """Make ServiceGroups on servers; each call may name others."""
    monkeypatch.setenv("OS_SERVICEGROUP_MEMCACHE__NAMESPACE", f"test-{uuid.uuid4()}")

    def group(servers, **options):
        addresses = ",".join(server.address for server in servers)
        monkeypatch.setenv("OS_SERVICEGROUP_MEMCACHE__SERVERS", addresses)
        times = {"report_interval": INTERVAL, "service_down_time": DOWN, "poll_interval": 0.2}
        return make(None, driver="memcache", **times, **options)

    return group


@pytest.fixture
def fleet(group, eventually):
    """Make a fleet on servers: three members of three processes, and who looks at them."""
    onlookers = []

    def fleet(servers, prepare=lambda _: None):
        members = [group(servers).join("g", one) for one in ("a", "b", "c")]
        seen_by = group(servers)
        prepare(seen_by)
        onlooker = Onlooker(seen_by, "g", ["a", "b", "c"])
        onlookers.append(onlooker)
        for one in ("a", "b", "c"):
            eventually(lambda one=one: onlooker.latest(one) == {State.UP})
        time.sleep(DOWN + 2)  # there are witnesses now: silence would be believed
        return members, onlooker

    with contextlib.ExitStack() as closing:
        closing.callback(lambda: [one.close() for one in onlookers])
        yield fleet


def assert_comes_back(members, onlooker, eventually, since):
    """Check that all are up again soon, and that nobody was ever called dead."""
    returned = time.monotonic()
    for one in ("a", "b", "c"):
        eventually(
            lambda one=one: onlooker.verdicts(one, returned) and onlooker.latest(one) == {State.UP},
        )
    time.sleep(DOWN)
    for one in ("a", "b", "c"):
        assert State.DOWN not in onlooker.states(one, since), [
            answer for answer in onlooker.verdicts(one, since) if answer.state is State.DOWN
        ][:3]
        assert not NEVER & set(onlooker.told(one))
    assert all(member.alive for member in members)


def test_a_server_killed_and_started_empty(memcached_server, fleet, eventually):
    server = memcached_server()
    members, onlooker = fleet([server])
    since = time.monotonic()
    server.kill()
    time.sleep(DOWN + 1)
    server.start()
    assert_comes_back(members, onlooker, eventually, since)


def test_a_flush(memcached_server, fleet, eventually):
    server = memcached_server()
    members, onlooker = fleet([server])
    since = time.monotonic()
    server.flush()
    assert_comes_back(members, onlooker, eventually, since)


def test_a_server_that_hangs_beyond_the_limit(memcached_server, fleet, eventually):
    server = memcached_server()
    members, onlooker = fleet([server])
    since = time.monotonic()
    server.pause()
    time.sleep(2 * DOWN)
    server.resume()
    assert_comes_back(members, onlooker, eventually, since)


def test_one_of_three_is_killed_and_later_hangs(memcached_server, fleet, eventually):
    servers = [memcached_server() for _ in range(3)]
    members, onlooker = fleet(servers)
    since = time.monotonic()
    servers[1].kill()
    time.sleep(2 * DOWN)
    for one in ("a", "b", "c"):
        assert onlooker.states(one, since) == {State.UP}, "the other copy was there all the time"
    servers[1].start()
    assert_comes_back(members, onlooker, eventually, since)
    servers[1].pause()  # and now it hangs
    time.sleep(2 * DOWN)
    servers[1].resume()
    assert_comes_back(members, onlooker, eventually, since)


def test_one_cannot_be_reached_by_the_observer_alone(memcached_server, fleet, eventually):
    servers = [memcached_server() for _ in range(3)]
    with Hole((servers[0].host, servers[0].port)) as hole:
        members, onlooker = fleet(servers, lambda seen_by: detour(seen_by, servers[0], hole))
        since = time.monotonic()
        hole.swallows.set()
        time.sleep(3 * DOWN)
        for one in ("a", "b", "c"):
            assert State.DOWN not in onlooker.states(one, since)
            assert State.UP in onlooker.states(one, since + DOWN), "the other copy can be read"
        hole.swallows.clear()
        hole.cut()
        assert_comes_back(members, onlooker, eventually, since)


def detour(group, server, hole):
    """Lead a ServiceGroup's connections to one server through a proxy; its name stays the same."""
    [door] = group._process.doors()
    [led] = [one for one in door.driver._servers._servers if one.name == server.address]
    led._arguments["server"] = hole.address
    led.open()


def test_a_cut_connection_is_not_noticed(memcached_server, group):
    server = memcached_server()
    with Hole((server.host, server.port)) as hole:
        group([server]).join("g", "m")
        one = group([hole])  # who asks, and does not beat: a connection is cut when it lies idle
        assert one.is_up("g", "m")
        for _ in range(5):
            hole.cut()
            assert one.is_up("g", "m")


def test_eviction_by_others(memcached_server, fleet, eventually):
    server = memcached_server(memory=16)
    members, onlooker = fleet([server])
    since = time.monotonic()
    until = since + 3 * DOWN
    value = b"x" * 3000
    count = 0
    while time.monotonic() < until:
        sizes = (200, 1000, 3000, 400)
        load = [
            b"ms junk%d %d\r\n%b\r\n" % (count + at, sizes[at % 4], value[: sizes[at % 4]])
            for at in range(500)
        ]
        server.ask(b"".join(load) + b"mn\r\n", b"MN\r\n")
        count += 500
    assert b"STAT evictions 0\r\n" not in server.ask(b"stats\r\n", b"END\r\n")
    assert_comes_back(members, onlooker, eventually, since)


def test_keys_that_are_evicted_come_back(memcached_server, fleet, eventually):
    server = memcached_server()
    members, onlooker = fleet([server])
    instances = [one.member.instance_id.encode() for one in members]
    for kind in ("i", "b", "s", "r", "m"):
        since = time.monotonic()
        gone = [
            key
            for key in server.remaining()
            if f":{kind}:".encode() in key
            # A watch beats, too, only while nobody else bears witness.
            and (kind not in "bsr" or any(one in key for one in instances))
        ]
        assert gone
        server.ask(b"".join(b"md %b\r\n" % key for key in gone) + b"mn\r\n", b"MN\r\n")
        eventually(lambda gone=gone: set(gone) <= set(server.remaining()))
        returned = time.monotonic()
        for one in ("a", "b", "c"):
            eventually(lambda one=one, at=returned: onlooker.verdicts(one, at))
            eventually(lambda one=one: onlooker.latest(one) == {State.UP})
            if kind != "m":  # a member's key that was evicted is as one that never was
                answers = onlooker.verdicts(one, since)
                states = {each.state for each in answers if each.way != "get_members"}
                assert State.DOWN not in states


def test_a_member_that_is_stopped_comes_back(memcached_server, group, daemon, eventually):
    server = memcached_server()
    seen_by = group([server])
    kept = seen_by.join("g", "kept")
    times = {"report_interval": INTERVAL, "service_down_time": DOWN}
    stopped = daemon(None, driver="memcache", **times)
    stopped.join("g", "stopped")
    killed = daemon(None, driver="memcache", **times)
    killed.join("g", "killed")
    stopped.pause()
    killed.kill()
    for one in ("stopped", "killed"):
        eventually(lambda one=one: seen_by.liveness("g", one).state is State.DOWN)
    assert {one.member_id for one in seen_by.get_members("g")} == {"kept", "stopped", "killed"}
    assert seen_by.liveness("g", "killed").since >= 0
    stopped.resume()
    eventually(lambda: seen_by.is_up("g", "stopped"))
    assert seen_by.liveness("g", "killed").state is State.DOWN
    assert seen_by.is_up("g", "kept")
    assert kept.alive


def test_connections_that_are_delayed_swallowed_and_cut(memcached_server, fleet, eventually):
    server = memcached_server()
    with Hole((server.host, server.port)) as hole:
        members, onlooker = fleet([hole])
        since = time.monotonic()
        hole.delay = INTERVAL / 4
        time.sleep(DOWN)
        hole.delay = 0.0
        hole.swallows.set()
        time.sleep(2 * DOWN)
        hole.swallows.clear()
        hole.cut()
        assert_comes_back(members, onlooker, eventually, since)


def test_a_shard_begun_anew_by_another_is_filled_again(memcached_server, group, eventually):
    server = memcached_server()
    first = group([server])
    first.join("g", "first")
    [shards] = [[key for key in server.remaining() if b":i:" in key]]
    server.ask(b"".join(b"md %b\r\n" % key for key in shards) + b"mn\r\n", b"MN\r\n")
    other = group([server])
    for number in range(64):  # all shards are there again, without it
        other.join("g", f"other-{number}", wait=number == 63)
    eventually(lambda: "first" in {one.member_id for one in other.get_members("g")})


@pytest.mark.parametrize("value", [b"", b"[1,2", b"\x00\xff" * 40, b'[1,0,"g"],[1', b"{}"])
def test_foreign_values_are_ignored_and_healed(memcached_server, group, eventually, value, caplog):
    server = memcached_server()
    one = group([server])
    one.join("g", "m")
    group([server]).join("g", "well")
    [key] = _member_keys(server, b'"m"')
    server.ask(b"ms %b %d\r\n%b\r\n" % (key, len(value), value))
    assert "well" in {each.member_id for each in one.get_members("g")}, "the rest still comes"
    eventually(lambda: {"m", "well"} == {each.member_id for each in one.get_members("g")})
    eventually(lambda: one.is_up("g", "m"))
    assert sum("is ignored" in record.getMessage() for record in caplog.records) <= 3


def test_a_forged_member_is_ignored(memcached_server, group, monkeypatch, caplog):
    server = memcached_server()
    forger = group([server])
    forger.join("g", "forged")
    monkeypatch.setenv("OS_SERVICEGROUP_MEMCACHE__SECRET_KEY", "a secret that is long enough")
    one = group([server])
    one.join("g", "m")
    assert [each.member_id for each in one.get_members("g")] == ["m"]
    [key] = _member_keys(server, b'"m"')
    copied = server.ask(b"get %b\r\n" % key, b"END\r\n").split(b"\r\n")[1]
    [forged] = _member_keys(server, b'"forged"')
    server.ask(b"ms %b %d\r\n%b\r\n" % (forged, len(copied), copied))
    assert [each.member_id for each in one.get_members("g")] == ["m"]
    assert any("HMAC" in record.getMessage() for record in caplog.records)


def _member_keys(server, part):
    return [
        key
        for key in server.remaining()
        if b":m:" in key and part in server.ask(b"get %b\r\n" % key, b"END\r\n")
    ]


@pytest.mark.parametrize("how", ["killed", "paused"])
def test_closing_keeps_its_deadline(memcached_server, group, how):
    server = memcached_server()
    one = group([server], stop_deadline=1.0)
    one.join("g", "m")
    watch = one.watch("g")
    if how == "killed":
        server.kill()
    else:
        server.pause()
    one.close()  # whoever waits for the server does not come back
    watch.close()


def test_an_operators_delete_stays_deleted(memcached_server, group, eventually):
    servers = [memcached_server() for _ in range(2)]
    owner, operator = group(servers), group(servers)
    held = owner.join("g", "m")
    kept = owner.join("g", "kept")
    servers[0].pause()  # the operator reaches one of the two copies only
    assert operator.leave("g", "m")
    servers[0].resume()
    eventually(held.lost.is_set)
    assert "removed" in held.lost_reason
    time.sleep(2 * DOWN)
    for one in (owner, operator, group(servers)):
        assert [each.member_id for each in one.get_members("g")] == ["kept"]
    assert kept.alive


def test_what_the_store_lost_cannot_be_removed(memcached_server, group, eventually):
    server = memcached_server()
    with Hole((server.host, server.port)) as hole:
        owner, operator = group([hole]), group([server])
        held = owner.join("g", "m")
        hole.swallows.set()  # it cannot tell again that it is there
        server.flush()
        with pytest.raises(LivenessUnknown, match="cannot be removed now"):
            operator.leave("g", "m")
        with pytest.raises(LivenessUnknown) as told:
            operator.is_up("g", "m")
        assert "workers" not in str(told.value)
        hole.swallows.clear()
        hole.cut()
        eventually(lambda: operator.is_up("g", "m", unknown=False))
        assert operator.leave("g", "m")
        eventually(lambda: "removed" in (held.lost_reason or ""))


def test_a_forked_child_asks_for_itself(memcached_server, group):
    server = memcached_server()
    one = group([server])
    one.join("g", "m")
    child = os.fork()
    if not child:
        try:
            one.get_members("g")
            one.join("g", "child")
            up = one.is_up("g", "m") and one.is_up("g", "child")
            os._exit(0 if up else 1)
        except BaseException:  # noqa: BLE001 - the parent is told
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert one.is_up("g", "m")


def test_nobody_is_there(group):
    class Nowhere:
        address = "127.0.0.1:1"

    one = group([Nowhere])
    with pytest.raises(DriverUnavailable, match=r"127\.0\.0\.1:1: .*refused"):
        one.get_members("g")
