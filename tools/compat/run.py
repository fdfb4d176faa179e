"""Runs a project's own unit tests with our adapter in the place of its classes; prints the counts.

    python tools/compat/run.py nova|ironic|vitrage|vitrage_drivers [MODULE ...]

To be run by the interpreter of an environment that has the project, as ``make compat`` makes it.
"""

import collections
import importlib
import importlib.metadata
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def tests(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    """Walk through what was loaded."""
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from tests(one)
        else:
            yield one


def main() -> int:
    """Swap, run what is not left out, and count."""
    project = importlib.import_module(f"{sys.argv[1]}_tests")
    name = sys.argv[1].partition("_")[0]
    used = project.swap()  # before their tests are imported
    loader = unittest.TestLoader()
    chosen, left_out = unittest.TestSuite(), collections.Counter()
    for test in tests(loader.loadTestsFromNames(sys.argv[2:] or project.TESTS)):
        reasons = [why for part, why in project.LEFT_OUT.items() if part in test.id()]
        if reasons:
            left_out[reasons[0]] += 1
            print(f"left out: {test.id()}: {reasons[0]}")
        else:
            chosen.addTest(test)
    result = unittest.TextTestRunner(verbosity=0, buffer=True).run(chosen)
    for test, why in result.skipped:
        print(f"skipped by {name} itself: {test.id()}: {why}")
    failed = len(result.failures) + len(result.errors)
    print(
        f"{name} {importlib.metadata.version(name)} with {project.OURS}: "
        f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed, "
        f"{len(result.skipped)} skipped, {left_out.total()} left out; used: "
        + ", ".join(f"{what} {times} times" for what, times in used.items())
    )
    unused = [what for what, times in used.items() if not times]
    if unused:
        print(f"no test used {', '.join(unused)}: nothing is proved", file=sys.stderr)
    return 1 if failed or unused or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
