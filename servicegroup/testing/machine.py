"""A random walk over any driver, held against a model of the contract.

:class:`DriverConformance` takes it as its last test. To take longer ones::

    from servicegroup.testing import walk

    walk(store, walks=1000, steps=100)

A walk that fails is shrunk to its shortest form and printed as a program. How random walks are is
the profile of Hypothesis that is loaded (its own ``ci`` profile repeats the same ones).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from servicegroup.driver import Capability, Driver, Loss, Lost
from servicegroup.liveness import Witness, judge
from servicegroup.model import MAX_TEXT, EndKind, Member, Sighting, check_text
from servicegroup.testing.expectation import Expectation, Key, key_of, life, names
from servicegroup.testing.store import Store

PROCESSES = 3

texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"),
    min_size=1,
    max_size=MAX_TEXT,
).map(lambda text: check_text("id", text))
values = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.text(max_size=8))
attribute_sets = st.dictionaries(st.text(max_size=4), values, max_size=3)
processes = st.integers(0, PROCESSES - 1)
picks = st.integers(0, 99)


class Process:
    """One pretended process: its driver, and the members that it believes to have."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.held: dict[Key, Member] = {}

    @property
    def instance_id(self) -> str:
        """The life that it beats as."""
        return self.driver.context.instance_id


class MembershipMachine(RuleBasedStateMachine):
    """Joins, changes, beats, pauses, ends and losses in any order, by three processes at once."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        assert store.lose is not None, "a walk begins with an empty store: pass lose= to Store"
        store.lose()
        self._store = store
        self._operator = store.driver()
        self._processes = [Process(store.driver()) for _ in range(PROCESSES)]
        remembers = Capability.REMEMBERS in self._operator.capabilities
        self._model = Expectation(store, remembers)
        self._keys: list[Key] = []
        self._known: dict[str, dict[str, Member]] = {}

    @initialize(groups=st.lists(texts, min_size=2, max_size=2, unique=True), one=texts, other=texts)
    def name(self, groups: list[str], one: str, other: str) -> None:
        """Choose ids, among them those that a careless store takes for one another."""
        alike = {one, other, one.swapcase(), f"{one} ", one.casefold()}
        ids = sorted(text for text in alike if 0 < len(text) <= MAX_TEXT)
        self._keys = [(group, member_id) for group in groups for member_id in ids]
        self._known = {group: {} for group in groups}

    # -- what processes do --------------------------------------------------------------------

    @rule(number=processes, at=st.lists(picks, min_size=1, max_size=3), attributes=attribute_sets)
    def join(self, number: int, at: list[int], attributes: dict[str, Any]) -> None:
        process = self._processes[number]
        keys = list(dict.fromkeys(self._keys[pick % len(self._keys)] for pick in at))
        wanted = [
            Member(*key, "name", f"host-{number}", number, None, attributes)._replace(
                instance_id=process.instance_id
            )
            for key in keys
        ]
        joined = process.driver.join(wanted)
        assert [key_of(one) for one in joined] == keys, "members come back in another order"
        for one in joined:
            expected, exactly = self._model.incarnation(key_of(one))
            assert one.incarnation == expected or (not exactly and one.incarnation >= 1), (
                f"joined as incarnation {one.incarnation}, not {expected}: {one}"
            )
            self._model.stored(one)
            process.held[key_of(one)] = one

    @rule(
        number=processes,
        at=picks,
        attributes=attribute_sets,
        withdrawn=st.one_of(st.none(), st.text("é😀 '\n", max_size=5)),
    )
    def change(
        self, number: int, at: int, attributes: dict[str, Any], withdrawn: str | None
    ) -> None:
        process = self._processes[number]
        held = self._pick(process, at)
        changed = held._replace(
            attributes=attributes, withdrawn=withdrawn, revision=held.revision + 1
        )
        self._update(process, [changed])

    @rule(number=processes)
    def assert_again(self, number: int) -> None:
        process = self._processes[number]
        assume(process.held)
        self._update(process, list(process.held.values()))

    @rule(number=processes, repair=st.booleans())
    def beat(self, number: int, repair: bool) -> None:
        process = self._processes[number]
        assume(process.held)
        held = list(process.held.values())
        answers = self._answers(process.driver.heartbeat(process.instance_id, held), held)
        for one in held:
            allowed = self._model.heartbeat(one)
            answer = answers.get(key_of(one))
            assert answer in allowed, f"a beat says {answer} of {one}, right is {allowed}"
            if answer is Loss.MISSING and len(allowed) > 1:
                self._model.vanished(one)
        self._model.beaten(process.instance_id)
        self._forget(process, answers)
        missing = [one for one in held if answers.get(key_of(one)) is Loss.MISSING]
        if repair and missing:
            self._update(process, missing)

    @rule(number=processes, at=picks)
    def leave(self, number: int, at: int) -> None:
        process = self._processes[number]
        held = self._pick(process, at)
        process.driver.leave([held])
        self._model.left(held, removed=False)
        del process.held[key_of(held)]

    @rule(number=processes)
    def restart(self, number: int) -> None:
        """Die without leaving, and come back as a new instance that knows nothing."""
        self._processes[number].driver.stop()
        self._processes[number] = Process(self._store.driver())

    # -- what is done to them -----------------------------------------------------------------

    @rule(at=picks)
    def remove(self, at: int) -> None:
        """An operator removes a member, as it is seen."""
        group_id, member_id = self._keys[at % len(self._keys)]
        for sighting in self._operator.sightings(group_id, [member_id], attributes=False).members:
            if sighting.ended is None or sighting.ended.kind is not EndKind.LEFT:
                self._operator.leave([sighting.member])
                self._model.left(sighting.member, removed=True)

    @rule(number=processes)
    def end(self, number: int) -> None:
        """A guardian says that the process died, rightly or not."""
        instance_id = self._processes[number].instance_id
        self._operator.end(instance_id, "process ended without leaving")
        self._model.ended(instance_id)

    @precondition(lambda self: self._store.age is not None)
    @rule(share=st.sampled_from([0.1, 0.2, 0.5, 0.55, 0.65, 1.0, 1.2, 3.0]))
    def pause(self, share: float) -> None:
        seconds = share * self._store.settings.service_down_time
        self._store.pass_time(seconds)
        self._model.now += seconds

    @rule(order=st.permutations(range(PROCESSES)), again=st.booleans())
    def lose_everything(self, order: Sequence[int], again: bool) -> None:
        """The store loses everything, and all sides store again in any order."""
        assert self._store.lose is not None
        self._store.lose()
        self._model.lost_everything()
        for group in self._known:
            self._known[group] = {}
        for process in (self._processes[number] for number in order):
            if again and process.held:
                self._update(process, list(process.held.values()))

    # -- what must hold -----------------------------------------------------------------------

    @invariant()
    def agrees_with_the_model(self) -> None:
        required, possible = set(), set()
        for group_id in self._known:
            must, may = self._model.members(group_id)
            required |= {group_id} if must else set()
            possible |= {group_id} if may else set()
            self._check_group(group_id, must, may)
        groups = self._operator.groups()
        assert groups == sorted(groups), f"groups are not in order: {groups}"
        assert required <= set(groups) <= possible, f"groups are {groups}, right is {required}"

    def _check_group(self, group_id: str, must: set[str], may: set[str]) -> None:
        known = self._known[group_id]
        look = self._operator.sightings(group_id, known=known)
        listed = {}
        left = set()
        for sighting in look.members:
            if sighting.ended is not None and sighting.ended.kind is EndKind.LEFT:
                left.add(sighting.member.member_id)
            else:
                listed[sighting.member.member_id] = sighting
        assert must <= set(listed) <= may, (
            f"group {group_id!r} lists {sorted(listed)}, right is {sorted(must)}"
        )
        assert left <= set(known), f"{left} left, but nobody asked for them"
        for member_id in set(known) - set(listed):
            place = self._model.places.get((group_id, member_id))
            if place is not None and place.removed and life(place.member) == life(known[member_id]):
                assert member_id in left, f"nothing says that {known[member_id]} was removed"
        for sighting in listed.values():
            self._check(sighting, look.witnessed)
        self._known[group_id] = {key: sighting.member for key, sighting in listed.items()}

    def _check(self, sighting: Sighting, witnessed: bool) -> None:
        one = sighting.member
        expected = self._model.places[key_of(one)].member
        assert one == expected, f"the store shows {one}, stored was {expected}"
        if sighting.age is not None:
            age = self._model.age(one)
            assert abs(sighting.age - age) <= self._model.slack + 0.001, (
                f"the last beat of {one} is said to be {sighting.age} s old, not {age}"
            )
        limits = self._store.settings.limits
        verdict = judge(sighting.record, sighting, Witness(driver=witnessed), limits)
        if sighting.age is not None or sighting.ended is not None:
            right = self._model.states(expected)
            assert verdict.state in right, (
                f"{one} is {verdict.state} ({verdict.reason}), right is {right}; age "
                f"{self._model.age(one)}, witnessed {self._model.witnessed()}"
            )

    def teardown(self) -> None:
        self._store.stop()

    # -- steps of the above -------------------------------------------------------------------

    def _pick(self, process: Process, at: int) -> Member:
        assume(process.held)
        return list(process.held.values())[at % len(process.held)]

    def _update(self, process: Process, members: list[Member]) -> None:
        answers = self._answers(process.driver.update(members), members)
        for one in members:
            answer, allowed = answers.get(key_of(one)), self._model.update(one)
            assert answer in allowed, f"an update says {answer} of {one}, right is {allowed}"
            if answer is None:
                self._model.stored(one)
                process.held[key_of(one)] = one
        self._forget(process, answers)

    @staticmethod
    def _answers(lost: Sequence[Lost], asked: Sequence[Member]) -> dict[Key, Loss]:
        strange = [one.member for one in lost if one.member not in asked]
        assert not strange, f"lost are members that nobody asked for: {names(strange)}"
        return {key_of(one.member): one.loss for one in lost}

    @staticmethod
    def _forget(process: Process, answers: dict[Key, Loss]) -> None:
        for key, loss in answers.items():
            if loss is not Loss.MISSING:
                del process.held[key]


def walk(store: Store, *, walks: int, steps: int) -> None:
    """Take *walks* random walks of up to *steps* steps on *store*, which is emptied before each.

    :raises AssertionError: store and model differ; the shortest walk that shows it is printed
    """

    class Walk(MembershipMachine):
        def __init__(self) -> None:
            super().__init__(store)

    bounds = settings(
        max_examples=walks,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Walk, settings=bounds)
