"""Requests that kazoo lacks, on a real server, and on one that does not know them."""

import threading
import time
import uuid

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError, NoWatcherError, UnimplementedError
from kazoo.security import make_digest_acl
from servers.zookeeper_proxy import Proxy

from servicegroup import config
from servicegroup.door import Door
from servicegroup.driver import Capability, Loss
from servicegroup.drivers.zookeeper import members
from servicegroup.drivers.zookeeper.wire import (
    AddWatch,
    Children,
    MultiRead,
    RemoveWatch,
    contents,
    names,
    node,
    nodes,
)
from servicegroup.exceptions import NotSupported
from servicegroup.testing import Store
from servicegroup.testing.scene import join, listed, member, seen, told


def options(address, **more):
    return {
        "servicegroup_zookeeper": {
            "hosts": address,
            "root": f"/test-{uuid.uuid4()}",
            "session_timeout": 2.0,
            **more,
        }
    }


@pytest.fixture
def client(zookeeper):
    client = KazooClient(zookeeper.address)
    client.start()
    client.create("/wire")
    yield client
    client.delete("/wire", recursive=True)
    client.stop()
    client.close()


def asked(client, request):
    result = client.handler.async_result()
    client._call(request, result)
    return result.get(timeout=10)


class TestMultiRead:
    def test_many_nodes_are_read_at_once(self, client):
        client.create("/wire/full", b"\0data\xff" * 1000)
        client.create("/wire/empty", b"")
        client.create("/wire/mortal", b"x", ephemeral=True)
        paths = ["/wire/full", "/wire/none", "/wire/empty", "/wire/mortal", "/wire/none", "/wire"]
        reply = asked(client, MultiRead(paths))
        full, none, empty, mortal, none_too, top = nodes(*reply)
        assert (none, none_too) == (None, None)
        assert full == node(*client.get("/wire/full"))
        assert (empty.data, top.data) == (b"", b"")
        assert mortal.stat.ephemeralOwner == client.client_id[0]
        assert top.stat == client.get("/wire")[1]
        assert top.stat.numChildren == 3
        assert contents(*reply) == [None if one is None else one.data for one in nodes(*reply)]

    def test_nothing_is_read_at_once(self, client):
        assert nodes(*asked(client, MultiRead([]))) == []

    def test_a_node_that_may_not_be_read_is_an_error(self, client, zookeeper):
        client.create("/wire/secret", b"", acl=[make_digest_acl("a", "b", all=True)])
        client.create("/wire/open", b"")
        reply = asked(client, MultiRead(["/wire/open", "/wire/secret"]))
        for taken in (nodes, contents):
            with pytest.raises(NoAuthError):
                taken(*reply)
        client.delete("/wire/secret")


class TestChildren:
    def test_names_are_those_of_the_client_library(self, client):
        for name in ("plain", "%C3%A4", "ä", "日本", "x" * 200):
            client.create(f"/wire/{name}")
            found = names(*asked(client, Children("/wire")))
            assert found == client.get_children("/wire")
            assert name in found

    def test_of_nothing_there_are_none(self, client):
        assert names(*asked(client, Children("/wire"))) == []


class TestAddWatch:
    def test_a_node_that_is_not_there_can_be_watched(self, client):
        assert asked(client, AddWatch("/wire/not there")) is True


class TestRemoveWatch:
    def test_the_server_forgets_that_path_and_no_other(self, client, zookeeper):
        paths = [f"/wire/{uuid.uuid4()}" for _ in range(2)]
        for path in (*paths, *paths):
            asked(client, AddWatch(path))
        assert asked(client, RemoveWatch(paths[0])) is True
        watched = zookeeper.ask("wchp").splitlines()
        assert [path in watched for path in paths] == [False, True]

    def test_where_there_is_none_that_is_an_error(self, client):
        with pytest.raises(NoWatcherError):
            asked(client, RemoveWatch("/wire"))


@pytest.mark.parametrize(
    "request_", [MultiRead(["/"]), AddWatch("/"), RemoveWatch("/")], ids=lambda one: str(one.type)
)
def test_an_older_server_says_so(zookeeper, request_):
    with Proxy(zookeeper, lacks=(request_.type,)) as old:
        client = KazooClient(old.address)
        client.start()
        with pytest.raises(UnimplementedError):
            asked(client, request_)
        client.stop()
        client.close()


class TestOnAnOlderServer:
    @pytest.fixture
    def old(self, zookeeper):
        with Proxy(zookeeper, lacks=(22, 106)) as old:
            yield old

    def test_members_are_read_one_by_one(self, old, zookeeper):
        patient = {"driver": "zookeeper", "report_interval": 10.0, "service_down_time": 60.0}
        address = options(old.address, session_timeout=20.0)  # a new session would ask again
        with Store("zookeeper", {**address, config.GROUP: patient}) as store:
            driver = store.driver()
            held = driver.join([member(driver, f"m{n}") for n in range(700)])
            assert {key: one.member for key, one in seen(driver).items()} == {
                one.member_id: one for one in held
            }
            assert driver.heartbeat(driver.context.instance_id, held) == []
            assert all(one.ended is None for one in seen(driver).values())
            assert old.asked.count(22) == 1, "what a server lacks is asked for once a session"

    def test_watches_are_not_promised(self, old):
        with Store("zookeeper", options(old.address)) as store:
            driver = store.driver()
            assert Capability.WATCH not in driver.capabilities
            assert Capability.REMEMBERS in driver.capabilities
            with pytest.raises(NotSupported):
                driver.watch("compute", lambda _: None)
            with pytest.raises(NotSupported):
                Door("zookeeper", driver).watch("compute", lambda _: None)

    def test_an_older_server_that_takes_over_is_looked_at_again_and_again(self, zookeeper, caplog):
        looks = threading.Semaphore(0)
        with Proxy(zookeeper) as mixed, Store("zookeeper", options(mixed.address)) as store:
            driver = store.driver()
            driver.watch("compute", lambda ids: looks.release() if ids is None else None)
            mixed.lacks = (22, 106)
            mixed.cut()
            for _ in range(9):  # three groups of nodes are watched
                assert looks.acquire(timeout=10)
            assert len([line for line in caplog.messages if "older than 3.6" in line]) == 1
            mixed.lacks = ()
            mixed.cut()
            while looks.acquire(timeout=2 * 1.0):
                pass
            join(store.driver(), "m")
            assert looks.acquire(timeout=10), "it is told of changes again"


class TestRequestsCounted:
    def test_a_listing_of_ten_thousand_takes_under_thirty(self, zookeeper):
        with (
            Proxy(zookeeper) as counting,
            Store("zookeeper", options(counting.address, session_timeout=20.0)) as store,
        ):
            driver = store.driver()
            driver.join([member(driver, f"m{n}") for n in range(10_000)])
            reader = store.driver()
            before = len(counting.asked)
            assert len(reader.sightings("compute").members) == 10_000
            assert len(counting.asked) - before < 30

    def test_nodes_that_are_none_of_ours_are_left_out_of_a_listing(self, zookeeper, client):
        with Store("zookeeper", options(zookeeper.address)) as store:
            driver = store.driver()
            driver.join([member(driver, f"m{n}") for n in range(300)])
            root = driver._session._options.root
            half = b'[1,"a",1,0,null,"odd","","",0,0,null,null'
            for name, data in {
                "corrupt": b"{",
                "another": b"[2]",
                "odd": half,
                "odd2": b",{}]",
                "misnamed": half + b",{}]",
                "not a list": b"{}",
            }.items():
                client.create(f"{root}/groups/compute/{name}", data)
            assert listed(driver) == {f"m{n}" for n in range(300)}

    def test_a_beat_is_one_read(self, zookeeper):
        with (
            Proxy(zookeeper) as counting,
            Store("zookeeper", options(counting.address)) as store,
        ):
            driver = store.driver()
            held = driver.join([member(driver, f"m{n}") for n in range(100)])
            driver.heartbeat(driver.context.instance_id, held)
            counting.asked.clear()
            for _ in range(5):
                assert driver.heartbeat(driver.context.instance_id, held) == []
            assert counting.asked == [22] * 5

    def test_whoever_left_writes_nothing_more(self, zookeeper, client, monkeypatch):
        monkeypatch.setattr(members, "TAKE_BACK", 0.0)
        short = {"driver": "zookeeper", "report_interval": 0.15, "service_down_time": 0.6}
        address = {"session_timeout": 1.8}
        with (
            Proxy(zookeeper) as counting,
            Store(
                "zookeeper", {**options(counting.address, **address), config.GROUP: short}
            ) as one,
        ):
            driver = one.driver()
            driver.leave([join(driver)])
            root = driver._session._options.root
            while client.get_children(f"{root}/instances"):  # it takes its sign of life away
                time.sleep(0.01)
            until = time.monotonic() + 10
            while driver._members._beaten_at is not None:  # it hears that it is away
                assert time.monotonic() < until
                time.sleep(0.01)
            counting.asked.clear()
            later = counting.pings + 3
            while counting.pings < later and len(counting.asked) < 3:  # each in a ping's place
                time.sleep(0.01)
            assert len(counting.asked) < 3

    def test_a_change_of_attributes_is_a_look_and_a_transaction(self, zookeeper):
        with (
            Proxy(zookeeper) as counting,
            Store("zookeeper", options(counting.address)) as store,
        ):
            driver, reader = store.driver(), store.driver()
            held = join(driver)
            for revision in range(1, 4):
                counting.asked.clear()
                held = held._replace(revision=revision, attributes={"n": revision})
                assert driver.update([held]) == []
                assert counting.asked == [9, 22, 14]  # sync and multiRead are one round trip
                assert seen(reader)["m"].member == held


class TestChanges:
    """A change where what was written last is not what is there."""

    @pytest.fixture
    def store(self, zookeeper):
        with Store("zookeeper", options(zookeeper.address)) as store:
            yield store

    def test_an_earlier_change_does_not_follow_a_later_one(self, store):
        driver, reader = store.driver(), store.driver()
        held = join(driver)
        first, second = (held._replace(revision=n, attributes={"n": n}) for n in (1, 2))
        assert driver.update([second]) == []
        assert driver.update([first]) == []
        assert seen(reader)["m"].member == second

    def test_what_others_did_is_found(self, store):
        driver, other = store.driver(), store.driver()
        held = [join(driver, one) for one in ("kept", "removed", "taken")]
        other.leave([held[1]])
        join(other, "taken")
        lost = driver.update([one._replace(revision=1) for one in held])
        assert told(lost) == {"removed": Loss.REMOVED, "taken": Loss.SUPERSEDED}
        assert seen(other)["kept"].member.revision == 1

    def test_a_node_that_was_made_anew_is_not_taken_for_the_old_one(self, store):
        driver, other = store.driver(), store.driver()
        held = join(driver)  # both nodes are at version 0
        other.leave([held])
        newer = join(other)
        assert told(driver.update([held._replace(revision=1)])) == {"m": Loss.SUPERSEDED}
        assert seen(other)["m"].member == newer

    def test_a_node_that_was_written_by_hand_is_written_again(self, store, client):
        driver, reader = store.driver(), store.driver()
        held = join(driver)
        root = driver._session._options.root
        client.set(f"{root}/groups/compute/m", b"nonsense")
        held = held._replace(revision=1, attributes={"n": 1})
        assert driver.update([held]) == []
        assert seen(reader)["m"].member == held

    def test_an_instance_that_was_ended_rises_with_the_change(self, store):
        driver, other = store.driver(), store.driver()
        held = join(driver)
        other.end(held.instance_id, "killed")
        assert seen(other)["m"].ended.reason == "killed"
        held = held._replace(revision=1)
        assert driver.update([held]) == []
        assert seen(other)["m"].ended is None


class TestChroot:
    def test_everything_lies_below_the_chroot(self, zookeeper, client):
        calls = []
        told = threading.Event()

        def changed(ids):
            calls.append(ids)
            if ids is not None and "a/b" in ids:
                told.set()

        chroot = f"{zookeeper.address}/wire/below/it"
        with Store("zookeeper", options(chroot, root="/sg")) as store:
            driver, reader = store.driver(), store.driver()
            reader.watch("compute", changed)
            held = join(driver, "a/b")
            assert told.wait(10), calls
            assert listed(reader) == {"a/b"}
            assert reader.groups() == ["compute"]
            assert driver.heartbeat(held.instance_id, [held]) == []
            assert client.get_children("/wire/below/it/sg/groups/compute") == ["a%2Fb"]
            reader.leave([held])
            assert listed(driver) == set()
