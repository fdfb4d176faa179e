"""The store's clock is stepped by 300 s: whoever lives is never called dead."""

import time

import faketime
import pytest
from fleet.fixtures import migrated
from fleet.group import DOWN, INTERVAL
from fleet.onlooker import Onlooker
from servers.fixtures import requirements

from servicegroup import EventType, State

STEP = 300.0
STEPPED_BACK = "the clock of the database stepped back by"


class Fleet:
    """Members on a server whose clock can be stepped, and who looks at them."""

    def __init__(self, server, make, daemon):
        self.step = server.step_clock
        url = migrated(server.create_database())
        names = ("there", "first", "second")
        self.processes = {one: daemon(url, wait=False) for one in names}
        self.here = make(url).join("g", "here")
        for member_id, process in self.processes.items():
            process.ready().join("g", member_id)
        self.onlooker = Onlooker(make(url), "g", ["here", *names])


@pytest.fixture(params=["postgresql", "mariadb"])
def fleet(request, make, daemon):
    server = request.getfixturevalue(f"{request.param}_server")(skewable=True)
    fleet = Fleet(server, make, daemon)
    yield fleet
    fleet.onlooker.close()


def test_a_step_of_the_servers_clock(fleet, eventually, caplog):
    onlooker = fleet.onlooker
    for member_id in ("here", *fleet.processes):
        eventually(lambda m=member_id: onlooker.latest(m) == {State.UP})
    time.sleep(DOWN)  # until they could vouch for the store, were its clock not stepped

    fleet.step(STEP)
    _all_up_again(onlooker, eventually)
    fleet.processes["first"].kill()
    eventually(lambda: onlooker.latest("first") == {State.DOWN})
    eventually(lambda: onlooker.told("first")[-1] is EventType.DOWN)

    caplog.clear()
    fleet.step(-STEP)
    _all_up_again(onlooker, eventually)
    # The last beat of who is dead lies in the future, and counts as fresh until that is reached.
    eventually(lambda: onlooker.latest("first") == {State.UP})
    assert len([one for one in caplog.messages if STEPPED_BACK in one]) == 1
    fleet.processes["second"].kill()
    eventually(lambda: onlooker.latest("second") == {State.DOWN})

    for member_id in ("here", "there"):
        dead = [one for one in onlooker.verdicts(member_id) if one.state is State.DOWN]
        assert not dead
        assert not {EventType.DOWN, EventType.LEFT} & set(onlooker.told(member_id))
    # The steps did matter to whoever had not beaten again when somebody looked.
    assert any(State.UNKNOWN in onlooker.states(one) for one in ("here", "there", "second"))
    # Who beats all the while does not fence itself for a step of the store's clock.
    assert not fleet.processes["there"].heard("lost")
    assert fleet.here.alive


def _all_up_again(onlooker, eventually):
    stepped = time.monotonic()
    for member_id in ("here", "there", "second"):
        ways = {"get_members", "is_up", "watch.is_up"}

        def seen_up(member_id=member_id, ways=ways):
            answers = onlooker.verdicts(member_id, stepped + INTERVAL)
            up = {one.way for one in answers if one.state is State.UP}
            # One way may be unsure once more after another was sure: each asks at its own moment.
            return ways <= up and onlooker.latest(member_id) == {State.UP}

        eventually(seen_up)


def test_on_sqlite_no_step_of_any_wall_clock_matters(tmp_path, make, daemon, eventually):
    with requirements():
        clock = faketime.SteppedClock(tmp_path / "clock")
        environment = {**faketime.skewed_environment(0), **clock.environment()}
        del environment["FAKETIME"]  # it would win over the file
    url = migrated(f"sqlite:///{tmp_path}/servicegroup.sqlite")
    # Every reading of such a clock is a reading of its file: more time for a busy machine.
    patient = {"service_down_time": 2 * DOWN}
    stepped = [daemon(url, wait=False, environment=environment, **patient) for _ in range(2)]
    observer = make(url, **patient)
    observer.join("other", "witness")
    for number, process in enumerate(stepped):
        process.ready().join("g", f"m{number}")
    for seconds, window in ((STEP, DOWN), (-2 * STEP, 2 * DOWN + INTERVAL)):
        clock.step(seconds)
        until = time.monotonic() + window
        while time.monotonic() < until:
            assert observer.states("g") == {"m0": State.UP, "m1": State.UP}
            assert stepped[0].tell("states", "g") == {"m0": "up", "m1": "up"}
            time.sleep(INTERVAL / 4)
    # The step did reach them: times for people are the caller's.
    stepped[0].tell("leave", "g", "m0")
    stepped[0].join("g", "m0")
    [moved] = [one for one in observer.get_members("g") if one.member_id == "m0"]
    assert moved.member.started_at == pytest.approx(time.time() - STEP, abs=STEP / 10)
    stepped[1].kill()
    eventually(lambda: observer.states("g") == {"m0": State.UP, "m1": State.DOWN})
    assert stepped[0].tell("states", "g") == {"m0": "up", "m1": "down"}
