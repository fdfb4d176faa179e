"""Ids are compared byte for byte, through the whole API; on MariaDB every collation merges some."""

import pytest
import sqlalchemy as sa

from servicegroup import EventType, State
from servicegroup.db.tables import services

#: Each line is one id under some collation of MySQL or MariaDB.
ALIKE = [
    *("node", "Node", "NODE", "n\N{LATIN SMALL LETTER O WITH DIAERESIS}de"),
    *("node ", "node  ", " node", "node\t"),
    *("e", "\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"),
    *("ss", "\N{LATIN SMALL LETTER SHARP S}"),
    *("\N{GRINNING FACE}", "\N{PILE OF POO}"),
    *("%", "_", "'", '"', "\\", "a\nb", "a%b", "a_b", "\N{ZERO WIDTH SPACE}"),
]
#: Nothing here is about time.
PATIENT = {"report_interval": 2.0, "service_down_time": 60.0}


@pytest.fixture
def group(url, make):
    return make(url, **PATIENT)


def test_all_are_different_members(group):
    joined = {one: group.join("g", one, attributes={"id": one}) for one in ALIKE}
    assert {one.member.incarnation for one in joined.values()} == {1}
    assert group.states("g") == dict.fromkeys(ALIKE, State.UP)
    members = {one.member_id: one.attributes["id"] for one in group.get_members("g")}
    assert members == {one: one for one in ALIKE}
    for one in ALIKE:
        assert group.is_up("g", one)
        assert group.services.get("g", one).member_id == one
    assert not group.is_up("g", "nODE")
    assert [one.member_id for one in group.services.list("g")] == sorted(ALIKE)


def test_all_are_different_groups(group):
    for one in ALIKE:
        group.join(one, "m", attributes={"group": one})
    assert group.groups() == sorted(ALIKE)
    for one in ALIKE:
        [status] = group.get_members(one)
        assert (status.group_id, status.attributes) == (one, {"group": one})
    assert {one.group_id for one in group.services.list()} == set(ALIKE)


def test_what_is_done_to_one_is_done_to_no_other(group, url, make, eventually):
    others = {"Node", "NODE", "node ", "n\N{LATIN SMALL LETTER O WITH DIAERESIS}de"}
    observer = make(url, **PATIENT)
    joined = {one: group.join("g", one) for one in others | {"node"}}
    observer.services.disable("g", "node", "only this one")
    observer.services.force_down("g", "node")
    disabled = {one.member_id for one in observer.services.list("g") if one.disabled}
    assert disabled == {one for one, state in observer.states("g").items() if state is State.DOWN}
    assert disabled == {"node"}
    make(url, host="newer", **PATIENT).join("g", "node", attributes={"newer": True})
    eventually(joined["node"].lost.is_set)
    assert observer.leave("g", "node") is True
    observer.services.delete("g", "node")
    assert set(observer.states("g")) == others
    for one in others:
        assert joined[one].alive
        assert observer.services.get("g", one).disabled is False


def test_a_watch_tells_them_apart(group, url, make, eventually):
    with make(url, **PATIENT).watch("g") as watch:
        for one in ("node", "Node", "node "):
            group.join("g", one)
        eventually(lambda: len(watch.members) == 3)
        assert watch.is_up("Node")
        assert not watch.is_up("NODE")
        told = [watch.next_event(20) for _ in range(4)]
        assert {one.member_id for one in told} == {"node", "Node", "node ", None}
        group.leave("g", "Node")
        event = watch.next_event(20)
        assert (event.type, event.member_id) == (EventType.LEFT, "Node")
        assert watch.next_event(0.5) is None
        assert {one.member_id for one in watch.members} == {"node", "node "}


@pytest.mark.server("mariadb")
@pytest.mark.parametrize("kind", ["mariadb"], indirect=True)
def test_the_column_holds_bytes(group, url):
    group.join("g", "n\N{LATIN SMALL LETTER O WITH DIAERESIS}de ")
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        raw = connection.exec_driver_sql("SELECT HEX(member_id) FROM services").scalar_one()
        assert bytes.fromhex(raw) == "n\N{LATIN SMALL LETTER O WITH DIAERESIS}de ".encode()
        assert connection.scalar(sa.select(services.c.member_id)).endswith("de ")
    engine.dispose()
