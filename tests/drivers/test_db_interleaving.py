"""What happens between the requests of one heartbeat is not overlooked."""

import contextlib
from unittest import mock

import pytest
import sqlalchemy as sa

from servicegroup.db.prepared import Kept
from servicegroup.driver import Loss
from servicegroup.testing.scene import join, seen, told


@contextlib.contextmanager
def after_request(number, act):
    """Do *act* once, when the *number*-th request gives its connection back."""
    state = {"requests": 0, "acted": False}

    def given_back(*_):
        if not state["acted"]:
            state["requests"] += 1
            if state["requests"] == number:
                state["acted"] = True
                act()

    def given_back_by_a_beat(kept, connection, give=Kept.give):
        give(kept, connection)
        given_back()

    sa.event.listen(sa.Pool, "checkin", given_back)
    try:
        with mock.patch.object(Kept, "give", given_back_by_a_beat):
            yield state
    finally:
        sa.event.remove(sa.Pool, "checkin", given_back)


#: A look after something moved: a beat that matches no row, generation, members, a beat.
REQUESTS = 4


@pytest.mark.parametrize("number", range(1, REQUESTS + 1))
@pytest.mark.parametrize("how", ["removed", "superseded"])
def test_a_change_in_the_middle_of_a_look_is_told(database_store, number, how):
    driver, other = database_store.driver(), database_store.driver()
    held, _ = join(driver), join(driver, "given up")
    join(other, "given up")  # so that the next beat has to look, and finds all in place

    def act():
        if how == "removed":
            other.leave([held])
        else:
            join(other)

    with after_request(number, act) as state:
        first = told(driver.heartbeat(held.instance_id, [held]))
    assert state["acted"], "a look takes fewer requests than this test knows of"
    second = told(driver.heartbeat(held.instance_id, [held]))
    expected = {"m": Loss.REMOVED if how == "removed" else Loss.SUPERSEDED}
    assert expected in (first, second), "it must be told by the next beat at the latest"
    assert first in ({}, expected)


@pytest.mark.parametrize("number", range(1, REQUESTS + 1))
def test_an_end_in_the_middle_of_a_look_is_outlived(database_store, number):
    driver, other = database_store.driver(), database_store.driver()
    held, _ = join(driver), join(driver, "given up")
    join(other, "given up")
    with after_request(number, lambda: other.end(held.instance_id, "died")):
        assert driver.heartbeat(held.instance_id, [held]) == []
    assert driver.heartbeat(held.instance_id, [held]) == []
    assert seen(other)["m"].ended is None, "who beats is alive"


def test_a_quiet_look_takes_no_more_requests(database_store):
    driver, other = database_store.driver(), database_store.driver()
    held, _ = join(driver), join(driver, "given up")
    join(other, "given up")
    with after_request(1000, lambda: None) as state:
        assert driver.heartbeat(held.instance_id, [held]) == []
    assert state["requests"] == REQUESTS
    with after_request(1000, lambda: None) as state:
        assert driver.heartbeat(held.instance_id, [held]) == []
    assert state["requests"] == 1
