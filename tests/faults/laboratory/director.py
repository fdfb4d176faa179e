"""Carries out one schedule on a fleet of real processes, and returns what everybody wrote down."""

import heapq
import itertools
import time
from collections.abc import Callable
from pathlib import Path

from faults.laboratory.fleet import Fleet
from faults.laboratory.journal import Entry, Journal, Pulse, read
from faults.laboratory.schedule import Schedule, Step
from faults.laboratory.settled import settled
from faults.laboratory.stores import FaultyStore
from faults.laboratory.troupe import Troupe

#: Seconds between two looks at whether all is well again, and how often: then the judges say it.
AGAIN = 0.25
WATCHED, BRIEFLY = 30, 12
#: What a link can do, and whether it lasts.
LINKS = {"cut": False, "half_open": False, "refuse": True, "delay": True}
LINKS |= {"black_hole": True, "drop": True}


class Director:
    """Lets each step happen at its time, and what lasts end at its own."""

    def __init__(self, schedule: Schedule, store: FaultyStore, fleet: Fleet, journal: Journal):
        self._schedule = schedule
        self._store = store
        self._fleet = fleet
        self._journal = journal
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._acting: set[str] = set()  # targets on which a fault lasts

    def play(self) -> None:
        """Carry out all steps, and wait until every lasting fault is over."""
        began = time.monotonic()
        for step in self._schedule.steps:
            self._at(began + step.at, lambda step=step: self._step(step))  # type: ignore[misc]
        while self._agenda:
            due, _, act = self._agenda[0]
            time.sleep(max(0.0, due - time.monotonic()))
            heapq.heappop(self._agenda)
            act()
        self._fleet.finish()
        self._journal.note("calm", expected=self._fleet.expected())

    def _at(self, due: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (due, next(self._numbers), act))

    def _step(self, step: Step) -> None:
        done = False
        if step.target == "store":
            done = self._on_store(step)
        elif step.fault in LINKS:
            done = self._on_link(step)
        elif step.fault == "pause":
            done = self._pause(step)
        elif step.fault == "kill":
            done = self._kill(step)
        elif step.fault == "fork":
            done = self._fleet.fork(step.target, **step.args)
        else:
            done = self._fleet.order(step.fault, step.target, **step.args)
        if not done:
            self._journal.note("skipped", fault=step.fault, target=step.target)

    def _lasting(
        self, step: Step, begin: Callable[[], object], end: Callable[[], object], who: str
    ) -> bool:
        if who in self._acting:
            return False
        self._acting.add(who)
        began = time.monotonic()
        begin()

        def over() -> None:
            end()
            self._note(step, began, who)
            apart = self._store.times.apart if who == "store" else 0.0
            self._at(time.monotonic() + apart, lambda: self._acting.discard(who))

        self._at(time.monotonic() + step.args.get("seconds", 0.0), over)
        return True

    def _note(self, step: Step, began: float, who: str) -> None:
        about = dict(step.args)
        if who == "store":
            how = step.args.get("how")
            about["ends"] = how in self._store.amnesia
            about["forgets"] = step.fault == "lose" or how in self._store.forgetful
            if about["forgets"]:
                self._fleet.begun_anew()
        else:
            about["actor"] = self._fleet.life(who)
        self._journal.note("fault", begin=began, fault=step.fault, target=who, **about)

    def _on_store(self, step: Step) -> bool:
        store = self._store
        if step.fault == "outage":
            how = step.args["how"]
            if how in store.forgetful:
                if "store" in self._acting or self._fleet.in_flight():
                    return False
                self._fleet.forgotten()
            return self._lasting(step, lambda: store.begin(how), store.end, "store")
        if "store" in self._acting or self._fleet.in_flight():
            return False
        began = time.monotonic()
        if step.fault == "clock":
            if step.args["by"] < 0:
                self._fleet.set_back()
            store.step(step.args["by"])
        else:
            self._fleet.forgotten()
            store.lose()
        self._note(step, began, "store")
        return True

    def _on_link(self, step: Step) -> bool:
        link = self._fleet.links.get(step.target)
        if link is None or not self._fleet.lives(step.target):
            return False
        begin = getattr(link, step.fault)
        if step.fault == "delay":
            by = step.args["by"]
            return self._lasting(step, lambda: link.delay(by), link.heal, step.target)
        return self._lasting(step, begin, link.heal, step.target)

    def _pause(self, step: Step) -> bool:
        actor = self._fleet.lives(step.target)
        if actor is None:
            return False
        return self._lasting(step, actor.pause, actor.resume, step.target)

    def _kill(self, step: Step) -> bool:
        if step.target in self._acting or self._fleet.lives(step.target) is None:
            return False
        self._fleet.kill(step.target)
        if (after := step.args.get("again")) is not None:
            due = time.monotonic() + after
            self._at(due, lambda: self._fleet.start_again(step.target))
        return True


def perform(schedule: Schedule, store: FaultyStore, troupe: Troupe, folder: Path) -> list[Entry]:
    """Carry out *schedule* and return the recording; *folder* must be empty and stays behind."""
    journal = Journal(folder / "director.jsonl", "director")
    pulse = Pulse(journal)
    store.empty(folder)
    journal.note("times", **store.times._asdict(), guardian=schedule.guardian)
    fleet = Fleet(schedule, store, troupe, folder, journal)
    try:
        fleet.assemble()
        time.sleep(store.times.down + store.times.interval)  # until they can bear witness
        Director(schedule, store, fleet, journal).play()
        for _ in range(WATCHED if schedule.defect is None else BRIEFLY):
            if settled(read(folder)):
                break
            time.sleep(AGAIN)
        journal.note("end")
        fleet.conclude()
    finally:
        store.end()
        fleet.disband()
        pulse.close()
        journal.close()
    return read(folder)
