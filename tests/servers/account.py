"""Running programs as the account that a server insists on."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path


class ServerError(RuntimeError):
    """A server did not start, stop or get prepared; the message ends with what it wrote."""


class Account:
    """A system account, or with None as *name* the one that the tests run as.

    Somebody else than root cannot change accounts and need not: servers only refuse root.
    """

    def __init__(self, name: str | None) -> None:
        self.name = name if os.geteuid() == 0 else None

    def command(self, argv: list[str]) -> list[str]:
        """Put before *argv* what changes the account."""
        if self.name is None:
            return argv
        # setpriv execs, unlike su: the pid that is held is the server's.
        account = ["--reuid", self.name, "--regid", self.name, "--init-groups"]
        return ["setpriv", *account, "--", *argv]

    def make_folder(self, folder: Path) -> None:
        """Make *folder*, belonging to the account and open to readers."""
        folder.mkdir(mode=0o755)
        if self.name is not None:
            shutil.chown(folder, self.name, self.name)

    def run(
        self, argv: list[str], folder: Path, environment: Mapping[str, str], stdin: str = ""
    ) -> None:
        """Run a program to its end in *folder*.

        :raises ServerError: it failed; the message holds what it printed.
        """
        done = subprocess.run(
            self.command(argv),
            input=stdin,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"{argv[0]} ended with {done.returncode}\n{done.stdout}")
