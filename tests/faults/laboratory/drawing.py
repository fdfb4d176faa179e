"""Drawing schedules at random, by Hypothesis."""

from collections.abc import Callable
from typing import Any, TypeVar

from faults.laboratory.schedule import MEMBERS, OBSERVERS, PROCESSES, Schedule, Step
from faults.laboratory.stores import KINDS, FaultyStore
from hypothesis import strategies as st

T = TypeVar("T")

#: Seconds for which steps are drawn, and their most.
SPAN = 4.0
MOST = 8
#: How long faults last: well below and well above the limits that they are to be on one side of.
#: Between them a stall of the machine would decide, which proves nothing.
SHORT_OUTAGES, LONG_OUTAGES = (0.3, 0.6), (2.2, 3.0)
PAUSES = (0.3, 0.9, 2.5)
LINK_FAULTS = (0.3, 1.0, 2.2)
DELAYS = (0.02, 0.1, 0.3)
AGAIN = (None, 0.2, 1.5)
CLOCK_STEPS = (300.0, 2.0, 0.7, -0.4, -300.0)
SKEWS = (3600.0, -3600.0)

processes = st.sampled_from(sorted(PROCESSES))
members = st.sampled_from(MEMBERS)
anybody = st.sampled_from((*sorted(PROCESSES), *OBSERVERS))


def schedules(kind: str, *, most: int = MOST) -> st.SearchStrategy[Schedule]:
    """Draw schedules for a kind of store, with at most *most* steps."""
    store = KINDS[kind]
    steps = st.lists(st.one_of(*_steps(store)), min_size=1, max_size=most)
    skews = st.dictionaries(anybody, st.sampled_from(SKEWS), max_size=1)
    return st.builds(
        lambda steps, skews: Schedule(kind, tuple(sorted(steps, key=_time)), skews), steps, skews
    )


def _time(step: Step) -> float:
    return step.at


def _steps(store: type[FaultyStore]) -> list[st.SearchStrategy[Step]]:
    """List what may happen; what is more likely to show something stands there more than once."""
    lasting = SHORT_OUTAGES + LONG_OUTAGES
    outage = _step("outage", st.just("store"), how=store.ways, seconds=lasting)
    kinds = [
        outage,
        outage,
        _step("lose", st.just("store")),
        _step("pause", anybody, seconds=PAUSES),
        _step("pause", processes, seconds=PAUSES),
        _step("kill", processes, again=AGAIN),
        _step("kill", processes, again=AGAIN),
        _step("join", members, by=tuple(sorted(PROCESSES)), attributes=({}, {"x": "é"})),
        _step("leave", members),
        _step("remove", members),
        _step("update", members, attributes=({"y": 1}, {"y": [2, None]})),
    ]
    if store.steps:
        kinds.append(_step("clock", st.just("store"), by=CLOCK_STEPS))
    if store.links:
        kinds += [
            _step("cut", anybody),
            _step("half_open", anybody),
            _step("delay", anybody, seconds=LINK_FAULTS, by=DELAYS),
            *(_step(name, anybody, seconds=LINK_FAULTS) for name in ("refuse", "black_hole")),
            _step("drop", anybody, seconds=LINK_FAULTS),
        ]
    if store.records:
        words = ("disable", "enable", "force_down", "force_down", "unforce_down", "delete")
        kinds += [st.sampled_from(words).flatmap(lambda word: _step(word, members))]
    return kinds


def _step(
    fault: str, target: st.SearchStrategy[str], **args: tuple[Any, ...]
) -> st.SearchStrategy[Step]:
    at = st.integers(0, int(SPAN * 10)).map(lambda tenths: tenths / 10)
    values: dict[str, st.SearchStrategy[Any]] = {
        name: st.sampled_from(choices) for name, choices in args.items()
    }
    make: Callable[..., Step] = Step
    return st.builds(make, at, st.just(fault), target, st.fixed_dictionaries(values))
