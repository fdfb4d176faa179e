"""The database is put back to an earlier state under a living fleet: who lives writes itself."""

import sqlalchemy as sa
from fleet import backup

from servicegroup import EventType, State
from servicegroup.db.tables import instances, services


def everything(observer):
    return {
        one.member_id: (one.state, one.attributes, one.member.incarnation)
        for one in observer.get_members("g")
    }


def record_of(observer, member_id):
    """Name the record; one that was lost and written again has another name."""
    found = [one.record.uuid for one in observer.get_members("g") if one.member_id == member_id]
    return found[0] if found else None


def events_of(watch):
    events = []
    while (event := watch.next_event(0)) is not None:
        events.append(event.type)
    return events


def test_a_backup_older_than_a_join(url, make, tmp_path, eventually):
    observer, one = make(url), make(url)
    restore_nobody = backup.save(url, str(tmp_path))
    one.join("g", "a", attributes={"n": 1})
    restore_one = backup.save(url, str(tmp_path))
    late = one.join("g", "b", attributes={"n": 2})
    whole = {"a": (State.UP, {"n": 1}, 1), "b": (State.UP, {"n": 2}, 1)}
    assert everything(observer) == whole

    with observer.watch("g") as watch:
        for restore in (restore_one, restore_nobody):
            lost = record_of(observer, "b")
            restore()
            eventually(lambda lost=lost: record_of(observer, "b") not in (None, lost))
            eventually(lambda: everything(observer) == whole)
        eventually(lambda: watch.is_up("a", unknown=False) and watch.is_up("b", unknown=False))
        assert not {EventType.DOWN, EventType.LEFT} & set(events_of(watch))
    assert late.alive
    late.update({"n": 3})
    assert everything(observer)["b"] == (State.UP, {"n": 3}, 1)
    assert late.leave()
    assert set(everything(observer)) == {"a"}


def test_the_row_of_a_process_is_there_and_that_of_its_member_is_not(url, make, eventually):
    observer, one = make(url), make(url)
    one.join("g", "a")
    one.join("g", "b")
    lost = record_of(observer, "b")
    backup.delete(url, [sa.delete(services).where(services.c.member_id == "b")])
    eventually(lambda: record_of(observer, "b") not in (None, lost))
    assert everything(observer) == dict.fromkeys("ab", (State.UP, {}, 1))


def test_the_row_of_a_process_is_lost_and_those_of_its_members_are_not(url, make, eventually):
    observer, one = make(url), make(url)
    joined = one.join("g", "a")
    kept = record_of(observer, "a")
    instance_id = joined.member.instance_id
    backup.delete(url, [sa.delete(instances).where(instances.c.instance_id == instance_id)])
    eventually(lambda: everything(observer) == {"a": (State.UP, {}, 1)})
    assert record_of(observer, "a") == kept
    assert joined.alive


def test_a_backup_from_before_a_takeover_does_not_undo_it(url, make, tmp_path, eventually):
    observer, older, newer = make(url), make(url), make(url, host="newer")
    first = older.join("g", "a")
    restore = backup.save(url, str(tmp_path))
    second = newer.join("g", "a", attributes={"newer": True})
    eventually(first.lost.is_set)
    restore()
    eventually(lambda: everything(observer) == {"a": (State.UP, {"newer": True}, 2)})
    assert second.alive
    assert first.lost.is_set()


def test_an_operators_word_since_the_backup_is_lost_and_no_other(url, make, tmp_path, eventually):
    observer, one = make(url), make(url)
    one.join("g", "a")
    observer.services.disable("g", "a", "before")
    restore = backup.save(url, str(tmp_path))
    observer.services.force_down("g", "a", "since")
    assert not observer.is_up("g", "a")
    restore()
    eventually(lambda: observer.is_up("g", "a"))
    service = observer.services.get("g", "a")
    assert (service.disabled_reason, service.forced_down) == ("before", False)
