"""Plugins that misbehave, one way each: nothing changes, it is said why, and it comes back."""

import os
import re
import signal
import sqlite3
from pathlib import Path

import pytest
from sources import scripted
from sources.scene import Picture
from sources.scripted import TYPE

from servicegroup.exceptions import ConfigurationError
from servicegroup.synchronizer import (
    ACKNOWLEDGED,
    CollectionFailed,
    Deleted,
    Entity,
    PluginError,
    PluginNotFound,
    Synchronizer,
    collecting,
    tables,
    wire,
)
from servicegroup.synchronizer.ledger import Ledger
from servicegroup.synchronizer.wire import Row


def ok(picture):
    return picture.statuses[-1:] == [("ok", "")]


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("fail", "RuntimeError: the source is away"),
        ("strange", r"no such file: \udcff"),
        ("give_up", "SystemExit: no password"),
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
    with pytest.raises(CollectionFailed, match=re.escape(said)):
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
        ({"entities": [{"key": "a\udcff"}]}, r"entity 'a\udcff' of type 'test.thing'"),
        ({"entities": [{"key": "a", "data": {"n": 2**70}}]}, "entity 'a' of type 'test.thing'"),
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


def test_the_process_closes_and_ends_with_its_parent(scene, source, picture, until):
    source.states(a="1")
    sync = scene.start(consumer=picture)
    picture.until_states(a="1")
    pid = source.polls[-1]
    sync.stop()
    until(lambda: not Path(f"/proc/{pid}").exists())
    assert source.path.with_suffix(".closed").exists()


def test_what_a_plugin_started_ends_with_the_parent_too(scene, source, until):
    source.states("spawn")
    sync = scene.start()
    sync.get_all([TYPE])
    pid = source.path.with_suffix(".spawned").read_text()
    sync._sources[0]._process._child.close()  # all that is seen of a parent that was killed

    def ended():
        status = Path(f"/proc/{pid}/stat")
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"

    until(ended)


def test_an_environment_that_is_no_utf_8_harms_nobody(scene, source, monkeypatch):
    monkeypatch.setitem(os.environb, b"STRANGE", b"\xe9")
    source.states(a="1")
    assert len(scene.start().get_all([TYPE]).entities) == 1


def test_a_file_that_cannot_be_written_holds_up_and_loses_nothing(scene, source, picture, until):
    """As if the disk was full or its file system had become read-only."""
    source.states(a="1")
    sync = scene.start("Scripted,Pushed", picture, name="graph")
    picture.until_states(a="1")
    file = sync._ledger.file.writer
    until(lambda: {one.state for one in sync.status().sources} == {"ok"})
    file.execute("PRAGMA query_only = ON")
    source.states(a="2")
    with pytest.raises(CollectionFailed, match="readonly"):
        sync.get_all([TYPE])
    feed = scripted.Pushed.running
    with pytest.raises(sqlite3.OperationalError):
        feed.changed([Entity(key="b", type=TYPE)])
    feed.failing("it cannot be kept, but that ends nothing")
    sync._consumers[0].snapshot()
    until(lambda: sync.status().consumers[0].failing)
    file.execute("PRAGMA query_only = OFF")
    feed.recovered()
    picture.until_states(a="2")
    until(lambda: {one.state for one in sync.status().sources} == {"ok"})
    until(lambda: not sync.status().consumers[0].failing)
    assert not picture.gaps


def test_frames_hold_entities_of_any_size():
    large = Row(TYPE, "a", 0, 0, None, None, None, bytes(1 << 20))
    frames = [wire.frame(wire.Rows(page)) for page in collecting._pages([large] * 100)]
    assert len(frames) == 25


def test_a_plugin_that_is_not_configured_any_more_does_not_fail_for_ever(scene, source, picture):
    source.states("fail")
    first = scene.start("Changing", picture)
    picture.until(lambda: picture.statuses)
    first.stop()
    source.states(a="1")
    again = Picture()
    scene.start("Scripted", again)
    again.until_states(a="1")
    assert "failing" not in dict(again.statuses)


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


def test_what_a_stream_told_is_gone_is_no_shrinking(scene, source, picture, until):
    source.states(a="1", b="1", c="1")
    sync = scene.start("Scripted,Pushed", picture, max_delete_fraction=0.1)
    picture.until(lambda: len(picture.entities) == 3)
    until(lambda: {one.state for one in sync.status().sources} == {"ok"})
    scripted.Pushed.running.changed([Deleted(key="a", type=TYPE), Deleted(key="b", type=TYPE)])
    source.states(c="1")
    sync.get_all([TYPE])
    picture.until_states(c="1")


def test_a_source_that_always_changes_is_told_to_declare_its_fields(scene, source, picture):
    sync = scene.start(consumer=picture)
    for number in range(5):
        source.states(**{f"k{n}": str(number) for n in range(30)})
        sync.get_all([TYPE])
    picture.until(lambda: picture.statuses)
    assert picture.statuses[0][0] == "warning"
    assert "declare fields=" in picture.statuses[0][1]


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


def test_a_baseline_that_was_never_finished_is_begun_anew(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(tables.uuid, "uuid4", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            Ledger(tmp_path / "baseline.sqlite")
    Ledger(tmp_path / "baseline.sqlite").close()


def test_one_baseline_belongs_to_one_synchronizer(scene, source):
    scene.start()
    with pytest.raises(ConfigurationError, match=f"in use by process {os.getpid()}"):
        scene.start()


def test_nobody_else_can_read_the_baseline(scene, source):
    scene.start().get_all([TYPE])
    for path in scene.folder.glob("baseline.sqlite*"):
        assert path.stat().st_mode & 0o077 == 0, path
