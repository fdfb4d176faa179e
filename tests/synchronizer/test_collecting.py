"""What a consumer is told of a collector's source: everything, then exactly what changed."""

import pytest
from sources.scene import Picture
from sources.scripted import TYPE

from servicegroup.synchronizer import ACKNOWLEDGED, CollectionFailed, EntityTypeNotFound, Op, Token


def test_a_snapshot_first_and_then_only_changes(scene, source, picture):
    source.states(a="up", b="up", c="up")
    sync = scene.start(consumer=picture)
    picture.until_states(a="up", b="up", c="up")
    assert [event.op for event in picture.events] == [
        Op.SNAPSHOT_BEGIN,
        *[Op.SNAPSHOT] * 3,
        Op.SNAPSHOT_END,
    ]
    source.states(a="up", b="down", d="new")
    sync.get_all([TYPE])
    picture.until_states(a="up", b="down", d="new")
    assert sorted(picture.changes) == [("create", "d"), ("delete", "c"), ("update", "b")]
    sync.get_all([TYPE])
    sync.get_all([TYPE])
    assert len(picture.changes) == 3
    assert not picture.gaps


def test_a_delete_says_what_is_still_known(scene, source, picture):
    source.write({"key": "a", "parent_key": "host", "project": "p", "data": {"large": 1}})
    sync = scene.start(consumer=picture)
    picture.until(lambda: picture.entities)
    source.write()
    sync.get_all([TYPE])
    picture.until(lambda: picture.changes)
    assert picture.events[-1].last_known == ("a", TYPE, "host", "p")
    assert picture.events[-1].entity is None


def test_what_came_back_is_created_once_and_then_updated(scene, source, picture):
    sync = scene.start(consumer=picture)
    picture.until(lambda: picture.snapshots)
    for number, states in enumerate(({"a": "1"}, {}, {"a": "2"}, {"a": "3"}, {})):
        source.states(**states)
        sync.get_all([TYPE])
        picture.until(lambda so_far=number: len(picture.changes) > so_far)
    assert [op for op, _ in picture.changes] == ["create", "delete", "create", "update", "delete"]


def test_get_all_polls_afresh(scene, source):
    source.states(a="up")
    sync = scene.start()
    first = sync.get_all([TYPE])
    source.states(a="down", b="up")
    second = sync.get_all([TYPE])
    assert [one.state for one in first.entities] == ["up"]
    assert {one.key: one.state for one in second.entities} == {"a": "down", "b": "up"}
    assert second.token.epoch == first.token.epoch
    assert second.token.seq > first.token.seq


def test_get_all_of_a_source_that_fails_says_so(scene, source):
    sync = scene.start()
    sync.get_all([TYPE])
    source.states(a="up", then="fail")
    with pytest.raises(CollectionFailed, match="Scripted: RuntimeError: the source is away"):
        sync.get_all([TYPE])
    with pytest.raises(EntityTypeNotFound, match=r"'test.none'.*there are: test.other, test.thing"):
        sync.get_all(["test.none"])


def test_two_types_have_snapshots_and_keys_of_their_own(scene, source, picture):
    source.write({"key": "a", "state": "1"}, {"key": "a", "state": "2", "type": "test.other"})
    scene.start(consumer=picture, types=(TYPE, "test.other"))
    picture.until(lambda: picture.snapshots == 2)
    assert {key: one.state for key, one in picture.entities.items()} == {
        (TYPE, "a"): "1",
        ("test.other", "a"): "2",
    }


def test_a_consumer_hears_only_of_its_types_and_sees_no_gap_in_that(scene, source, picture):
    source.write({"key": "a", "state": "1", "type": "test.other"})
    sync = scene.start(consumer=picture)
    sync.get_all([TYPE])
    for state in "234":
        source.write(
            {"key": "a", "state": state, "type": "test.other"}, {"key": "b", "state": state}
        )
        sync.get_all([TYPE])
        picture.until_states(b=state)
    assert not picture.gaps
    assert {event.type for event in picture.events} == {TYPE}


def test_only_the_wanted_types_are_kept(scene, source):
    source.write({"key": "a", "type": "test.other"}, {"key": "b"})
    sync = scene.start(entity_types=TYPE)
    assert sync.entity_types == [TYPE]
    assert [one.key for one in sync.get_all([TYPE]).entities] == ["b"]


def test_what_does_not_count_is_no_change(scene, source, picture):
    source.write({"key": "a", "data": {"name": "n", "checked": 1}, "timestamp": 1.0})
    sync = scene.start("Narrow", picture)
    picture.until(lambda: picture.snapshots)
    source.write({"key": "a", "data": {"name": "n", "checked": 2}, "timestamp": 2.0})
    sync.get_all([TYPE])
    source.write({"key": "a", "data": {"checked": 3, "name": "m"}, "timestamp": 3.0})
    sync.get_all([TYPE])
    picture.until(lambda: picture.changes)
    assert picture.changes == [("update", "a")]
    assert picture.entities[TYPE, "a"].data["checked"] == 3


def test_the_order_of_fields_says_nothing(scene, source, picture):
    source.write({"key": "a", "data": {"x": 1, "y": {"p": 1, "q": 2}}})
    sync = scene.start(consumer=picture)
    picture.until(lambda: picture.snapshots)
    source.write({"key": "a", "data": {"y": {"q": 2, "p": 1}, "x": 1}})
    sync.get_all([TYPE])
    assert picture.changes == []


def test_unchanged_keeps_what_was_told(scene, source, picture):
    source.states(a="up", b="up")
    sync = scene.start(consumer=picture)
    picture.until_states(a="up", b="up")
    source.write({"key": "a", "mark": "unchanged"}, {"key": "never", "mark": "unchanged"})
    sync.get_all([TYPE])
    picture.until_states(a="up")
    assert picture.changes == [("delete", "b")]


def test_of_a_key_that_comes_twice_the_later_one_holds(scene, source, picture):
    sync = scene.start(consumer=picture)
    sync.get_all([TYPE])
    source.write({"key": "a", "state": "1"}, {"key": "a", "state": "2"})
    sync.get_all([TYPE])
    picture.until_states(a="2")
    source.write({"key": "a", "state": "2"}, {"key": "a", "state": "2"})
    sync.get_all([TYPE])
    assert sync.status().sources[0].counts["duplicates"] == 1
    assert picture.states == {"a": "2"}


def test_a_restart_repeats_nothing_and_misses_nothing(scene, source, picture):
    source.states(a="up", b="up")
    first = scene.start(consumer=picture, name="graph")
    picture.until_states(a="up", b="up")
    first.stop()
    source.states(a="up", c="up")
    again = Picture()
    again.entities, again.token = dict(picture.entities), picture.token
    sync = scene.start(consumer=again, name="graph", resume=ACKNOWLEDGED)
    again.until_states(a="up", c="up")
    sync.get_all([TYPE])
    assert sorted(again.changes) == [("create", "c"), ("delete", "b")]
    assert again.snapshots == 0
    assert not again.gaps


def test_a_token_resumes_and_one_of_another_life_does_not(scene, source, picture):
    source.states(a="up", b="up")
    sync = scene.start(consumer=picture)
    picture.until_states(a="up", b="up")
    token = picture.token
    source.states(a="down", b="up")
    sync.get_all([TYPE])
    resumed, lost, ahead = Picture(), Picture(), Picture()
    resumed.token = token
    sync.register([TYPE], resumed, resume=token)
    sync.register([TYPE], lost, resume=Token("another", 1))
    sync.register([TYPE], ahead, resume=token._replace(seq=10**6))
    resumed.until(lambda: resumed.states.get("a") == "down")
    lost.until_states(a="down", b="up")
    ahead.until_states(a="down", b="up")
    assert (resumed.snapshots, lost.snapshots, ahead.snapshots) == (0, 1, 1)


def test_a_consumer_that_comes_back_empty_gets_a_snapshot(scene, source, picture):
    source.states(a="up")
    scene.start(consumer=picture, name="graph").stop()
    again = Picture()
    scene.start(consumer=again, name="graph")
    again.until_states(a="up")
    assert again.snapshots == 1


def test_a_consumer_may_ask_for_a_snapshot(scene, source, picture):
    source.states(a="up")
    sync = scene.start()
    consumer = sync.register([TYPE], picture)
    picture.until_states(a="up")
    picture.entities.clear()
    consumer.snapshot()
    picture.until_states(a="up")
    assert picture.snapshots == 2


def test_changes_are_polled_where_the_source_tells_them(scene, source, picture, until):
    source.write({"key": "a", "state": "1", "timestamp": 100.0}, {"key": "b", "state": "1"})
    scene.start("Changing", picture, poll_interval=0.05, reconcile_interval=3600)
    picture.until_states(a="1", b="1")
    source.write(
        changes=[
            {"key": "a", "state": "2", "timestamp": 110.0},
            {"key": "b", "mark": "deleted"},
            {"key": "c", "state": "1", "timestamp": 99.0},
        ]
    )
    picture.until_states(a="2", c="1")
    until(lambda: 105.0 in source.since)
    assert source.since[0] == 95.0, "the newest time less the overlap"
    assert len(source.polls) == 1
    assert sorted(picture.changes) == [("create", "c"), ("delete", "b"), ("update", "a")]


def test_a_reconcile_finds_what_changes_did_not_tell(scene, source, picture):
    source.write({"key": "a", "timestamp": 1.0}, {"key": "b", "timestamp": 1.0})
    scene.start("Changing", picture, poll_interval=0.05, reconcile_interval=0.3)
    picture.until(lambda: len(picture.entities) == 2)
    source.write({"key": "a", "timestamp": 1.0}, changes=[])
    picture.until(lambda: picture.changes == [("delete", "b")])
