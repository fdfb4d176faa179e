"""Saying what a schedule showed: for people, with the schedule itself to replay."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from faults.laboratory.journal import Entry, span
from faults.laboratory.judges import Violation
from faults.laboratory.schedule import Schedule

#: Violations shown in full; one fault often makes hundreds of them.
SHOWN = 8
REPLAY = "make soak SOAK_ARGS='--replay FILE'"
_FATES = ("killed", "fault", "skipped", "calm", "end")


def in_words(
    schedule: Schedule, entries: Sequence[Entry], violations: Sequence[Violation], folder: Path
) -> str:
    """Tell what was violated, what was going on, and how to see it again."""
    began = entries[0]["at"]
    counts = Counter(one.kind for one in violations)
    lines = [f"{kind}: violated {count} times" for kind, count in counts.items()]
    lines += [f"  {one.at - began:6.2f} s  {one.kind}: {one.words}" for one in violations[:SHOWN]]
    lines += ["what befell the fleet:"]
    for entry in entries:
        if entry["what"] in _FATES:
            about = {key: entry[key] for key in entry if key not in ("at", "begin", "who", "what")}
            begin, end = (moment - began for moment in span(entry))
            lines += [f"  {begin:6.2f} to {end:6.2f} s  {entry['what']} {about}"]
    lines += [f"what everybody wrote down: {folder}"]
    lines += [f"the schedule; save it as FILE, and {REPLAY} plays it again:", schedule.text()]
    return "\n".join(lines)
