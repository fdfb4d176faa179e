"""Drawing schedules at random, by Hypothesis."""

from collections.abc import Callable
from typing import Any, TypeVar

from faults.laboratory.schedule import MEMBERS, OBSERVERS, PROCESSES, Schedule, Step
from faults.laboratory.stores import KINDS, FaultyStore
from hypothesis import strategies as st

T = TypeVar("T")

#: Seconds for which steps are drawn, and how many.
SPAN = 4.0
LEAST, MOST = 3, 9
#: How long faults last, in limits: well below and well above what they are to be on one side of.
#: Between them a stall of the machine would decide, which proves nothing.
SHORT, LONG = (0.2, 0.4), (1.5, 2.0)
PAUSES = LINK_FAULTS = (0.2, 0.6, 1.7)
#: Seconds.
FORKS = (3.0, 10.0)
DELAYS = (0.02, 0.1, 0.3)
AGAIN = (None, 0.2, 1.5)
CLOCK_STEPS = (300.0, 2.0, 0.7, -0.4, -300.0)
SKEWS = (3600.0, -3600.0)

processes = st.sampled_from(sorted(PROCESSES))
members = st.sampled_from(MEMBERS)
anybody = st.sampled_from((*sorted(PROCESSES), *OBSERVERS))


def schedules(kind: str) -> st.SearchStrategy[Schedule]:
    """Draw schedules for a kind of store."""
    store = KINDS[kind]
    steps = st.lists(st.one_of(*_steps(store)), min_size=LEAST, max_size=MOST)
    skews = st.dictionaries(anybody, st.sampled_from(SKEWS), max_size=1)
    return st.builds(
        lambda steps, skews, guardian: Schedule(
            kind, tuple(sorted(steps, key=_time)), skews, guardian=guardian
        ),
        steps,
        skews,
        st.booleans() if store.wills else st.just(value=False),
    )


def _time(step: Step) -> float:
    return step.at


def _steps(store: type[FaultyStore]) -> list[st.SearchStrategy[Step]]:
    """List what may happen; what is more likely to show something stands there more than once."""
    limit = store.times.down
    pauses, faults = _times(limit, PAUSES), _times(limit, LINK_FAULTS)
    outage = _step("outage", st.just("store"), how=store.ways, seconds=_times(limit, SHORT + LONG))
    kinds = [
        outage,
        outage,
        _step("lose", st.just("store")),
        _step("pause", anybody, seconds=pauses),
        _step("pause", processes, seconds=pauses),
        _step("kill", processes, again=AGAIN),
        _step("kill", processes, again=AGAIN),
        _step("join", members, by=tuple(sorted(PROCESSES)), attributes=({}, {"x": "é"})),
        _step("fork", processes, seconds=FORKS),
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
            _step("delay", anybody, seconds=faults, by=DELAYS),
            *(_step(name, anybody, seconds=faults) for name in ("refuse", "black_hole")),
            _step("drop", anybody, seconds=faults),
        ]
    if store.records:
        words = ("disable", "enable", "force_down", "force_down", "unforce_down", "delete")
        kinds += [st.sampled_from(words).flatmap(lambda word: _step(word, members))]
    return kinds


def _times(limit: float, shares: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(round(limit * share, 2) for share in shares)


def _step(
    fault: str, target: st.SearchStrategy[str], **args: tuple[Any, ...]
) -> st.SearchStrategy[Step]:
    at = st.integers(0, int(SPAN * 10)).map(lambda tenths: tenths / 10)
    values: dict[str, st.SearchStrategy[Any]] = {
        name: st.sampled_from(choices) for name, choices in args.items()
    }
    make: Callable[..., Step] = Step
    return st.builds(make, at, st.just(fault), target, st.fixed_dictionaries(values))
