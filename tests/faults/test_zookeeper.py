"""ZooKeeper's failures, made for real: whoever lives comes back by itself, and is never dead."""

import contextlib
import logging
import os
import threading
import time
import uuid

import pytest
from fleet.group import DOWN, INTERVAL
from fleet.onlooker import Onlooker
from fleet.process import PATIENCE
from kazoo.client import KazooClient
from servers.zookeeper_proxy import Proxy

from servicegroup import EventType, State
from servicegroup.driver import Loss
from servicegroup.exceptions import DriverUnavailable
from servicegroup.testing import Store
from servicegroup.testing.scene import join, listed, seen, state, told

#: Seconds; below the limit of the fleet.
SESSION = 1.2

NEVER = {EventType.DOWN, EventType.LEFT}


@pytest.fixture
def point(monkeypatch):
    """Let every ServiceGroup and daemon from now on use the servers at an address."""

    def point(address, **options):
        options = {"hosts": address, "session_timeout": SESSION, **options}
        for name, value in options.items():
            monkeypatch.setenv(f"OS_SERVICEGROUP_ZOOKEEPER__{name.upper()}", str(value))

    return point


@pytest.fixture
def fleet(make, daemon, point, eventually):
    """Make a fleet on servers: a member here, one in a daemon, and who looks at both."""
    onlookers = []

    def fleet(address, session=SESSION, **options):
        point(address, root=f"/test-{uuid.uuid4()}", session_timeout=session)
        options["driver"] = "zookeeper"
        other = daemon(None, wait=False, **options)
        here = make(None, **options).join("g", "here")
        other.ready().join("g", "there")
        onlookers.append(Onlooker(make(None, **options), "g", ["here", "there"]))
        for one in ("here", "there"):
            eventually(lambda one=one: onlookers[0].latest(one) == {State.UP})
        return here, other, onlookers[0]

    with contextlib.ExitStack() as closing:
        closing.callback(lambda: [one.close() for one in onlookers])
        yield fleet


def store(address, root=None, **options):
    options = {"hosts": address, "session_timeout": SESSION, **options}
    options.setdefault("root", root or f"/test-{uuid.uuid4()}")
    return Store("zookeeper", {"servicegroup_zookeeper": options})


def expire(driver, address):
    """End a driver's session as the server would."""
    client = KazooClient(address, client_id=driver._session._client.client_id)
    client.start()
    client.stop()
    client.close()


class TestSessions:
    def test_an_expired_session_is_replaced_by_the_next_beat(self, zookeeper, eventually):
        with store(zookeeper.address) as one:
            driver, reader = one.driver(), one.driver()
            held = join(driver)
            expire(driver, zookeeper.address)
            eventually(lambda: state(one, reader) is State.DOWN)
            assert "session" in seen(reader)["m"].ended.reason
            eventually(lambda: seen(reader)["m"].ended.age is not None)

            def beaten():
                with contextlib.suppress(*driver.client_errors):
                    return driver.heartbeat(held.instance_id, [held]) == []
                return False

            eventually(beaten)
            assert seen(reader)["m"].member == held
            assert state(one, reader) is State.UP
            assert driver.heartbeat(held.instance_id, [held]) == []

    def test_what_was_done_to_it_meanwhile_is_told(self, zookeeper, eventually):
        with store(zookeeper.address) as one:
            driver, other = one.driver(), one.driver()
            held = [join(driver, "kept"), join(driver, "removed"), join(driver, "taken")]
            expire(driver, zookeeper.address)
            eventually(lambda: state(one, other, "kept") is State.DOWN)
            other.leave([held[1]])
            join(other, "taken")

            def beaten():
                with contextlib.suppress(*driver.client_errors):
                    return driver.heartbeat(held[0].instance_id, held)
                return None

            lost = eventually(beaten)
            assert told(lost) == {"removed": Loss.REMOVED, "taken": Loss.SUPERSEDED}
            assert listed(other) == {"kept", "taken"}

    def test_a_change_in_a_new_session_brings_it_back(self, zookeeper, eventually):
        with store(zookeeper.address) as one:
            driver, reader = one.driver(), one.driver()
            held = join(driver)
            expire(driver, zookeeper.address)
            eventually(lambda: state(one, reader) is State.DOWN)
            held = held._replace(revision=1, attributes={"n": 1})

            def changed():
                with contextlib.suppress(*driver.client_errors):
                    return driver.update([held]) == []
                return False

            eventually(changed)
            assert seen(reader)["m"].member == held
            assert state(one, reader) is State.UP

    def test_a_node_left_by_an_earlier_session_is_no_sign_of_life_of_ours(self, zookeeper):
        with store(zookeeper.address) as one:
            driver = one.driver()
            held = join(driver)
            driver.stop()
            again = one.driver(held.instance_id)
            until = time.monotonic() + 2 * SESSION  # the earlier session is over by then
            while time.monotonic() < until:
                assert again.heartbeat(held.instance_id, [held]) == []
                assert state(one, again) is State.UP
                time.sleep(INTERVAL)

    def test_a_silent_heart_is_noticed_though_its_session_lives(self, zookeeper, eventually):
        with store(zookeeper.address) as one:
            driver, reader = one.driver(), one.driver()
            held = join(driver)
            eventually(lambda: state(one, reader) is State.DOWN)
            assert driver._session._client.connected
            assert driver.heartbeat(held.instance_id, [held]) == []
            assert state(one, reader) is State.UP


class TestProcesses:
    def test_a_member_that_was_stopped_comes_back(self, zookeeper, fleet, eventually):
        _, other, onlooker = fleet(zookeeper.address)
        other.pause()
        eventually(lambda: onlooker.latest("there") == {State.DOWN})
        time.sleep(SESSION)
        other.resume()
        eventually(lambda: onlooker.latest("there") == {State.UP})
        assert other.tell("alive", "g") == {"there": True}
        assert onlooker.states("here") == {State.UP}

    def test_a_member_that_was_killed_is_down_and_stays_listed(self, zookeeper, fleet, eventually):
        _, other, onlooker = fleet(zookeeper.address)
        other.kill()
        eventually(lambda: onlooker.latest("there") == {State.DOWN})
        reasons = {one.reason for one in onlooker.verdicts("there") if one.state is State.DOWN}
        assert reasons <= {"its session with ZooKeeper expired", ""}, "some ways give none"
        eventually(lambda: onlooker.told("there")[-1] is EventType.DOWN)

    def test_a_forked_child_leaves_the_parent_alone(self, zookeeper, point, make, eventually):
        point(zookeeper.address, root=f"/test-{uuid.uuid4()}")
        group = make(None, driver="zookeeper")
        member = group.join("g", "parent")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                assert group.is_up("g", "parent")
                with group.join("g", "child"):
                    assert {one.member_id for one in group.get_members("g")} == {"parent", "child"}
                group.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
        time.sleep(2 * SESSION)
        assert member.alive
        assert [(one.member_id, one.is_up) for one in group.get_members("g")] == [("parent", True)]


class TestServers:
    @pytest.mark.parametrize("how", ["killed", "paused"])
    def test_a_server_that_comes_back_with_its_data(self, zookeeper_server, fleet, eventually, how):
        server = zookeeper_server()
        # Who is not back within one session after the server is down: a slow machine has more.
        session = 2 * SESSION
        here, other, onlooker = fleet(server.address, session, service_down_time=4 * DOWN)
        if how == "killed":
            server.kill()
        else:
            server.pause()
        eventually(lambda: onlooker.latest("here") == {State.UNKNOWN})
        time.sleep(2 * session)
        if how == "killed":
            server.start()
        else:
            server.resume()
        for one in ("here", "there"):
            eventually(lambda one=one: onlooker.latest(one) == {State.UP})
            if how == "killed":  # a paused server finds that time has passed, and ends sessions
                assert State.DOWN not in onlooker.states(one)
                assert not NEVER & set(onlooker.told(one))
        eventually(lambda: here.alive and other.tell("alive", "g") == {"there": True})

    def test_a_server_that_comes_back_without_its_data(self, zookeeper_server, fleet, eventually):
        server = zookeeper_server()
        # Who is not back after one of these has left: a slow machine is given more.
        here, other, onlooker = fleet(server.address, service_down_time=4 * DOWN)
        server.kill()
        server.lose_data()
        server.start()
        for one in ("here", "there"):
            eventually(lambda one=one: onlooker.latest(one) == {State.UP})
            assert not NEVER & set(onlooker.told(one))
        eventually(lambda: here.alive and other.tell("alive", "g") == {"there": True})

    def test_the_leader_of_an_ensemble_is_killed(self, zookeeper_ensemble, fleet, eventually):
        here, other, onlooker = fleet(zookeeper_ensemble.address)
        leader = zookeeper_ensemble.leader
        leader.kill()
        eventually(lambda: any(one.leads for one in zookeeper_ensemble.servers if one.running))
        for one in ("here", "there"):
            eventually(lambda one=one: onlooker.latest(one) == {State.UP})
            assert State.DOWN not in onlooker.states(one)
        here.leave()  # which may have to wait for its new session
        eventually(lambda: onlooker.told("here")[-1] is EventType.LEFT)
        eventually(lambda: other.tell("alive", "g") == {"there": True})

    @pytest.mark.parametrize("how", ["kill", "pause"])
    def test_closing_ends_in_time_while_the_server_is_away(
        self, zookeeper_server, point, make, how
    ):
        server = zookeeper_server()
        point(server.address)
        group = make(None, driver="zookeeper")
        group.join("g", "m")
        watch = group.watch("g")
        getattr(server, how)()
        watch.close()  # whoever waits for the server does not come back
        group.close()

    def test_no_server_is_an_error_that_names_the_option(self, point, make):
        point("127.0.0.1:1")
        with pytest.raises(DriverUnavailable, match=r"hosts='127\.0\.0\.1:1'"):
            make(None, driver="zookeeper").join("g", "m")


class TestConnections:
    def test_a_connection_that_is_cut(self, zookeeper, fleet, eventually):
        with Proxy(zookeeper) as proxy:
            _, _, onlooker = fleet(proxy.address)
            for _ in range(3):
                proxy.cut()
                time.sleep(INTERVAL)
            for one in ("here", "there"):
                eventually(lambda one=one: onlooker.latest(one) == {State.UP})
                assert State.DOWN not in onlooker.states(one)
            assert not NEVER & {kind for kind, _ in onlooker.events}

    def test_changes_during_a_cut_are_seen_after_it(self, zookeeper):
        root = f"/test-{uuid.uuid4()}"
        with (
            Proxy(zookeeper) as proxy,
            store(proxy.address, root) as cut,
            store(zookeeper.address, root) as whole,
        ):
            reader, writer = cut.driver(), whole.driver()
            told_anything = threading.Event()
            reader.watch("compute", lambda ids: told_anything.set() if ids is None else None)
            reader.sightings("compute")
            proxy.black_hole.set()
            proxy.cut()
            join(writer)
            assert not told_anything.wait(0.2)
            proxy.black_hole.clear()
            assert told_anything.wait(PATIENCE), "after a lost connection anything may have changed"
            assert listed(reader) == {"m"}

    def test_a_black_hole(self, zookeeper, fleet, eventually):
        with Proxy(zookeeper) as proxy:
            here, other, onlooker = fleet(proxy.address)
            proxy.black_hole.set()
            eventually(here.lost.is_set)
            for one in ("here", "there"):
                eventually(lambda one=one: onlooker.latest(one) == {State.UNKNOWN})
            proxy.black_hole.clear()
            for one in ("here", "there"):
                eventually(lambda one=one: onlooker.latest(one) == {State.UP})
            eventually(lambda: here.alive and other.tell("alive", "g") == {"there": True})

    def test_a_beat_into_a_black_hole_fails(self, zookeeper):
        with Proxy(zookeeper) as proxy, store(proxy.address) as one:
            driver = one.driver()
            held = join(driver)
            proxy.black_hole.set()
            with pytest.raises(driver.client_errors):  # whoever waits for an answer hangs
                driver.heartbeat(held.instance_id, [held])


class TestContents:
    def test_what_is_none_of_ours_is_left_out_and_told_once(self, zookeeper, caplog):
        with store(zookeeper.address) as one:
            driver = one.driver()
            root = driver._session._options.root
            join(driver)
            rubbish = [b"", b"\xff\0", b"{}", b"[]", b"[1,2", b"]", b"1],[2", b'[1,"",1,1]']
            admin = KazooClient(zookeeper.address)
            admin.start()
            for number, data in enumerate(rubbish):
                admin.create(f"{root}/groups/compute/foreign{number}", data)
            admin.create(f"{root}/groups/%ff/x", b"", makepath=True)
            admin.create(f"{root}/groups/#0/x", b"rubbish", makepath=True)
            admin.create(f"{root}/removed/compute/gone", b"rubbish", makepath=True)
            admin.create(f"{root}/instances/foreign", b"rubbish")
            admin.stop()
            admin.close()
            for _ in range(2):
                assert listed(driver) == {"m"}
                assert driver.groups() == ["compute"]
            assert seen(driver, member_ids=["m", "foreign0", "gone"]).keys() == {"m"}
            left_out = [line for line in caplog.messages if "left out" in line]
            assert len(left_out) == len(rubbish) + 2
            assert join(driver, "foreign0").incarnation == 1, "a member may take its place"
            assert listed(driver) == {"m", "foreign0"}

    def test_a_session_time_out_that_the_server_changes_is_told(self, zookeeper_server, caplog):
        server = zookeeper_server(maxSessionTimeout="1000")
        with (
            caplog.at_level(logging.WARNING),
            store(server.address, session_timeout=30.0) as one,
        ):
            driver = one.driver()
            join(driver)
            [finding] = driver.findings()
        (line,) = (line for line in caplog.messages if "session_timeout=30" in line)
        assert "only 1 s" in line
        assert "maxSessionTimeout" in line
        assert not finding.well
        assert finding.result == ("the server grants a session time-out of 1 s, 30 s are asked for")
        assert "maxSessionTimeout" in finding.remedy
