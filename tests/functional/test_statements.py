"""What each call costs the database, counted where it arrives: exactly, and nothing around it.

Counted once connected: opening a connection costs a few statements more, on each database others.
"""

import contextlib
import functools
import re
import time

import pytest
import sqlalchemy as sa

from servicegroup import Member
from servicegroup.db.beat import SPARED
from servicegroup.driver import Capability
from servicegroup.inventory import Query
from servicegroup.workers import MOST

#: With these, no beat and no poll comes of its own accord while something else is counted.
STILL = {"report_interval": 600.0, "service_down_time": 3600.0, "poll_interval": 600.0}
BEGIN = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "BEGIN", "mariadb": "START TRANSACTION"}


@pytest.fixture
def count(kind, url, request):
    """Collect the statements that reach the database during a block."""
    if kind != "sqlite":
        server = request.getfixturevalue(kind)
        yield lambda: server.statements(url)
        return
    # SQLite runs in this process: every connection tells what it executes, BEGIN and COMMIT too.
    collecting = []

    def connected(connection, record):
        connection.set_trace_callback(lambda words: [one.append(words) for one in collecting])

    @contextlib.contextmanager
    def collect():
        found = []
        collecting.append(found)
        yield found
        collecting.remove(found)

    sa.event.listen(sa.Engine, "connect", connected)
    yield collect
    sa.event.remove(sa.Engine, "connect", connected)


@pytest.fixture
def driver(url, make, count):
    """The driver of one process, called without the heart: nothing beats of its own accord."""
    return _door(make(url, **STILL))


@pytest.fixture
def joined(driver):
    """Twenty members of that process, and one of another group."""
    members = [_member(driver, f"m{number}") for number in range(20)]
    driver.join([_member(driver, "alone", "h")])
    joined = driver.join(members)
    assert driver.heartbeat(joined[0].instance_id, joined) == []
    return joined


def _door(group):
    door = group._process.door
    door.start()
    return door


def _polling(group):
    """Let its watches poll: who is told of changes looks once more when it begins to be told."""
    group._process.door.driver.capabilities &= ~Capability.WATCH
    return group


def _member(door, member_id, group_id="g"):
    instance_id = door.driver.context.instance_id
    return Member(group_id, member_id, "n", "host", 1, None, {"of": member_id}, 0, instance_id)


def in_one_transaction(kind, statements):
    """Check that they are one transaction, and name what is in it by its first two words."""
    assert statements[0] == BEGIN[kind]
    assert statements[-1] == "COMMIT"
    inner = statements[1:-1]
    assert not {"BEGIN", "COMMIT", "ROLLBACK"} & set(inner)
    return [_short(one) for one in inner if "pg_notify" not in one]


_TABLES = "services|instances|removed|nodes|hypervisors"


def _short(statement):
    verb = statement.split()[0]
    tables = re.findall(rf"(?:FROM|INTO|UPDATE) ({_TABLES})", statement)
    # What a SELECT reads from comes after the questions within its columns.
    return f"{verb} {tables[-1 if verb == 'SELECT' else 0]}" if tables else verb


ASKED = {
    "get_members": lambda group: group.get_members("g"),
    "states": lambda group: group.states("g"),
    "is_up": lambda group: group.is_up("g", "m7"),
    "liveness": lambda group: group.liveness("g", "m7"),
    "groups": lambda group: group.groups(),
    "services.list": lambda group: group.services.list("g"),
    "services.list of all groups": lambda group: group.services.list(left=True),
    "services.get": lambda group: group.services.get("g", "m7"),
    "services.version_range": lambda group: group.services.version_range("g"),
}


def test_every_question_is_one_select(url, make, count, joined):
    observer = make(url, **STILL)
    observer.groups()
    for name, ask in ASKED.items():
        with count() as statements:
            ask(observer)
        assert [_short(one) for one in statements] == ["SELECT services"], name


def test_nodes_and_hypervisors_cost_the_same_whatever_their_number(url, make, count, joined):
    """One look at the members, one at the inventory; nothing for each node or hypervisor."""
    observer = _polling(make(url, **STILL))
    inventory, conductors = observer.inventory, observer.conductors
    conductors.join(hostname="c1", drivers=["ipmi"])
    some = [inventory.create_node(name=f"n{number}", driver="ipmi") for number in range(5)]
    orphans = [inventory.create_node(name=f"o{number}", driver="none") for number in range(5)]
    for number in range(5):
        inventory.create_hypervisor(hypervisor_hostname=f"m{number}")
    marked = Query(limit=2, marker=some[1].uuid)
    members, nodes, hypervisors = "SELECT services", "SELECT nodes", "SELECT hypervisors"
    generation = conductors.generation
    for name, ask, cost in (
        ("hypervisors", observer.hypervisors.list, [hypervisors, members]),
        ("hypervisor", lambda: observer.hypervisors.get("m1"), [hypervisors, members]),
        ("conductors", conductors.list, [members]),
        ("place", lambda: conductors.place(some + orphans), [members]),
        ("node", lambda: conductors.for_node("n1"), [nodes, members]),
        ("orphan", lambda: conductors.for_node("o1"), [nodes, members]),
        ("nodes", conductors.nodes, [members, nodes]),
        ("nodes of one", lambda: conductors.nodes_of("c1"), [members, nodes]),
        ("a further page", lambda: conductors.nodes_of("c1", marked), [members, nodes, nodes]),
        ("number of nodes", lambda: conductors.count_of("c1"), [members, nodes]),
        ("nothing moved", lambda: conductors.moved(generation), [members]),
    ):
        with count() as statements:
            ask()
        assert [_short(one) for one in statements] == cost, name
    with conductors.follow() as watch, count() as statements:
        assert conductors.for_node(some[0]).conductor == "c1"
        assert conductors.place(orphans)[0].conductor is None
        conductors.list()
        assert watch.fresh
    assert statements == []


def test_a_report_of_a_hypervisor_is_one_statement(kind, url, make, count):
    group = make(url, host="node-1", **STILL)
    hypervisors = group.hypervisors
    group.inventory.hypervisors()
    with count() as statements:
        hypervisors.report(vcpus=32)
    assert _short(statements[0]) == "UPDATE hypervisors"
    added = in_one_transaction(kind, statements[1:])
    assert added == ["UPDATE hypervisors", "INSERT hypervisors"]
    with count() as statements:
        hypervisors.report(vcpus=32, vcpus_used=3)
    assert [_short(one) for one in statements] == ["UPDATE hypervisors"]


def test_who_ceases_to_be_up_is_asked_for_once_more_with_all_possible_workers(
    driver, url, make, count, joined
):
    observer = make(url, **STILL)
    observer.groups()

    def asked(up):
        with count() as statements:
            assert observer.is_up("g", "m7") is up
        assert {_short(one) for one in statements} == {"SELECT services"}
        return [_ids_asked_for(one) for one in statements]

    assert asked(True) == [1]
    driver.leave([one for one in joined if one.member_id == "m7"])
    assert asked(False) == [1, MOST]
    assert asked(False) == [MOST]
    driver.join([_member(driver, "m7")])
    assert asked(True) == [MOST]
    assert asked(True) == [1]


def test_a_look_that_is_young_enough_answers_for_a_whole_group(url, make, count, joined):
    observer = make(url, **STILL)
    observer.groups()
    with count() as statements:
        for number in range(20):
            assert observer.is_up("g", f"m{number}", max_age=600.0)
    assert [_short(one) for one in statements] == ["SELECT services"]
    with count() as statements:  # whom the look did not list is asked for alone
        assert observer.liveness("g", "nobody", max_age=600.0).reason == "no such member"
    assert {_short(one) for one in statements} == {"SELECT services"}
    assert observer._process.glances._last.keys() == {"g"}


def test_a_beat_is_one_update_whatever_the_number_of_members(driver, joined, count):
    driver.join([_member(driver, f"more{number}") for number in range(200)])
    for members in (joined[:1], joined):
        driver.heartbeat(members[0].instance_id, members)
        with count() as statements:
            assert driver.heartbeat(members[0].instance_id, members) == []
        assert [_short(one) for one in statements] == ["UPDATE instances"]


def test_once_a_limit_a_beat_looks_at_its_members(driver, joined, count):
    beat = driver.driver.records.membership.beat

    def due():
        for instance_id, looked in beat._looked.items():
            beat._looked[instance_id] = looked._replace(at=float("-inf"))
        with count() as statements:
            assert driver.heartbeat(joined[0].instance_id, joined) == []
        return [_short(one) for one in statements]

    whole = [
        "SELECT instances",  # the generation first: what comes later raises it again
        "SELECT services",
        "UPDATE instances",
    ]
    assert due() == whole
    # Where nothing moved, adding up the rows is enough; but not for ever.
    assert [due() for _ in range(SPARED)] == [["SELECT services", "UPDATE instances"]] * SPARED
    assert due() == whole


@pytest.mark.parametrize("size", [1, 200])
def test_the_heart_sends_nothing_but_beats(url, make, count, size):
    group = make(url, report_interval=0.05, service_down_time=3600.0)
    for number in range(size):
        group.join("g", f"m{number}", wait=False)
    observer, heart = make(url, **STILL), group._process.heart
    _wait(lambda: len(observer.states("g")) == size)
    for _ in range(3):
        heard_at = heart._judged.heard_at
        _wait(lambda last=heard_at: heart._judged.heard_at > last)
    with count() as statements:
        time.sleep(0.5)
    assert len(statements) > 2
    assert {_short(one) for one in statements} == {"UPDATE instances"}, statements


def _wait(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_join_is_one_transaction_whatever_the_number_of_members(kind, driver, joined, count):
    """Its rows locked, tombstones, the time, the rows written, the process's row with a beat."""
    steps = [
        "SELECT services",
        "SELECT removed",
        "SELECT",
        "INSERT services",
        "UPDATE instances",
    ]
    with count() as statements:
        driver.join([_member(driver, "new")])
    assert in_one_transaction(kind, statements) == steps
    with count() as statements:
        driver.join([_member(driver, f"new{number}") for number in range(50)])
    inner = in_one_transaction(kind, statements)
    assert [one for one in inner if one != "INSERT services"] == steps[:3] + steps[4:]
    # PostgreSQL gets them in one pipeline, MariaDB in one statement.
    assert inner.count("INSERT services") == (1 if kind == "mariadb" else 50)


@pytest.fixture
def other(url, make, count):
    """The driver of another process."""
    other = _door(make(url, **STILL))
    other.join([_member(other, "of the other")])
    return other


def test_taking_over_tells_the_process_before(kind, other, joined, count):
    with count() as statements:
        other.join([_member(other, "m3")])
    inner = in_one_transaction(kind, statements)
    assert inner[:4] == ["SELECT services", "SELECT removed", "SELECT", "UPDATE services"]
    # Its own beat and the generation of the other, in the order of their ids.
    assert inner[4:] == ["UPDATE instances"] * 2


def test_a_change_and_a_leave_are_one_transaction_each(kind, driver, joined, count):
    with count() as statements:
        driver.update([joined[4]._replace(attributes={}, revision=1)])
    assert in_one_transaction(kind, statements) == [
        "SELECT services",
        "SELECT removed",
        "SELECT",
        "UPDATE services",
        "UPDATE instances",
    ]
    with count() as statements:
        driver.leave([joined[5]])
    assert in_one_transaction(kind, statements) == [
        "SELECT services",
        "UPDATE services",
        "DELETE instances",  # if that was the last of its members
    ]


def test_an_operators_word_is_one_statement_in_a_transaction(kind, url, make, joined, count):
    services = make(url, **STILL).services
    services.enable("g", "m7")
    for word in (
        services.disable,
        services.enable,
        services.force_down,
        services.unforce_down,
        functools.partial(services.set, disabled=True, disabled_reason="x", forced_down=True),
    ):
        with count() as statements:
            word("g", "m7")
        assert in_one_transaction(kind, statements) == ["UPDATE services"]


@pytest.fixture
def watch(url, make, joined):
    """A watch that polls, on every database, when it is told to."""
    with _polling(make(url, **STILL)).watch("g") as watch:
        yield watch


def _poll(watch):
    before = watch._full_at
    watch._changed(None)  # what the timer does
    _wait(lambda: watch._full_at > before)


def _ids_asked_for(statement):
    listed = re.search(r"member_id IN \(([^)]*)\)", statement)
    if listed is None:
        assert "services.member_id = " in statement
        return 1
    return len(listed.group(1).split(","))


def test_a_quiet_poll_is_one_narrow_select(watch, count):
    with count() as statements:
        _poll(watch)
        _poll(watch)
    assert [_short(one) for one in statements] == ["SELECT services"] * 2
    assert not any("attributes" in one for one in statements)


def test_a_poll_reads_attributes_of_what_changed_alone(watch, driver, joined, count):
    driver.update([joined[4]._replace(attributes={"n": 2}, revision=1)])
    driver.leave([joined[5]])
    driver.join([_member(driver, "new")])
    with count() as statements:
        _poll(watch)
    narrow, wide = statements
    assert "attributes" not in narrow
    assert "attributes" in wide
    assert _ids_asked_for(wide) == 3
    members = {one.member_id: one.attributes for one in watch.members}
    assert members["m4"] == {"n": 2}
    assert members["new"] == {"of": "new"}
    assert "m5" not in members


@pytest.mark.server("postgresql")
@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
def test_a_notice_is_followed_by_a_look_at_those_members(url, make, driver, joined, count):
    with make(url, **STILL).watch("g") as watch:
        _wait(lambda: _listens(url))
        # It looks at everything once more when it does. That may be during the first change, whose
        # own look then comes during the second.
        for revision in (1, 2, 3):
            changed = joined[4]._replace(attributes={"n": revision}, revision=revision)
            with count() as statements:
                driver.update([changed])
                _wait(functools.partial(_shows, watch, changed.attributes))
            looks = statements[statements.index("COMMIT") + 1 :]
            if len(looks) == 2:
                break
    narrow, wide = looks
    assert "attributes" not in narrow
    assert "attributes" in wide
    assert _ids_asked_for(narrow) == _ids_asked_for(wide) == 1


def _shows(watch, attributes):
    return any(one.attributes == attributes for one in watch.members)


def _listens(url):
    engine = sa.create_engine(url)
    statement = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' "
        "AND datname = current_database()"
    )
    with engine.connect() as connection:
        listening = connection.scalar(statement)
    engine.dispose()
    return listening
