"""What the private SQL servers have in common."""

import abc
import itertools
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from servers.home import Home
from servers.process import Server

#: The account that tests log in with: it owns the databases that tests make, and no more.
USER = "servicegroup"
#: No daemon's zone is the server's: whoever stores local times by mistake is hours off.
ODD_ZONE = "<+1245>-12:45"


class DatabaseServer(Server):
    """A private SQL server; *settings* are added to its command line, and win."""

    url_scheme: ClassVar[str]

    def __init__(
        self, home: Home, *, skewable: bool = False, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(home, skewable=skewable)
        self.settings = dict(settings or {})
        self._numbers = itertools.count(1)

    @abc.abstractmethod
    def initialise(self, folder: Path) -> None:
        """Fill the empty data folder *folder*, which belongs to the account."""

    @abc.abstractmethod
    def execute(self, *statements: str) -> None:
        """Run statements as the administrator, each by itself."""

    @abc.abstractmethod
    def create_database(self) -> str:
        """Make a fresh, empty database with a name of its own and return its URL."""

    @abc.abstractmethod
    def drop_database(self, database: str) -> None:
        """Remove a database, given by name or URL, and end the connections to it."""

    @abc.abstractmethod
    def statements(self, database: str | None = None) -> AbstractContextManager[list[str]]:
        """Collect the statements that the server itself receives during the block, in order.

        The list is filled at the end of the block. It holds what any connection sent to
        *database* (name or URL; None: to any), BEGIN, COMMIT and pings included, and nothing
        of what this class sends.
        """

    @property
    def login(self) -> str:
        """User and password as they stand in a URL."""
        return USER

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    def url(self, database: str) -> str:
        """Build the SQLAlchemy URL of a database."""
        return f"{self.url_scheme}://{self.login}@{self.address}/{database}"

    def prepare(self) -> None:
        """Copy the data folder that is made once in a run: making one takes up to two seconds."""
        template = self.home.path / f"{self.name}.template"
        if not template.exists():
            unfinished = self.home.folder(self.name)
            self.runs_as.make_folder(unfinished)
            self.initialise(unfinished)
            unfinished.rename(template)
        copy = ["cp", "--archive", "--reflink=auto", str(template), str(self.data)]
        subprocess.run(copy, check=True)

    def fresh_name(self) -> str:
        """Name a database that this server never had."""
        return f"sg_{next(self._numbers)}"


def database_name(database: str) -> str:
    """Read the name out of a database's URL; a bare name is returned as it is."""
    return urlsplit(database).path.lstrip("/") if "://" in database else database


def matching(pairs: Iterator[tuple[str, str]], database: str | None) -> list[str]:
    """Choose the statements of (database, statement) pairs that went to *database*."""
    wanted = None if database is None else database_name(database)
    return [statement for name, statement in pairs if wanted in (None, name)]
