"""Several threads and several processes at once: one wins, nobody is torn, nobody deadlocks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from servicegroup.driver import Driver, Loss
from servicegroup.model import Member, State
from servicegroup.testing.scene import GROUP, join, member, seen, states, told
from servicegroup.testing.store import Store

T = TypeVar("T")

ROUNDS = 10


class Races:
    """What holds whatever overtakes what."""

    def test_of_two_that_join_at_once_one_stays(self, store: Store) -> None:
        drivers = [store.driver(), store.driver()]
        for round_ in range(ROUNDS):
            one = f"m{round_}"
            joined = at_once([_joining(driver, [one]) for driver in drivers])
            lives = sorted((each[0] for each in joined), key=lambda life: life.incarnation)
            assert [life.incarnation for life in lives] == [1, 2], "no two lives are the same"
            assert seen(drivers[0])[one].member == lives[1]
            by_driver = {driver.context.instance_id: driver for driver in drivers}
            lost = by_driver[lives[0].instance_id].heartbeat(lives[0].instance_id, [lives[0]])
            assert told(lost) == {one: Loss.SUPERSEDED}, "the other one learns it"
            kept = by_driver[lives[1].instance_id]
            assert kept.heartbeat(lives[1].instance_id, [lives[1]]) == []

    def test_many_that_join_the_same_members_in_any_order(self, store: Store) -> None:
        drivers = [store.driver() for _ in range(4)]
        ids = [f"m{number}" for number in range(20)]
        orders = [ids, ids[::-1], ids[10:] + ids[:10], ids[::2] + ids[1::2]]
        pairs = list(zip(drivers, orders, strict=True))
        for round_ in range(3):
            joined = at_once([_joining(driver, order) for driver, order in pairs])
            for one in ids:
                lives = [life for each in joined for life in each if life.member_id == one]
                first = 4 * round_ + 1
                assert sorted(life.incarnation for life in lives) == list(range(first, first + 4))
            every = sorted(
                (one for each in joined for one in each), key=lambda one: one.incarnation
            )
            last = {one.member_id: one for one in every}
            assert {key: one.member for key, one in seen(drivers[0]).items()} == last
            for driver, held in zip(drivers, joined, strict=True):
                lost = told(driver.heartbeat(driver.context.instance_id, held))
                assert set(lost) == {one.member_id for one in held if last[one.member_id] != one}

    def test_a_reader_never_sees_half_a_change(self, store: Store) -> None:
        writers, reader = [store.driver(), store.driver()], store.driver()
        ids = ["a", "b"]
        _writing(writers[0], ids)()
        done = threading.Event()

        def read() -> list[str]:
            torn = []
            while not done.is_set():
                found = seen(reader)
                if set(found) != set(ids):
                    torn.append(f"a look shows {set(found)} of {ids}")
                for one in (sighting.member for sighting in found.values()):
                    if one.attributes != {"by": one.instance_id}:
                        torn.append(f"{one} has the attributes of another life")
            return torn

        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(read)
            at_once([_writing(driver, ids) for driver in writers])
            done.set()
            assert reading.result() == []

    def test_one_driver_serves_many_threads(self, store: Store) -> None:
        driver = store.driver()
        held = [join(driver, f"m{number}") for number in range(4)]

        def working(one: Member) -> Callable[[], None]:
            def work() -> None:
                for revision in range(1, ROUNDS + 1):
                    assert driver.update([one._replace(revision=revision)]) == []
                    assert driver.heartbeat(one.instance_id, held) == []
                    assert set(seen(driver)) == {each.member_id for each in held}
                    assert driver.groups() == [GROUP]

            return work

        at_once([working(one) for one in held])
        assert {one.member.revision for one in seen(driver).values()} == {ROUNDS}
        assert set(states(store, driver).values()) == {State.UP}

    def test_who_is_removed_while_it_beats_is_told(self, store: Store) -> None:
        driver, operator = store.driver(), store.driver()
        for round_ in range(ROUNDS):
            held = join(driver, f"m{round_}")
            losses: list[Loss] = []
            _, _ = at_once([_beating(driver, held, losses), _removing(operator, held)])
            _beating(driver, held, losses)()
            assert set(losses) == {Loss.REMOVED}, "whenever it came"


def at_once(works: Sequence[Callable[[], T]]) -> list[T]:
    """Run all of these, each on a thread of its own, from the same instant on."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], T]) -> T:
        start.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def _joining(driver: Driver, ids: Sequence[str]) -> Callable[[], list[Member]]:
    return lambda: driver.join([member(driver, one) for one in ids])


def _writing(driver: Driver, ids: Sequence[str]) -> Callable[[], None]:
    attributes = {"by": driver.context.instance_id}

    def write() -> None:
        for _ in range(ROUNDS):
            driver.join([member(driver, one, attributes=attributes) for one in ids])

    return write


def _beating(driver: Driver, held: Member, losses: list[Loss]) -> Callable[[], None]:
    def beat() -> None:
        for _ in range(3):
            losses.extend(one.loss for one in driver.heartbeat(held.instance_id, [held]))

    return beat


def _removing(driver: Driver, held: Member) -> Callable[[], None]:
    return lambda: driver.leave([held])
