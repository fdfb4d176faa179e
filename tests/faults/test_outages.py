"""A database away for three windows: whoever lives is never called dead, whoever died is."""

import time

import pytest
from fleet.fixtures import migrated
from fleet.group import DOWN
from fleet.onlooker import Onlooker
from fleet.outage import LockOutage, ServerOutage

from servicegroup import EventType, State
from servicegroup.driver import Capability

LOCKED = ("locked by a running writer", "locked by a stopped writer")
AWAY = ("stopped", "killed", "paused")


@pytest.fixture
def outages(kind, request, tmp_path):
    """Each way in which this kind of database can be away, on a database of its own."""
    if kind == "sqlite":
        outages = [LockOutage(str(tmp_path / f"{how}.sqlite"), how) for how in LOCKED]
    else:
        start = request.getfixturevalue(f"{kind}_server")
        outages = [ServerOutage(start(), how) for how in AWAY]
    yield outages
    for outage in outages:
        outage.end()


class Fleet:
    """Two members that live and one that dies during the outage, and who looks at them."""

    def __init__(self, outage, make, daemon):
        self.outage = outage
        migrated(outage.url)
        self.there = daemon(outage.url, wait=False)
        self.doomed = daemon(outage.url, wait=False)
        self.here = make(outage.url).join("g", "here")
        self.onlookers = []
        self._make = make

    def assemble(self):
        self.there.ready().join("g", "there")
        self.doomed.ready().join("g", "doomed")
        self._onlook(self._make(self.outage.url))
        polling = self._make(self.outage.url)
        driver = polling._process.door.driver
        if Capability.WATCH in driver.capabilities:
            driver.capabilities &= ~Capability.WATCH
            self._onlook(polling)

    def _onlook(self, observer):
        self.onlookers.append(Onlooker(observer, "g", ["here", "there", "doomed"]))

    def close(self):
        for onlooker in self.onlookers:
            onlooker.close()


@pytest.fixture
def fleets(outages, make, daemon):
    """One fleet on each, all at the same time: their waiting is most of what takes time."""
    fleets = [Fleet(outage, make, daemon) for outage in outages]
    for fleet in fleets:
        fleet.assemble()
    yield fleets
    for fleet in fleets:
        fleet.close()


@pytest.mark.slow
def test_the_living_are_never_called_dead(fleets, eventually):
    time.sleep(DOWN)  # until they could vouch for the store, were it not taken away
    for fleet in fleets:
        fleet.outage.begin()
    time.sleep(DOWN)
    for fleet in fleets:
        fleet.doomed.kill()
    time.sleep(2 * DOWN)
    for fleet in fleets:
        _knows_that_nobody_sees_it(fleet)
        fleet.outage.end()
    for fleet in fleets:
        _recovers(fleet, eventually)
    for fleet in fleets:
        for onlooker in fleet.onlookers:
            eventually(lambda o=onlooker: o.latest("doomed") == {State.DOWN})
            eventually(lambda o=onlooker: o.told("doomed")[-1] is EventType.DOWN)
            for member_id in ("here", "there"):
                _was_never_dead(onlooker, member_id)


def _knows_that_nobody_sees_it(fleet):
    lost = fleet.there.wait_until(lambda: fleet.there.heard("lost"))
    assert "no beat of this process was stored for" in lost[0]["reason"]
    assert fleet.here.lost.is_set()
    assert not fleet.here.alive


def _recovers(fleet, eventually):
    for onlooker in fleet.onlookers:
        for member_id in ("here", "there"):
            eventually(lambda o=onlooker, m=member_id: o.latest(m) == {State.UP})
    fleet.there.wait_until(lambda: fleet.there.logged("is seen again"))
    assert fleet.there.tell("alive", "g") == {"there": True}
    eventually(lambda: fleet.here.alive)


def _was_never_dead(onlooker, member_id):
    dead = [one for one in onlooker.verdicts(member_id) if one.state is State.DOWN]
    assert not dead
    assert not {EventType.DOWN, EventType.LEFT} & set(onlooker.told(member_id))
    assert State.UNKNOWN in onlooker.states(member_id)  # there was an outage
