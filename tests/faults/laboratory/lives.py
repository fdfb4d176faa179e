"""What a recording says of each process's life: when it beat, and what kept it from beating."""

from collections.abc import Iterable
from typing import NamedTuple

from faults.laboratory.journal import Entry, span
from faults.laboratory.spans import FOREVER, Span, overlap
from faults.laboratory.times import Times

#: Seconds: a call to the store that takes longer met a slow machine, or a fault.
SLOW = 0.1


class Beat(NamedTuple):
    """A sign of life that the store took, some time between *begin* and *end*."""

    begin: float
    end: float


class Life:
    """One process, from its start until it ended, as all its entries tell."""

    def __init__(self, who: str) -> None:
        self.who = who
        self.instance = ""
        self.beats: list[Beat] = []
        self.stalls: list[Span] = []
        self.paused: list[Span] = []
        self.cut: list[Span] = []  # faults of its own link
        self.slow: list[Span] = []  # calls that took long
        self.opened = FOREVER
        self.ended = FOREVER

    def heard(self, moment: float) -> float:
        """When the last beat was sent that was stored by *moment*."""
        return max((beat.begin for beat in self.beats if beat.end <= moment), default=moment)

    def beaten_after(self, moment: float) -> float:
        """When it had beaten again after *moment*; never, if it did not."""
        return min((beat.end for beat in self.beats if beat.begin >= moment), default=FOREVER)

    def impeded(self, times: Times) -> list[Span]:
        """When it, or its way to the store, was itself the reason for not beating."""
        spans = [*self.stalls, *self.paused, *self.slow]
        for begin, end in self.cut:
            spans.append((begin, min(self.beaten_after(end), end + times.mended)))
        return spans

    def vouches(self, times: Times, steps: Iterable[float]) -> list[Span]:
        """When it was certainly a witness: heard for one limit without a gap."""
        spans, first, last = [], None, None
        patience = times.down + 2 * times.rounding
        for beat in self.beats:
            broken = last is not None and (
                beat.end - last.begin > times.steady_gap
                or any(last.begin <= step <= beat.end for step in steps)
            )
            if first is None or broken:
                if first is not None and last is not None:
                    spans.append((first.end + patience, last.begin + times.steady_gap))
                first = beat
            last = beat
        if first is not None and last is not None:
            until = min(last.begin + times.steady_gap, self.ended + times.steady_gap)
            spans.append((first.end + patience, until))
        return [(begin, end) for begin, end in spans if end > begin]


def lives(entries: Iterable[Entry], away: list[Span]) -> dict[str, Life]:
    """Gather every process's life.

    :param away: when the store was away: calls are slow then for no fault of the caller
    """
    found: dict[str, Life] = {}
    for entry in entries:
        who: str = entry.get("actor") or entry["who"]
        life = found.setdefault(who, Life(who))
        took = span(entry)
        what = entry["what"]
        if what == "open":
            life.instance, life.opened = entry["instance"], entry["at"]
        elif what == "beat" and entry["instance"] == life.instance:
            _beat(life, entry, took, away)
        elif what == "stall":
            life.stalls.append(took)
        elif what == "killed":
            life.ended = took[0]
        elif what == "fault" and entry["target"] != "store":
            (life.paused if entry["fault"] == "pause" else life.cut).append(took)
        elif what == "look" or (what == "answer" and took[1] - took[0] > SLOW):
            life.slow.append(took)
    return found


def _beat(life: Life, entry: Entry, took: Span, away: list[Span]) -> None:
    if not entry["error"]:
        life.beats.append(Beat(*took))
    if took[1] - took[0] > SLOW and not overlap(took, away):
        life.slow.append(took)
