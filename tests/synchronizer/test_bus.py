"""Notifications, on the in-memory bus and on a real broker."""

import logging
import random
import sqlite3
import threading
import uuid

import kombu
import pytest
from faults.laboratory.link import Link
from servers.certificate import self_signed
from sources import scripted
from sources.publisher import Publisher
from sources.scene import PATIENCE, Picture
from sources.scripted import TYPE

import servicegroup.synchronizer.listener
from servicegroup.synchronizer import Deleted, Entity, NotCollected, Op
from servicegroup.synchronizer.listener import PRIORITIES

#: What is heard of the exchange before anything else is published.
EXCHANGE = "thing-exchange"


@pytest.fixture(params=["memory", "rabbitmq"])
def url(request):
    if request.param == "memory":
        return "fake://"
    return request.getfixturevalue("rabbitmq").url


@pytest.fixture
def bus(url):
    topic = f"t{uuid.uuid4().hex[:8]}"
    return {"transport_url": url, "topics": topic, "pool": f"{topic}-ours"}


@pytest.fixture
def publisher(bus):
    with Publisher(bus["transport_url"], bus["topics"]) as publisher:
        yield publisher


def listens(sync, until):
    until(lambda: sync.status().sources[0].state == "ok")


def test_every_priority_is_heard(scene, bus, publisher, picture, until):
    sync = scene.start("Notified", picture, own=bus)
    listens(sync, until)
    for priority in PRIORITIES:
        publisher.say(priority, key=priority, state="up")
    picture.until(lambda: len(picture.entities) == 7)
    assert {event.op for event in picture.events} <= {
        *(Op.SNAPSHOT_BEGIN, Op.SNAPSHOT_END, Op.CREATE)
    }


def test_changes_of_one_key_come_in_order_and_deletes_too(scene, bus, publisher, picture, until):
    sync = scene.start("Notified", picture, own=bus)
    listens(sync, until)
    # In memory, each priority has a queue of its own.
    priorities = ["info"] if bus["transport_url"] == "fake://" else PRIORITIES
    for number in range(50):
        publisher.say(priorities[-number % len(priorities)], key="a", state=str(number))
        publisher.say(key=f"b{number}", state="up")
    publisher.say(priorities[0], key="a", state="last")
    for number in range(50):
        publisher.say(event="thing.delete", key=f"b{number}", mark="deleted")
    publisher.say(key="end")
    picture.until_states(a="last", end=None)
    states = [
        int(e.entity.state) for e in picture.events if e.key == "a" and e.entity.state != "last"
    ]
    assert states == sorted(states)
    assert not picture.gaps


def test_a_duplicate_is_told_once(scene, bus, publisher, picture, until):
    sync = scene.start("Notified", picture, own=bus)
    listens(sync, until)
    for _ in range(5):
        publisher.say(key="a", state="up")
    publisher.say(key="end", state="up")
    picture.until(lambda: "end" in picture.states)
    assert picture.changes == [("create", "a"), ("create", "end")]


def test_somebody_elses_messages_are_not_taken(scene, bus, publisher, picture, until, tmp_path):
    from sources.scene import Scene

    other_scene = Scene(tmp_path / "other")
    try:
        first = scene.start("Notified", picture, own=bus)
        other = Picture()
        second = other_scene.start(
            "Notified", other, own={**bus, "pool": f"{bus['topics']}-theirs"}
        )
        listens(first, until)
        listens(second, until)
        for number in range(10):
            publisher.say(key=str(number), state="up")
        picture.until(lambda: len(picture.entities) == 10)
        other.until(lambda: len(other.entities) == 10)
    finally:
        other_scene.close()


def test_what_cannot_be_understood_is_told_and_left_out(scene, bus, publisher, picture, until):
    sync = scene.start("Notified", picture, own=bus)
    listens(sync, until)
    publisher.say(key="a", state="up")
    publisher.say(key=["no", "text"])
    publisher.say(key="b", planet="Mars")
    publisher.say(event="other.thing", key="c")
    publisher.say(key="d", state="up", type="test.none")
    publisher.say(key="much", data={"number": 2**70})
    publisher.say(key="strange", state="\udcff")
    publisher.say_exactly({"event_type": "thing.update", "priority": None, "payload": {"key": "e"}})
    publisher.say(key="f", state="up")
    picture.until_states(a="up", e=None, f="up")
    counts = sync.status().sources[0].counts
    assert counts["malformed"] == 5
    picture.until(lambda: picture.statuses)
    state, reason = picture.statuses[0]
    assert state == "warning"
    assert "'thing.update' of 'thing.host'" in reason


def test_nothing_is_heard_before_the_plugin_is_prepared(scene, bus, publisher, picture, until):
    scripted.Unprepared.may.clear()
    sync = scene.start("Unprepared", picture, own=bus)
    until(lambda: sync.status().sources[0].state == "failing")
    assert "install the planet" in sync.status().sources[0].reason
    publisher.say(key="a", state="up")
    scripted.Unprepared.may.set()
    listens(sync, until)
    publisher.say(key="b", state="up")
    picture.until(lambda: "b" in picture.states)
    counts = sync.status().sources[0].counts
    assert (counts["reconciles"], "malformed" in counts) == (1, False)


def test_a_type_that_only_the_bus_tells_cannot_be_polled(scene, bus, until):
    sync = scene.start("Notified", own=bus)
    with pytest.raises(NotCollected, match=r"test\.thing: only told by notifications"):
        sync.get_all([TYPE])


def test_a_late_message_does_not_undo_a_newer_one(scene, bus, publisher, picture, until):
    sync = scene.start("Notified", picture, own=bus)
    listens(sync, until)
    publisher.say(key="a", state="new", timestamp=20.0)
    publisher.say(key="a", state="old", timestamp=10.0)
    publisher.say(key="b", mark="deleted", timestamp=20.0)
    publisher.say(key="b", state="old", timestamp=10.0)
    publisher.say(key="end", state="up")
    picture.until_states(a="new", end="up")
    assert sync.status().sources[0].counts["late"] == 2


def test_a_collector_finds_what_no_notification_told(scene, source, bus, publisher, picture, until):
    source.states(a="1", b="1")
    sync = scene.start("Scripted,Notified", picture, own=bus)
    picture.until_states(a="1", b="1")
    until(lambda: {one.state for one in sync.status().sources} == {"ok"})
    publisher.say(key="a", state="2")
    publisher.say(key="b", mark="deleted")
    publisher.say(key="c", state="only told")
    picture.until_states(a="2", c="only told")
    sync.get_all([TYPE])  # all three were wrong
    picture.until_states(a="1", b="1")


def test_what_could_not_be_stored_comes_again(scene, bus, publisher, picture, until, monkeypatch):
    sync = scene.start("Notified", picture, own=bus | {"batch_size": 1})
    listens(sync, until)
    stored, failures = sync._ledger.streamed, []

    def full(source, rows):
        if len(failures) < 2:
            failures.append(rows)
            raise sqlite3.OperationalError("database or disk is full")
        return stored(source, rows)

    monkeypatch.setattr(sync._ledger, "streamed", full)
    monkeypatch.setattr(servicegroup.synchronizer.listener, "FIRST_PAUSE", 0.01)
    publisher.say(key="a", state="1")
    publisher.say(key="a", state="2")
    publisher.say(key="end")
    picture.until_states(a="2", end=None)
    assert len(failures) == 2
    assert picture.changes[-1] == ("create", "end"), "nor does what is older come after it"
    picture.until(lambda: picture.statuses[-1:] == [("ok", "")])
    assert "disk is full" in picture.statuses[0][1]


def test_what_cannot_be_stored_by_the_end_is_left_on_the_bus_in_order(
    scene, rabbitmq, picture, until, monkeypatch
):
    own = {"transport_url": rabbitmq.url, "topics": "left", "pool": "left-ours", "batch_size": 1}
    first = scene.start("Notified", own=own)
    listens(first, until)
    failed = threading.Event()

    def full(source, rows):
        failed.set()
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(first._ledger, "streamed", full)
    with Publisher(rabbitmq.url, "left") as publisher:
        for number in range(5):
            publisher.say(key="a", state=str(number))
    assert failed.wait(PATIENCE)
    first.stop()
    scene.start("Notified", picture, own=own)
    picture.until_states(a="4")
    states = [event.entity.state for event in picture.events if event.key == "a"]
    assert states == sorted(states)


def test_the_broker_keeps_what_is_more_than_prefetch(scene, rabbitmq, picture, until):
    own = {"transport_url": rabbitmq.url, "topics": "held", "pool": "held-ours"}
    sync = scene.start("Held", picture, own=own | {"prefetch": 10, "batch_size": 5})
    listens(sync, until)

    def kept():
        return connection.default_channel.queue_declare("held-ours", passive=True).message_count

    try:
        with (
            Publisher(rabbitmq.url, "held") as publisher,
            kombu.Connection(f"amqp://guest:guest@{rabbitmq.address}//") as connection,
        ):
            for number in range(50):
                publisher.say(key=str(number), state="up")
            assert scripted.Held.entered.wait(PATIENCE)
            until(lambda: kept() <= 40)
            assert {kept() for _ in range(20)} == {40}
    finally:
        scripted.Held.let_go.set()
    picture.until(lambda: len(picture.entities) == 50)


def test_by_tls(scene, rabbitmq, picture, until):
    own = {"transport_url": rabbitmq.tls_url, "topics": "tls", "pool": "tls-ours"}
    sync = scene.start("Notified", picture, own=own)
    listens(sync, until)
    with Publisher(rabbitmq.url, "tls") as publisher:
        publisher.say(key="a", state="up")
        picture.until_states(a="up")


@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_a_broker_that_cannot_prove_who_it_is_is_told_no_password(
    scene, rabbitmq, picture, wrong, tmp_path
):
    url = rabbitmq.tls_url
    if wrong == "name":  # the certificate is for its address
        url = url.replace(rabbitmq.host, "localhost")
    else:
        other = tmp_path / "other"
        other.mkdir()
        url = url.replace(str(rabbitmq.certificate), str(self_signed(other, rabbitmq.host)[0]))
    scene.start("Notified", picture, own={"transport_url": url, "topics": "t"})
    picture.until(lambda: picture.statuses)
    state, reason = picture.statuses[0]
    assert state == "failing"
    assert "certificate verify failed" in reason


# -- a broker that fails ----------------------------------------------------------------------


@pytest.fixture
def broker(rabbitmq):
    """The shared broker, which is there again after the test."""
    yield rabbitmq
    if not rabbitmq.running:
        rabbitmq.start()


def test_a_broker_that_comes_back_empty_is_followed_by_a_reconcile(
    scene, source, broker, picture, until, caplog
):
    caplog.set_level(logging.CRITICAL, "oslo.messaging")
    own = {"transport_url": broker.url, "topics": "things", "pool": "ours"}
    source.states(a="1")
    sync = scene.start("Scripted,Notified", picture, own=own)
    picture.until_states(a="1")
    until(lambda: {one.state for one in sync.status().sources} == {"ok"})
    polls = len(source.polls)
    broker.kill()
    picture.until(lambda: "failing" in [state for state, _ in picture.statuses])
    source.states(a="2", b="1")  # nobody is told
    broker.start()
    picture.until_states(a="2", b="1")
    assert len(source.polls) > polls
    with Publisher(broker.url, "things") as publisher:
        publisher.say(key="a", state="3")
        picture.until_states(a="3", b="1")
    assert picture.statuses[-1][0] == "ok"


def test_a_partition_is_noticed_and_followed_by_a_reconcile(
    scene, source, rabbitmq, picture, until, caplog
):
    caplog.set_level(logging.CRITICAL, "oslo.messaging")
    with Link(rabbitmq.host, rabbitmq.port) as link:
        url = f"rabbit://guest:guest@{link.address}/"
        own = {"transport_url": url, "topics": "parted", "pool": "parted"}
        source.states(a="1")
        sync = scene.start("Scripted,Notified", picture, own=own)
        until(lambda: {one.state for one in sync.status().sources} == {"ok"})
        link.refuse()
        picture.until(lambda: "failing" in [state for state, _ in picture.statuses])
        source.states(a="2")
        link.heal()
        picture.until_states(a="2")
        sync.stop()


def test_the_broker_that_is_heard_is_the_one_that_is_watched(
    scene, source, rabbitmq, picture, until, caplog, monkeypatch
):
    caplog.set_level(logging.CRITICAL, "oslo.messaging")
    monkeypatch.setattr(random, "shuffle", list.reverse)  # as oslo.messaging does with hosts
    with Link(rabbitmq.host, rabbitmq.port) as near, Link(rabbitmq.host, rabbitmq.port) as far:
        hosts = ",".join(f"guest:guest@{link.address}" for link in (near, far))
        own = {"transport_url": f"rabbit://{hosts}/", "topics": "several", "pool": "several"}
        source.states(a="1")
        sync = scene.start("Scripted,Notified", picture, own=own)
        until(lambda: {one.state for one in sync.status().sources} == {"ok"})
        assert near.connections
        assert not far.connections
        near.refuse()
        picture.until(lambda: "failing" in [state for state, _ in picture.statuses])
        source.states(a="2")  # nobody is told
        picture.until_states(a="2")
        with Publisher(rabbitmq.url, "several") as publisher:
            publisher.say(key="a", state="3")
            picture.until_states(a="3")
        assert far.connections
        sync.stop()


def test_the_bus_of_oslo_messaging_is_heard_where_none_is_named(scene, rabbitmq, picture, until):
    groups = {"oslo_messaging_notifications": {"transport_url": rabbitmq.url}}
    own = {"topics": "unnamed", "pool": "unnamed"}
    sync = scene.start("Notified", picture, own=own, groups=groups)
    listens(sync, until)
    with Publisher(rabbitmq.url, "unnamed") as publisher:
        publisher.say(key="a", state="up")
        picture.until_states(a="up")


def test_refused_credentials_are_said(scene, rabbitmq, picture):
    own = {"transport_url": f"rabbit://nobody:secret@{rabbitmq.address}/", "topics": "t"}
    scene.start("Notified", picture, own=own)
    picture.until(lambda: picture.statuses)
    state, reason = picture.statuses[0]
    assert state == "failing"
    assert "refuses user 'nobody'" in reason
    assert "secret" not in reason


def test_streams_of_any_kind_beat_a_snapshot_that_began_before(scene, source, picture, until):
    """A key that a stream told while the source was read keeps what the stream said."""
    source.states(a="1", b="1")
    sync = scene.start("Scripted,Pushed", picture)
    picture.until_states(a="1", b="1")
    feed = scripted.Pushed.running
    window = sync._ledger.seq
    feed.changed([Entity(key="a", type=TYPE, state="2"), Deleted(key="b", type=TYPE)])
    feed.complete([Entity(key="a", type=TYPE, state="1"), Entity(key="b", type=TYPE)], window)
    picture.until_states(a="2")
    sync.get_all([TYPE])
    picture.until_states(a="1", b="1")
