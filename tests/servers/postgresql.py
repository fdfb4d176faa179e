"""A private PostgreSQL server."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from servers.account import ServerError
from servers.database import ODD_ZONE, USER, DatabaseServer, database_name, matching
from servers.requirement import MissingError, find_program, newest_first

try:
    import psycopg
except ImportError:
    _client_missing = True
else:
    _client_missing = False

ADMIN = "postgres"
#: Marks the administrator's own connections in the server's log.
ADMIN_APPLICATION = "test-administrator"
SETTINGS = {
    # Without these a power cut of the machine loses data, a kill -9 of the server does not.
    # synchronous_commit stays on: commits would wait in the killed server's memory.
    "fsync": "off",
    "full_page_writes": "off",
    # In the data folder, so that a killed server leaves nothing in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
    "max_connections": "300",
    "shared_buffers": "32MB",
    "timezone": ODD_ZONE,
    "log_statement": "all",
    "log_line_prefix": "|%d|%a| ",
}
#: With log_statement=all the server writes this before it runs a statement; "execute" is the
#: extended protocol, each execution of a prepared statement included.
_LOGGED = re.compile(
    r"^\|(?P<database>[^|]*)\|(?P<application>[^|]*)\| LOG:  "
    r"(?:statement|execute [^:]+): (?P<statement>.*(?:\n\t.*)*)$",
    re.MULTILINE,
)


class PostgreSQL(DatabaseServer):
    """One PostgreSQL server; its newest installed version, whatever PATH says."""

    name: ClassVar[str] = "postgresql"
    account: ClassVar[str | None] = "postgres"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": it does not wait for clients
    url_scheme: ClassVar[str] = "postgresql+psycopg"

    @classmethod
    def find(cls) -> None:
        _program("postgres")
        _program("initdb")
        if _client_missing:
            raise MissingError("psycopg", "pip install 'servicegroup[postgresql]'")

    def command(self) -> list[str]:
        settings = [f"-c{key}={value}" for key, value in {**SETTINGS, **self.settings}.items()]
        place = ["-D", str(self.data), "-k", str(self.folder)]
        return [_program("postgres"), *place, "-h", self.host, "-p", str(self.port), *settings]

    def ready(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def initialise(self, folder: Path) -> None:
        places = ["-D", str(folder), "-U", ADMIN]
        kind = ["-A", "trust", "-E", "UTF8", "--locale", "C", "-N"]
        run = self.runs_as.run
        run([_program("initdb"), *places, *kind], self.home.path, self.environment())
        single = [_program("postgres"), "--single", "-D", str(folder), "postgres"]
        role = f"CREATE ROLE {USER} LOGIN\n"
        run(single, self.home.path, self.environment(), stdin=role)

    def execute(self, *statements: str) -> None:
        with self._connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def create_database(self) -> str:
        name = self.fresh_name()
        self.execute(f"CREATE DATABASE {name} OWNER {USER} TEMPLATE template0")
        return self.url(name)

    def drop_database(self, database: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {database_name(database)} WITH (FORCE)")

    @contextmanager
    def statements(self, database: str | None = None) -> Iterator[list[str]]:
        if self.settings.get("log_statement", "all") != "all":
            raise ServerError(f"started with log_statement={self.settings['log_statement']}")
        found: list[str] = []
        begin = self.log.size()
        yield found
        found.extend(matching(_logged(self.log.read(begin)), database))

    def close(self) -> None:
        leftover = None if self.running else self._shared_memory()
        super().close()
        if leftover is not None:
            # A killed server leaves the small segment by which the next one would notice it.
            subprocess.run(["ipcrm", "--shmem-id", leftover], check=False, capture_output=True)

    def _connect(self) -> "psycopg.Connection":
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=ADMIN,
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
            application_name=ADMIN_APPLICATION,
        )

    def _shared_memory(self) -> str | None:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        key_and_id = lines[6].split() if len(lines) > 6 else []
        return key_and_id[1] if len(key_and_id) == 2 else None


def _program(name: str) -> str:
    # Debian puts only client programs on PATH; an older version's may stand there.
    folders = newest_first(Path("/usr/lib/postgresql"), "*/bin")
    return str(find_program(name, "postgresql", folders))


def _logged(log: str) -> Iterator[tuple[str, str]]:
    for match in _LOGGED.finditer(log):
        if match["application"] != ADMIN_APPLICATION:
            # The server puts a tab before each further line of a message.
            yield match["database"], match["statement"].replace("\n\t", "\n")
