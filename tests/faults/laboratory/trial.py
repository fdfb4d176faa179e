"""One schedule, carried out and judged."""

import shutil
import tempfile
from pathlib import Path

from faults.laboratory.director import perform
from faults.laboratory.judges import Violation, judge
from faults.laboratory.report import in_words
from faults.laboratory.schedule import Schedule
from faults.laboratory.stores import FaultyStore
from faults.laboratory.troupe import Troupe


class Violated(AssertionError):
    """A schedule showed that a promise does not hold; the message is the whole report."""

    def __init__(self, words: str, violations: list[Violation]) -> None:
        super().__init__(words)
        self.violations = violations

    @property
    def false_downs(self) -> int:
        """How many answers called somebody down or gone who was alive and reached the store."""
        return sum(
            one.kind == "accuracy" and " says unknown " not in one.words for one in self.violations
        )


def attempt(schedule: Schedule, store: FaultyStore, troupe: Troupe, place: Path) -> None:
    """Carry out *schedule* in a new folder under *place*, which is made.

    :raises Violated: a property did not hold; only then the folder stays, with all that was
        written down
    """
    place.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{schedule.driver}-", dir=place))
    (folder / "schedule.json").write_text(schedule.text())
    entries = perform(schedule, store, troupe, folder)
    violations = judge(entries)
    if violations:
        raise Violated(in_words(schedule, entries, violations, folder), violations)
    shutil.rmtree(folder)
