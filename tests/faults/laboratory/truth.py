"""What each observer may rightly have answered, and when: the recorded truth."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from faults.laboratory.journal import Entry, span
from faults.laboratory.lives import Life, lives
from faults.laboratory.spans import FOREVER, Span, first_outside, later, longer, measure, overlap
from faults.laboratory.times import ROOM, Times

UP, DOWN, UNKNOWN, GONE = "up", "down", "unknown", "gone"
#: Store faults that take it away; the others are a step of its clock and the loss of data.
AWAY = ("outage",)
#: Seconds after the end of an outage within which it is written down.
WRITTEN_LATE = 0.1
#: Seconds after the start of a process for which its guardian may still be starting.
GUARDIAN_READY = 3.0


class Phase(NamedTuple):
    """What became of a member: ``up``, ``gone`` or ``dead``; some time between *begin* and *done*.

    *who* is the life that holds it, or held it last.
    """

    kind: str
    begin: float
    done: float
    who: str


class Word(NamedTuple):
    """The operator forced it down or took that back, some time between *begin* and *done*."""

    forced: bool
    begin: float
    done: float


class Truth:
    """A recording, taken apart. Verdicts are judged by :meth:`allowed`."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        head = next(entry for entry in entries if entry["what"] == "times")
        self.times = Times(*(head[name] for name in Times._fields))
        self.guarded: bool = head.get("guardian", False)
        on_store = [e for e in entries if e["what"] == "fault" and e["target"] == "store"]
        self.away = [(e["begin"], e["at"]) for e in on_store if e["fault"] in AWAY]
        self.steps = [(e["at"], e["by"]) for e in on_store if e["fault"] == "clock"]
        self.lost = [(e["begin"], e["at"]) for e in on_store if e["forgets"]]
        self.amnesia = [(e["begin"], e["at"]) for e in on_store if e["ends"]]
        self.lives = lives(entries, self.away)
        self.phases: dict[str, list[Phase]] = {}
        self.words: dict[str, list[Word]] = {}
        self.doubtful: dict[str, list[Span]] = {}
        for entry in entries:
            self._take(entry)
        self._vouched = [
            vouched
            for life in self.lives.values()
            for vouched in life.vouches(self.times, [at for at, _ in self.steps])
        ]
        self._troubled = longer(
            [*self.away, *self.lost, *self.amnesia, *((at, at) for at, _ in self.steps)],
            self.times.recovered,
        )
        #: When anybody stood still: the machine was busy, and nobody's times are exact.
        self.stalls = [span for life in self.lives.values() for span in life.stalls]

    def allowed(self, member: str, observer: str, asked: Span, lag: float) -> set[str]:
        """Return the verdicts that are right on *member* for who asked during *asked*.

        :param lag: seconds by which the answer may rightly be older than the question
        """
        since = asked[0] - lag - measure((asked[0] - lag, asked[1]), self.stalls)
        if lag and any(begin < asked[1] for begin, _ in self.lives[observer].cut):
            since -= (
                self.times.down
            )  # whoever was called back need not be, until the next full look
        window = (since, asked[1])
        if overlap(window, self.doubtful.get(member, [])):
            return {UP, DOWN, UNKNOWN, GONE}
        troubled = overlap(window, self._troubled) or overlap(window, self._trouble_of(observer))
        if lag and overlap((since - lag, asked[1]), self.stalls):
            troubled = True  # looks come late, and views go stale, where everybody waits for a core
        right = {UNKNOWN} if troubled else set()
        for phase, until in self._phases(member):
            if phase.begin <= window[1] and until >= window[0]:
                seen = (max(window[0], phase.begin), min(window[1], until))
                right |= self._of_phase(phase, seen)
        return self._with_words(member, right, window)

    def stalled(self, during: Span) -> float:
        """How long anybody stood still."""
        return measure(during, self.stalls)

    # -- one phase ----------------------------------------------------------------------------

    def _of_phase(self, phase: Phase, window: Span) -> set[str]:
        if phase.kind == UP:
            return self._of_living(self.lives[phase.who], window)
        if phase.kind == "dead":
            return self._of_dead(phase, window)
        return {GONE}

    def _of_living(self, life: Life, window: Span) -> set[str]:
        right = {UP}
        if overlap(window, self._until_beaten(life, self.amnesia)):
            return {UP, DOWN, UNKNOWN, GONE}
        if overlap(window, self._until_beaten(life, self.lost)):
            right |= {UNKNOWN, GONE}
        if self.times.forgets and overlap(window, self._stored_again(life)):
            right |= {UNKNOWN, GONE}
        moments = [beat.end for beat in life.beats if window[0] <= beat.end <= window[1]]
        for moment in (*moments, window[1]):
            heard = life.heard(moment - 1e-6)
            if moment - heard <= self.times.silence:
                continue
            right.add(UNKNOWN)
            if self._excused(life, heard, moment):
                right.add(GONE if self.times.forgets else DOWN)
        return right

    def _stored_again(self, life: Life) -> list[Span]:
        """When who was silent for too long, by what befell it, need not be stored again."""
        return [
            (last.begin + self.times.silence, then.end + self.times.recovered)
            for last, then in pairwise(life.beats)
            if then.end - last.begin > self.times.silence
            and self._excused(life, last.begin, then.end)
        ]

    def _until_beaten(self, life: Life, spans: Iterable[Span]) -> list[Span]:
        """Let what the store forgot be forgotten until its process has had time to mend it."""
        recovered = self.times.recovered
        return [
            (begin, later(max(end, life.beaten_after(end)), recovered, self.away))
            for begin, end in spans
        ]

    def _excused(self, life: Life, heard: float, moment: float) -> bool:
        """Whether its silence is its own: without what befell itself it would have been heard.

        Asked of the first moment at which anybody could have called it down, unless it was kept
        away alone for as long as that since (the end of an outage is written down a little late):
        who was rightly called down stays so until it is heard, for which it has the time that is
        promised.
        """
        impeded = life.impeded(self.times)
        if self.times.ends_after is not None:  # such a store lets everybody begin anew
            heard = max([heard, *(end for _, end in self.away if end <= moment)])
        first = first_outside(heard + self.times.silence, self.away)
        silent = (heard, min(first, moment))
        kept = [(max(begin, heard), min(end, moment)) for begin, end in impeded]
        alone = any(
            end - begin - measure((begin, end), self.away) >= self.times.silence - WRITTEN_LATE
            for begin, end in kept
        )
        mostly = silent[1] - silent[0] - measure(silent, impeded) <= self.times.silence
        if not (alone or mostly):
            return False
        over = max(
            [end for begin, end in impeded if begin <= moment and end >= heard], default=heard
        )
        since = (over, moment)
        return moment - over - measure(since, self.away) <= self.times.mended + ROOM

    def _of_dead(self, phase: Phase, window: Span) -> set[str]:
        right = {*self._not_yet(phase, window)}
        right |= {UNKNOWN, GONE} if self.times.forgets else {DOWN}
        if overlap(window, longer(self.amnesia, self.times.recovered)):
            right |= {UNKNOWN, GONE}
        if not any(begin <= window[0] and end >= window[1] for begin, end in self._vouched):
            right.add(UNKNOWN)
        return right

    def _not_yet(self, phase: Phase, window: Span) -> set[str]:
        """Whether its death need not be known yet; a store that ends lives waits anew."""
        died = phase.done
        if self.guarded and self._told_by_guardian(phase):
            return {UP} if window[0] < died + self.times.told else set()
        died += sum(-by for at, by in self.steps if by < 0 and at > phase.begin - self.times.down)
        if self.times.ends_after is not None:
            died = max(
                [died, *(end for begin, end in self.away if begin < died + 60 and end > died)]
            )
        return {UP} if window[0] < died + self.times.noticed else set()

    def _told_by_guardian(self, phase: Phase) -> bool:
        """Whether nothing kept the guardian from telling; it goes the same way as the process."""
        life = self.lives[phase.who]
        around = (phase.begin - self.times.recovered, phase.done + self.times.told)
        if phase.begin < life.opened + GUARDIAN_READY:
            return False
        return not overlap(around, [*self._troubled, *life.cut, *life.paused])

    # -- around it ----------------------------------------------------------------------------

    def _with_words(self, member: str, right: set[str], window: Span) -> set[str]:
        forced = [False]
        for word in self.words.get(member, []):
            if word.done <= window[0]:
                forced = [word.forced]
            elif word.begin <= window[1]:
                forced.append(word.forced)
        if all(forced):
            return {DOWN} | (right & {GONE, UNKNOWN})
        return right | {DOWN} if any(forced) else right

    def _trouble_of(self, observer: str) -> list[Span]:
        life = self.lives[observer]
        short = longer([*life.stalls, *life.slow], self.times.looked)
        long = longer([*life.cut, *life.paused], self.times.recovered)
        return [*short, *long]

    def _phases(self, member: str) -> Iterable[tuple[Phase, float]]:
        phases = self.phases.get(member, [])
        first = phases[0].done if phases else FOREVER
        yield Phase(GONE, -FOREVER, -FOREVER, ""), first
        for number, phase in enumerate(phases, 1):
            yield phase, phases[number].done if number < len(phases) else FOREVER

    # -- taking it apart ----------------------------------------------------------------------

    def _take(self, entry: Entry) -> None:
        what, member = entry["what"], entry.get("member", "")
        begin, at = span(entry)
        if what == "join":
            self._enter(member, Phase(UP, begin, at, entry["who"]))
        elif what == "leave" or (what in ("remove", "delete") and entry["known"]):
            self._enter(member, Phase(GONE, begin, at, entry["who"]))
        elif what == "killed":
            for phases in self.phases.values():
                if phases[-1].kind == UP and phases[-1].who == entry["actor"]:
                    phases.append(Phase("dead", begin, at, entry["actor"]))
        elif what == "doubtful":
            self.doubtful.setdefault(member, []).append((begin, FOREVER))
        if what == "word" and entry["call"].endswith("force_down") and entry["known"]:
            forced = entry["call"] == "force_down"
            self.words.setdefault(member, []).append(Word(forced, begin, at))
        elif what == "delete":
            self.words.setdefault(member, []).append(Word(False, begin, at))
        elif what == "fault" and entry.get("forgets"):
            for words in self.words.values():
                words.append(Word(False, begin, at))

    def _enter(self, member: str, phase: Phase) -> None:
        self.phases.setdefault(member, []).append(phase)
        if phase.kind == UP and self.doubtful.get(member):
            begin, _ = self.doubtful[member][-1]
            self.doubtful[member][-1] = (begin, phase.done)
