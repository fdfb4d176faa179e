"""What a test needs from the machine, and the words that say how to get it."""

import os
import shutil
from pathlib import Path

#: Set to 1 by ``make test``: a missing server then fails the test in place of skipping it.
REQUIRE_VARIABLE = "SERVICEGROUP_REQUIRE_SERVERS"

#: Daemons live there on Debian, and an ordinary user's PATH does not name it.
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin")


class MissingError(Exception):
    """Something that a test needs is not on this machine; the message says what and the remedy."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"needs {what}: {remedy}")
        self.what = what
        self.remedy = remedy


def servers_required() -> bool:
    """Whether a missing server is a failure of the run."""
    return os.environ.get(REQUIRE_VARIABLE) == "1"


def find_program(name: str, package: str, folders: tuple[Path, ...] = ()) -> Path:
    """Find program *name*: in *folders*, then on PATH, then where daemons live.

    :raises MissingError: naming the Debian *package* that brings it.
    """
    path = os.pathsep.join(
        [*map(str, folders), os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS]
    )
    found = shutil.which(name, path=path)
    if found is None:
        raise MissingError(f"the program {name}", f"install the package {package}")
    return Path(found)


def newest_first(folder: Path, pattern: str) -> tuple[Path, ...]:
    """List the folders named by a version number under *folder*, highest version first.

    *pattern* goes on from the version's folder: ``("/usr/lib/postgresql", "*/bin")``.
    """

    def version(path: Path) -> tuple[int, ...]:
        name = path.relative_to(folder).parts[0]
        return tuple(int(part) for part in name.split(".") if part.isdigit())

    return tuple(sorted(folder.glob(pattern), key=version, reverse=True))
