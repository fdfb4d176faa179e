"""Watches of the zookeeper driver on a real server: who is told, and what the server keeps."""

import threading
import time
import uuid

import pytest
from kazoo.exceptions import UnimplementedError
from kazoo.protocol.states import KazooState
from servers.zookeeper_proxy import Proxy

from servicegroup.testing import Store
from servicegroup.testing.scene import join

#: The opcodes of what sets a watch and of what ends one.
ADD, REMOVE = 106, 18
#: Seconds until what hangs is told from what is slow.
PATIENCE = 20


def store(address):
    options = {"hosts": address, "root": f"/test-{uuid.uuid4()}", "session_timeout": 10.0}
    return Store("zookeeper", {"servicegroup_zookeeper": options})


@pytest.fixture
def driver(zookeeper):
    with store(zookeeper.address) as one:
        yield one.driver()


@pytest.fixture
def behind(zookeeper):
    """A proxy, and a driver that knows the server by its address."""
    with Proxy(zookeeper) as proxy, store(proxy.address) as one:
        yield proxy, one.driver()


class Ear:
    """Hears what a watch tells."""

    def __init__(self, driver, group_id="compute"):
        self._news = threading.Condition()
        self._heard = set()
        self.stop = driver.watch(group_id, self._told)

    def _told(self, member_ids):
        with self._news:
            self._heard |= {None} if member_ids is None else set(member_ids)
            self._news.notify_all()

    def hears(self, member_id):
        """Wait until it is told of that member; ``None``: of anything."""
        with self._news:
            return self._news.wait_for(lambda: member_id in self._heard, PATIENCE)

    def forget(self):
        with self._news:
            self._heard.clear()


def kept(zookeeper, driver):
    """Return what the server watches for a driver, once all that it was asked is answered."""
    driver.groups()
    root = driver._session._options.root
    paths, session = set(), f"{driver._session.id:#x}"
    for line in zookeeper.ask("wchc").splitlines():
        if not line.startswith("\t"):
            ours = line == session
        elif ours:
            paths.add(line.strip().removeprefix(root))
    return paths


def fall_silent(driver):
    """Take a driver's sign of life away, as the server does when its session ends."""
    session, instance_id = driver._session, driver.context.instance_id
    session.request(session.delete(f"{session._options.root}/instances/{instance_id}"))


SHARED = {"/instances", "/ended"}


def test_a_watch_that_is_closed_is_gone_from_the_server(zookeeper, driver):
    assert kept(zookeeper, driver) == set(), "nothing is left of finding out what it can"
    here, there = Ear(driver, "here"), Ear(driver, "there")
    assert kept(zookeeper, driver) == SHARED | {"/groups/here", "/groups/there"}
    here.stop()
    assert kept(zookeeper, driver) == SHARED | {"/groups/there"}
    there.stop()
    there.stop()
    assert kept(zookeeper, driver) == set()


def test_below_a_chroot_as_well(zookeeper, driver):
    chroot = f"{driver._session._options.root}/below"
    driver._session.ensure({chroot: b""})
    with store(f"{zookeeper.address}{chroot}") as one:
        below = one.driver()
        ear = Ear(below)
        assert len(kept(zookeeper, below)) == 3
        ear.stop()
        assert kept(zookeeper, below) == set()


def test_another_watch_of_the_group_goes_on_being_told(zookeeper, driver):
    first, second = Ear(driver), Ear(driver)
    first.stop()
    assert kept(zookeeper, driver) == SHARED | {"/groups/compute"}
    join(driver, "m")
    assert second.hears("m")
    third = Ear(driver)
    second.stop()
    join(driver, "n")
    assert third.hears("n")


def test_a_watch_that_begins_while_the_last_one_ends_is_told(driver, monkeypatch):
    ended, ears = driver._session.unwatch, []
    beginning = threading.Thread(target=lambda: ears.append(Ear(driver)))

    def unwatch(path):
        if beginning.ident is None:
            beginning.start()
            beginning.join(0.2)  # as far as it gets
        ended(path)

    first = Ear(driver)
    monkeypatch.setattr(driver._session, "unwatch", unwatch)
    first.stop()
    beginning.join(PATIENCE)
    (second,) = ears
    join(driver)
    assert second.hears("m")
    driver.sightings("compute")
    second.forget()
    fall_silent(driver)
    assert second.hears("m"), "the watch on all instances was set anew as well"


def test_a_watch_that_cannot_be_set_costs_no_other_one_its_news(behind):
    proxy, driver = behind
    ear = Ear(driver)
    join(driver)
    driver.sightings("compute")
    assert ear.hears("m")
    proxy.lacks = (ADD,)
    with pytest.raises(UnimplementedError):
        Ear(driver, "another")
    proxy.lacks = ()
    ear.forget()
    fall_silent(driver)
    assert ear.hears("m")


def test_a_server_that_cannot_end_watches_is_asked_once(zookeeper):
    with Proxy(zookeeper, lacks=(REMOVE,)) as proxy, store(proxy.address) as one:
        driver = one.driver()
        for name in ("m", "n"):
            ear = Ear(driver)
            join(driver, name)
            assert ear.hears(name)
            ear.stop()
        assert "/groups/compute" in kept(zookeeper, driver)
        assert proxy.asked.count(REMOVE) == 1
        proxy.lacks = ()
        ear = Ear(driver)
        proxy.cut()
        assert ear.hears(None)
        ear.stop()
        assert kept(zookeeper, driver) == set()
        assert proxy.asked.count(REMOVE) == 4, "the next connection may be to a newer one"


def test_what_becomes_of_an_earlier_connection_is_no_concern_of_the_next(driver):
    earlier = driver._session._client
    driver.stop()
    driver.start()
    driver._session._changed(earlier, KazooState.LOST)  # as it may say it late
    assert driver._session._down_since is None


def test_closing_without_a_connection_asks_for_nothing(zookeeper, behind):
    proxy, driver = behind
    ear = Ear(driver)
    asked = proxy.asked.count(REMOVE)
    proxy.black_hole.set()
    proxy.cut()
    while driver._session._client.connected:
        time.sleep(0.01)
    ear.stop()
    proxy.black_hole.clear()
    assert kept(zookeeper, driver) == set(), "and it is not set again"
    assert proxy.asked.count(REMOVE) == asked
