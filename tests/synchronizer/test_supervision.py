"""Plugins that misbehave, one way each: nothing changes, it is said why, and it comes back."""

import os
import queue
import signal
import threading
import time
from pathlib import Path

import pytest
from sources.scene import Picture
from sources.scripted import TYPE

from servicegroup.clock import boottime
from servicegroup.exceptions import ConfigurationError
from servicegroup.synchronizer import (
    ACKNOWLEDGED,
    CollectionFailed,
    Op,
    PluginError,
    PluginNotFound,
    Synchronizer,
)


def ok(picture):
    return picture.statuses[-1:] == [("ok", "")]


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("fail", "RuntimeError: the source is away"),
        ("incomplete", "half of it is missing"),
        ("crash", "killed by SIGABRT"),
        ("leave", "ended with status 7"),
        ("hang", "longer than poll_deadline"),
        ("leak", "memory"),
    ],
)
def test_a_poll_that_fails_changes_nothing_and_is_told(scene, source, picture, then, said):
    source.states(a="1", b="1")
    sync = scene.start(
        consumer=picture, poll_deadline=2 if then == "hang" else 60, memory_limit=256
    )
    picture.until_states(a="1", b="1")
    source.states(then, a="2", c="1")
    with pytest.raises(CollectionFailed, match=said):
        sync.get_all([TYPE])
    picture.until(lambda: picture.statuses)
    assert picture.statuses[0][0] == "failing"
    assert said in picture.statuses[0][1]
    assert picture.changes == []
    source.states(a="2", c="1")
    picture.until_states(a="2", c="1")  # tried again by itself
    picture.until(lambda: ok(picture))
    assert sorted(picture.changes) == [("create", "c"), ("delete", "b"), ("update", "a")]


@pytest.mark.parametrize(
    ("nonsense", "said"),
    [
        ({"nonsense": [17]}, "17, which is no Entity"),
        ({"nonsense": ["text"]}, "'text', which is no Entity"),
        ({"entities": [{"key": 5}]}, "a key that is 5"),
        ({"entities": [{"key": ""}]}, "a key that is ''"),
        ({"entities": [{"key": "a", "state": 5}]}, "entity 'a' of type 'test.thing'"),
        ({"entities": [{"key": "a", "type": "test.none"}]}, "none of its entity_types"),
    ],
)
def test_nonsense_is_named(scene, source, picture, nonsense, said):
    source.states(a="1")
    sync = scene.start(consumer=picture)
    picture.until_states(a="1")
    source.write(*nonsense.pop("entities", []), **nonsense)
    with pytest.raises(CollectionFailed) as failed:
        sync.get_all([TYPE])
    assert said in str(failed.value)
    assert picture.changes == []


def test_endless_data_are_cut_off(scene, source, picture):
    sync = scene.start("Endless", picture, max_entities=5000)
    with pytest.raises(CollectionFailed, match="more than max_entities=5000"):
        sync.get_all([TYPE])
    assert picture.entities == {}


def test_output_and_logs_harm_nobody(scene, source, picture, caplog):
    source.states("flood", a="1")
    sync = scene.start(consumer=picture)
    picture.until_states(a="1")
    source.states("talk", a="2")
    sync.get_all([TYPE])
    logged = [record for record in caplog.records if "scripted: message" in record.getMessage()]
    assert len(logged) == 100, "what comes after that in one poll is not told"


def test_a_killed_process_is_replaced(scene, source, picture, until):
    source.states(a="1")
    sync = scene.start(consumer=picture)
    picture.until_states(a="1")
    before = source.polls[-1]
    os.kill(before, signal.SIGKILL)
    source.states(a="2")
    with pytest.raises(CollectionFailed, match="killed by SIGKILL"):
        sync.get_all([TYPE])
    picture.until_states(a="2")
    assert source.polls[-1] != before
    assert picture.changes == [("update", "a")]


def test_a_source_that_hangs_holds_up_nobody_else(scene, source, picture, tmp_path):
    file = tmp_path / "static.yaml"
    file.write_text("entities: [{key: s, state: up}]\n")
    source.states("hang", a="1")
    conf = scene.conf()
    text = (tmp_path / "synchronizer.conf").read_text()
    text = (
        text.replace("plugins = ", "plugins = static,") + f"\n[synchronizer_static]\npath={file}\n"
    )
    (tmp_path / "synchronizer.conf").write_text(text)
    conf.reload_config_files()
    sync = Synchronizer(conf)
    scene.running.append(sync)
    sync.register(["static"], picture)
    sync.start()
    picture.until_states(s="up")
    file.write_text("entities: [{key: s, state: down}]\n")
    assert [one.state for one in sync.get_all(["static"]).entities] == ["down"]
    sync.stop()  # the hanging plugin does not hold up the end either


def test_the_process_ends_with_its_parent(scene, source, picture, until):
    source.states(a="1")
    sync = scene.start(consumer=picture)
    picture.until_states(a="1")
    pid = source.polls[-1]
    sync.stop()
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_shrunk_source_is_not_believed(scene, source, picture):
    source.states(**{f"k{n}": "1" for n in range(10)})
    sync = scene.start(consumer=picture, max_delete_fraction=0.5)
    picture.until(lambda: len(picture.entities) == 10)
    source.states(**{f"k{n}": "2" for n in range(4)})
    with pytest.raises(CollectionFailed, match="would delete 6 of 10 entities"):
        sync.get_all([TYPE])
    assert picture.changes == []
    source.states(**{f"k{n}": "2" for n in range(5)})
    sync.get_all([TYPE])
    picture.until(lambda: len(picture.entities) == 5)


def test_a_source_that_always_changes_is_told_to_declare_its_fields(scene, source, picture):
    sync = scene.start(consumer=picture)
    for number in range(5):
        source.states(**{f"k{n}": str(number) for n in range(30)})
        sync.get_all([TYPE])
    picture.until(lambda: picture.statuses)
    assert picture.statuses[0][0] == "warning"
    assert "declare fields=" in picture.statuses[0][1]


# -- consumers --------------------------------------------------------------------------------


def test_a_callback_that_raises_is_called_again_with_the_same(scene, source, picture, caplog):
    source.states(a="1")
    sync = scene.start(consumer=picture, name="graph")
    other = Picture()
    sync.register([TYPE], other)
    picture.until_states(a="1")
    picture.trouble = RuntimeError("no memory for this")
    source.states(a="2", b="1")
    sync.get_all([TYPE])
    other.until_states(a="2", b="1")
    deadline = boottime() + 10
    while sync.status().consumers[0].failing is None:
        assert boottime() < deadline
        time.sleep(0.01)
    assert "no memory for this" in sync.status().consumers[0].failing
    picture.trouble = None
    picture.until_states(a="2", b="1")
    assert not picture.gaps


def test_a_callback_that_blocks_holds_up_nobody_and_then_hears_the_newest(scene, source):
    blocked, entered = threading.Event(), threading.Event()
    seen = []

    def callback(event):
        seen.append(event)
        if event.op is Op.SNAPSHOT_END:
            entered.set()
            blocked.wait(30)

    source.states(a="0")
    other = Picture()
    sync = scene.start(consumer=callback)
    sync.register([TYPE], other)
    entered.wait(10)
    for number in range(1, 6):
        source.states(a=str(number))
        sync.get_all([TYPE])
    other.until_states(a="5")
    blocked.set()
    deadline = boottime() + 10
    while not seen or seen[-1].entity is None or seen[-1].entity.state != "5":
        assert boottime() < deadline
        time.sleep(0.01)
    updates = [event.entity.state for event in seen if event.op is Op.UPDATE]
    assert updates == ["5"], "what was overtaken meanwhile is not told"


def test_a_queue_is_told_again_what_was_not_acknowledged(scene, source):
    source.states(a="1", b="1", c="1")
    events = queue.Queue()
    sync = Synchronizer(scene.conf(), queue=events)
    sync.register([TYPE], name="graph")
    with sync:
        taken = [events.get(timeout=10) for _ in range(5)]
        for event in taken:
            event.ack()
        source.states(a="2", b="2", c="2")
        sync.get_all([TYPE])
        changes = [events.get(timeout=10) for _ in range(3)]
        changes[0].ack()
        changes[2].ack()  # the second one was never handled
    again = Synchronizer(scene.conf(), queue=(second := queue.Queue()))
    again.register([TYPE], name="graph", resume=ACKNOWLEDGED)
    with again:
        told = [second.get(timeout=10) for _ in range(2)]
    assert [event.key for event in told] == [event.key for event in changes[1:]]


def test_no_more_is_put_into_a_queue_than_it_may_hold(scene, source, until):
    source.states(**{f"k{n}": "1" for n in range(30)})
    events = queue.Queue()
    sync = Synchronizer(scene.conf(queue_size=10), queue=events)
    sync.register([TYPE])
    with sync:
        sync.get_all([TYPE])
        until(lambda: events.qsize() == 10)
        for _ in range(32):
            assert events.qsize() <= 10
            events.get(timeout=10).ack()


# -- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plugins", "error", "said"),
    [
        ("nosuch", PluginNotFound, r"'nosuch' is not installed; installed are: .*static"),
        ("no.such:Plugin", PluginNotFound, "cannot be imported: No module named 'no'"),
        ("sources.scripted:Nothing", PluginError, "no attribute 'Nothing'"),
        ("sources.scripted:items", PluginError, "no subclass"),
        ("sources.scripted:Unfinished", PluginError, "does not define get_all"),
        ("sources.scripted:Typeless", PluginError, r"entity_types=\(\)"),
        ("sources.scripted:Broken", PluginError, "cannot be made: ValueError: no such planet"),
        ("sources.scripted:Scripted,sources.scripted:Narrow", PluginError, "both collect"),
        ("static", PluginError, r"set \[synchronizer_static\] path"),
    ],
)
def test_a_plugin_that_cannot_be_is_refused_at_once(scene, plugins, error, said):
    with pytest.raises(error, match=said):
        Synchronizer(scene.conf(plugins=plugins))


def test_a_value_that_cannot_be_is_refused_at_once(scene):
    with pytest.raises(ConfigurationError, match="poll_interval"):
        Synchronizer(scene.conf(poll_interval="often"))


def test_a_broken_baseline_is_put_aside_and_said(scene, source, picture, caplog):
    source.states(a="1")
    first = scene.start(consumer=Picture(), name="graph")
    first.get_all([TYPE])
    first.stop()
    path = scene.folder / "baseline.sqlite"
    path.write_bytes(b"something else entirely" * 1000)
    sync = scene.start(consumer=picture, name="graph", resume=ACKNOWLEDGED)
    picture.until_states(a="1")
    assert picture.snapshots == 1
    assert "cannot be read" in caplog.text
    assert list(scene.folder.glob("baseline.sqlite.broken-*"))
    assert sync.status().token.epoch == picture.token.epoch


def test_one_baseline_belongs_to_one_synchronizer(scene, source):
    scene.start()
    with pytest.raises(ConfigurationError, match=f"in use by process {os.getpid()}"):
        scene.start()


def test_nobody_else_can_read_the_baseline(scene, source):
    scene.start().get_all([TYPE])
    for path in scene.folder.glob("baseline.sqlite*"):
        assert path.stat().st_mode & 0o077 == 0, path
