"""The five properties, each a pure function over what a fleet wrote down."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from faults.laboratory.journal import Entry
from faults.laboratory.order import order
from faults.laboratory.settled import differences, fits, settled
from faults.laboratory.survival import survival
from faults.laboratory.truth import DOWN, GONE, UNKNOWN, UP, Truth


class Violation(NamedTuple):
    """A property that did not hold, when (monotonic seconds), and in which way."""

    kind: str
    at: float
    words: str


def judge(entries: Sequence[Entry]) -> list[Violation]:
    """Return every violation in a recording, in order of time."""
    truth = Truth(entries)
    found = [*_verdicts(entries, truth), *_recovery(entries, truth), *_failures(entries)]
    found += [Violation("order", at, words) for at, words in order(entries)]
    found += [Violation("nothing lost", at, words) for at, words in survival(entries)]
    return sorted(found, key=lambda one: one.at)


def _verdicts(entries: Sequence[Entry], truth: Truth) -> Iterator[Violation]:
    """Accuracy: nobody who lives and reaches the store is down. Completeness: the dead are."""
    for entry in entries:
        if entry["what"] != "answer":
            continue
        way = entry["way"]
        lag = truth.times.view if way.startswith("watch") else 0.0
        for member, state in entry["states"].items():
            right = truth.allowed(member, entry["who"], (entry["begin"], entry["at"]), lag)
            if not fits(state, sorted(right)):
                kind = "accuracy" if state != UP and UP in right else "completeness"
                reason = entry["reasons"].get(member, "no reason")
                words = (
                    f"{entry['who']} says {state} of {member} by {way} ({reason}); "
                    f"right is {' or '.join(sorted(right))}"
                )
                yield Violation(kind, entry["at"], words)


def _recovery(entries: Sequence[Entry], truth: Truth) -> Iterator[Violation]:
    """After the last fault every observer's picture equals the truth, within the bound."""
    calm = next(entry for entry in entries if entry["what"] == "calm")["at"]
    bound = truth.times.recovered + truth.times.down + truth.times.noticed
    answered = [entry for entry in entries if entry["what"] == "answer" and entry["at"] > calm]
    for number in range(0, len(answered), 10):
        reached = answered[number]["at"]
        if settled([one for one in entries if one["at"] <= reached]):
            took = reached - calm - truth.stalled((calm, reached))
            if took > bound:
                yield Violation("recovery", reached, f"took {took:.1f} s, not {bound:.1f} s")
            return  # what is wrong later on is told as a verdict
    for words in differences(entries) or []:
        yield Violation("recovery", entries[-1]["at"], words)


def _failures(entries: Sequence[Entry]) -> Iterator[Violation]:
    """Whoever asks gets an answer, or one of the documented errors."""
    for entry in entries:
        if entry["what"] == "failure":
            words = f"{entry['who']} at {entry['doing']}: {entry['error']}"
            yield Violation("failure", entry["at"], words)


#: Names of verdicts, for whoever writes recordings by hand.
VERDICTS = (UP, DOWN, UNKNOWN, GONE)
