"""The command behind ``make soak``: many schedules, or one again."""

import argparse
import sys
from pathlib import Path

from faults.laboratory.schedule import load
from faults.laboratory.soak import Account, soak
from faults.laboratory.stores import KINDS, opened
from faults.laboratory.trial import Violated, attempt
from faults.laboratory.troupe import Troupe
from servers.home import Home


def main() -> int:
    """Soak, or replay; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make soak SOAK_ARGS=...", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for each kind of store")
    parser.add_argument("--store", choices=KINDS, action="append", help="default: all in turn")
    parser.add_argument(
        "--seed-file", type=Path, default=Path("soak.json"), help="where the next run goes on"
    )
    parser.add_argument(
        "--failures",
        type=Path,
        default=Path("soak-failures"),
        help="folder for failing schedules, and all that was written down",
    )
    parser.add_argument("--replay", type=Path, help="play this schedule again in place of all that")
    parser.add_argument("--times", type=int, default=1, help="how often to replay it")
    told = parser.parse_args()
    if told.replay is not None:
        return _replay(told.replay, told.times, told.failures)
    violated = 0
    for kind in told.store or KINDS:
        violated += soak(kind, told.minutes, Account(told.seed_file, kind), told.failures)
    return 1 if violated else 0


def _replay(path: Path, times: int, place: Path) -> int:
    schedule, violated = load(path), 0
    with Home() as home, opened(schedule.driver, home) as store, Troupe() as troupe:
        for number in range(1, times + 1):
            try:
                attempt(schedule, store, troupe, place)
            except Violated as error:
                violated += 1
                print(error)
            print(f"played {number} times, {violated} times with violations", flush=True)
    return 1 if violated else 0


if __name__ == "__main__":
    sys.exit(main())
