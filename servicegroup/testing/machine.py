"""A random walk over any driver, held against a model of the contract.

:class:`DriverConformance` takes it as its last test. To take longer ones::

    from servicegroup.testing import walk

    walk(store, walks=1000, steps=100)

A walk that fails is shrunk to a short one and printed as a program. How random walks are is
the profile of Hypothesis that is loaded (its own ``ci`` profile repeats the same ones).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, settings
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
from servicegroup.model import MAX_TEXT, Member, check_text
from servicegroup.testing.comparison import check_group, check_groups
from servicegroup.testing.expectation import Expectation, Key, key_of, names
from servicegroup.testing.scene import has_left
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
#: In shares of the limit: within the gap of a witness, beyond it, exactly the limit, beyond it.
shares = st.sampled_from([0.5, 0.1, 0.2, 0.55, 0.65, 1.0, 1.2, 3.0])
joined = st.lists(picks, min_size=1, max_size=3)


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

    @initialize(
        groups=st.lists(texts, min_size=2, max_size=2, unique=True),
        one=texts,
        other=texts,
        first=st.lists(joined, min_size=PROCESSES, max_size=PROCESSES),
    )
    def begin(self, groups: list[str], one: str, other: str, first: list[list[int]]) -> None:
        """Choose ids, among them those that a careless store takes for one another, and join."""
        alike = [one, one.swapcase(), f"{one} ", other]
        ids = dict.fromkeys(text for text in alike if len(text) <= MAX_TEXT)
        self._keys = [(group, member_id) for member_id in ids for group in groups]
        self._known = {group: {} for group in groups}
        for number, at in enumerate(first):
            self.join(number, at, {})

    # -- what processes do --------------------------------------------------------------------

    @rule(number=processes, at=joined, attributes=attribute_sets)
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

    @precondition(lambda self: self._holders)
    @rule(
        number=processes,
        at=picks,
        attributes=attribute_sets,
        withdrawn=st.one_of(st.none(), st.text("é😀 '\n", max_size=5)),
    )
    def change(
        self, number: int, at: int, attributes: dict[str, Any], withdrawn: str | None
    ) -> None:
        process = self._holder(number)
        held = self._held(process, at)
        changed = held._replace(
            attributes=attributes, withdrawn=withdrawn, revision=held.revision + 1
        )
        self._update(process, [changed])

    @precondition(lambda self: self._holders)
    @rule(number=processes, repair=st.booleans())
    def beat(self, number: int, repair: bool) -> None:
        process = self._holder(number)
        self._beat(process, repair=repair)

    @precondition(lambda self: self._holders)
    @rule(number=processes, at=picks, by_operator=st.booleans())
    def leave(self, number: int, at: int, by_operator: bool) -> None:
        """Leave by its own will, or be removed: as a successor, if there is one by now."""
        process = self._holder(number)
        held = self._held(process, at)
        if not by_operator:
            process.driver.leave([held])
            self._model.left(held, removed=False)
            del process.held[key_of(held)]
            return
        look = self._operator.sightings(held.group_id, [held.member_id], attributes=False)
        for sighting in look.members:
            if not has_left(sighting):
                self._operator.leave([sighting.member])
                self._model.left(sighting.member, removed=True)

    @rule(number=processes, told=st.booleans(), restarted=st.booleans())
    def die(self, number: int, told: bool, restarted: bool) -> None:
        """Die without leaving: a guardian says so, rightly or not; a new instance comes back."""
        process = self._processes[number]
        if told:
            self._operator.end(process.instance_id, "process ended without leaving")
            self._model.ended(process.instance_id)
        if restarted:
            process.driver.stop()
            self._processes[number] = Process(self._store.driver())

    # -- what happens to all of them ----------------------------------------------------------

    @precondition(lambda self: self._store.age is not None)
    @rule(share=shares, beating=st.lists(processes, unique=True))
    def pause(self, share: float, beating: list[int]) -> None:
        """Let time pass, a share of ``service_down_time``; then some beat."""
        seconds = share * self._store.settings.service_down_time
        self._store.pass_time(seconds)
        self._model.now += seconds
        for number in beating:
            self._beat(self._processes[number], repair=True)

    @precondition(lambda self: len(self._model.places) > PROCESSES)
    @rule(
        order=st.permutations(range(PROCESSES)),
        first=st.lists(st.sampled_from(["update", "beat", "wait"]), min_size=PROCESSES),
    )
    def lose_everything(self, order: Sequence[int], first: list[str]) -> None:
        """The store loses everything, and all sides store again in any order."""
        assert self._store.lose is not None
        self._store.lose()
        self._model.lost_everything()
        self._known = {group_id: {} for group_id in self._known}
        for number, how in zip(order, first, strict=False):
            process = self._processes[number]
            if how == "update" and process.held:
                self._update(process, list(process.held.values()))
            elif how == "beat" and process.held:
                self._beat(process, repair=True)

    # -- what must hold -----------------------------------------------------------------------

    @invariant()
    def agrees_with_the_model(self) -> None:
        self._known = {
            group_id: check_group(self._model, self._operator, group_id, known)
            for group_id, known in self._known.items()
        }
        check_groups(self._model, self._operator, self._known)

    def teardown(self) -> None:
        self._store.stop()

    # -- steps of the above -------------------------------------------------------------------

    @property
    def _holders(self) -> list[Process]:
        return [process for process in self._processes if process.held]

    def _holder(self, number: int) -> Process:
        return self._holders[number % len(self._holders)]

    @staticmethod
    def _held(process: Process, at: int) -> Member:
        return list(process.held.values())[at % len(process.held)]

    def _beat(self, process: Process, *, repair: bool) -> None:
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

    def _update(self, process: Process, members: list[Member]) -> None:
        answers = self._answers(process.driver.update(members), members)
        stored = False
        for one in members:
            answer, allowed = answers.get(key_of(one)), self._model.update(one)
            assert answer in allowed, f"an update says {answer} of {one}, right is {allowed}"
            if answer is None:
                stored = True
                self._model.stored(one)
                process.held[key_of(one)] = one
        self._forget(process, answers)
        if not stored:  # whether that was a sign of life is up to the driver: now there is one
            self._beat(process, repair=False)

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


def walk(store: Store, *, walks: int, steps: int, shrink: bool = True) -> None:
    """Take *walks* random walks of up to *steps* steps on *store*, which is emptied before each.

    :param shrink: look for a short walk that shows the difference: some minutes on a slow store
    :raises AssertionError: store and model differ; the walk that shows it is printed
    """

    class Walk(MembershipMachine):
        def __init__(self) -> None:
            super().__init__(store)

    phases = [Phase.explicit, Phase.reuse, Phase.generate]
    bounds = settings(
        phases=[*phases, Phase.shrink] if shrink else phases,
        max_examples=walks,
        stateful_step_count=steps,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Walk, settings=bounds)
