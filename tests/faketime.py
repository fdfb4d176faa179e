"""Wall clocks that are wrong, by libfaketime; the monotonic clocks stay the system's.

Measured with libfaketime 0.9.10: CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW and CLOCK_BOOTTIME are
untouched, waiting on locks, conditions, queues and sockets is too. ``time.sleep`` fails with
EINVAL (libfaketime issue 426, fixed after 0.9.10): ``faketime_site/sitecustomize.py`` mends it in
Python processes.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from servers.requirement import MissingError

_SITE = Path(__file__).with_name("faketime_site")


def library() -> Path:
    """Find libfaketime's shared object.

    :raises MissingError: it is not installed.
    """
    for root in (Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib")):
        for pattern in ("faketime/libfaketime.so.1", "*/faketime/libfaketime.so.1"):
            for found in sorted(root.glob(pattern)):
                return found
    raise MissingError("libfaketime", "install the package libfaketime")


def skewed_environment(seconds: float, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Build the environment of a Python process whose wall clock is *seconds* ahead.

    Negative is behind. *base* is the environment to add to, by default this process's own.
    """
    environment = dict(os.environ if base is None else base)
    path = environment.get("PYTHONPATH")
    return {
        **environment,
        **_real_monotonic(),
        "FAKETIME": f"{seconds:+f}",
        "PYTHONPATH": f"{_SITE}{os.pathsep}{path}" if path else str(_SITE),
    }


class SteppedClock:
    """A wall clock that can be stepped while the processes that read it run."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.seconds = 0.0
        self.step(0)

    def environment(self) -> dict[str, str]:
        """Name the variables that a process needs to run by this clock."""
        return {
            **_real_monotonic(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
        }

    def step(self, seconds: float) -> None:
        """Step the clock by *seconds* from where it is now; negative steps back."""
        self.seconds += seconds
        # Renamed into place: a process that reads a half-written file would see the real time.
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{self.seconds:+f}\n")
        fresh.chmod(0o644)
        fresh.replace(self._file)


def remove_shared_memory(pid: int) -> None:
    """Remove what libfaketime leaves in /dev/shm when process *pid* is killed."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        with contextlib.suppress(FileNotFoundError):
            Path("/dev/shm", name).unlink()


def _real_monotonic() -> dict[str, str]:
    return {"LD_PRELOAD": str(library()), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
