"""A private MariaDB server."""

import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from servers.database import ODD_ZONE, USER, DatabaseServer, database_name
from servers.requirement import MissingError, find_program

try:
    import pymysql
except ImportError:
    _client_missing = True
else:
    _client_missing = False

PASSWORD = "secret"
#: The administrator as the general log names it; tests log in as somebody else.
ADMIN = "root@localhost"
PACKAGE = "mariadb-server"
#: How a ping stands in the list of statements: the general log does not hold pings.
PING = "PING"
SETTINGS = {
    "character-set-server": "utf8mb4",
    # Commits reach the kernel, so that a kill -9 loses none, and no disk is waited for.
    "innodb-flush-log-at-trx-commit": "2",
    "innodb-buffer-pool-size": "32M",
    "innodb-log-file-size": "16M",
    "max-connections": "500",
    "skip-name-resolve": "ON",
    "log-output": "TABLE",
}
#: Which database a connection uses is only in the log if it connected meanwhile.
_CONNECTED = "SELECT id, db FROM information_schema.processlist WHERE id != connection_id()"
_LOGGED = """
    SELECT thread_id, command_type, convert(argument USING utf8mb4) FROM mysql.general_log
    WHERE thread_id != connection_id()
"""
_PINGS = "SHOW GLOBAL STATUS LIKE 'Com_admin_commands'"


class MariaDB(DatabaseServer):
    """One MariaDB server."""

    name: ClassVar[str] = "mariadb"
    account: ClassVar[str | None] = "mysql"
    url_scheme: ClassVar[str] = "mysql+pymysql"

    @classmethod
    def find(cls) -> None:
        find_program("mariadbd", PACKAGE)
        find_program("mariadb-install-db", PACKAGE)
        if _client_missing:
            raise MissingError("PyMySQL", "pip install 'servicegroup[mysql]'")

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "TZ": ODD_ZONE}

    def command(self) -> list[str]:
        settings = [f"--{key}={value}" for key, value in {**SETTINGS, **self.settings}.items()]
        return [
            str(find_program("mariadbd", PACKAGE)),
            "--no-defaults",
            f"--datadir={self.data}",
            f"--bind-address={self.host}",
            f"--port={self.port}",
            f"--socket={self._socket}",
            f"--pid-file={self.folder / 'pid'}",
            f"--init-file={self.folder / 'accounts.sql'}",
            *settings,
        ]

    def prepare(self) -> None:
        super().prepare()
        (self.folder / "accounts.sql").write_text(
            f"CREATE USER IF NOT EXISTS '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            rf"GRANT ALL PRIVILEGES ON `sg\_%`.* TO '{USER}'@'127.0.0.1';" + "\n"
        )

    def initialise(self, folder: Path) -> None:
        install = [str(find_program("mariadb-install-db", PACKAGE)), "--no-defaults"]
        kind = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        size = f"--innodb-log-file-size={SETTINGS['innodb-log-file-size']}"
        argv = [*install, f"--datadir={folder}", *kind, size]
        self.runs_as.run(argv, self.home.path, self.environment())

    def ready(self) -> bool:
        # PyMySQL leaks a Unix socket that it cannot connect: it only gets one that answers.
        with socket.socket(socket.AF_UNIX) as administration:
            administration.connect(self._socket)
        try:
            user = pymysql.connect(host=self.host, port=self.port, user=USER, password=PASSWORD)
        except pymysql.OperationalError:
            return False
        user.close()
        return True

    @property
    def login(self) -> str:
        return f"{USER}:{PASSWORD}"

    def execute(self, *statements: str) -> None:
        with contextlib.closing(self._connect()) as connection:
            for statement in statements:
                _rows(connection, statement)

    def create_database(self) -> str:
        name = self.fresh_name()
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop_database(self, database: str) -> None:
        name = database_name(database)
        with contextlib.closing(self._connect()) as connection:
            # Dropping waits for the locks of open transactions, for up to a day.
            for thread, used in _rows(connection, _CONNECTED):
                if used == name:
                    with contextlib.suppress(pymysql.OperationalError):
                        _rows(connection, f"KILL {thread}")
            _rows(connection, f"DROP DATABASE IF EXISTS {name}")

    @contextmanager
    def statements(self, database: str | None = None) -> Iterator[list[str]]:
        """Collect statements as promised; pings come last, whatever database they went to."""
        wanted = None if database is None else database_name(database)
        found: list[str] = []
        with contextlib.closing(self._connect()) as connection:
            _rows(connection, "TRUNCATE TABLE mysql.general_log")
            used = dict(_rows(connection, _CONNECTED))
            [(_, pings)] = _rows(connection, _PINGS)
            _rows(connection, "SET GLOBAL general_log = ON")
            try:
                yield found
            finally:
                _rows(connection, "SET GLOBAL general_log = OFF")
            for name, statement in _received(_rows(connection, _LOGGED), used):
                if wanted in (None, name):
                    found.append(statement)
            [(_, pings_after)] = _rows(connection, _PINGS)
            found.extend([PING] * (int(pings_after) - int(pings)))

    @property
    def _socket(self) -> str:
        return str(self.folder / "s")

    def _connect(self) -> "pymysql.Connection[Any]":
        return pymysql.connect(
            unix_socket=self._socket,
            user="root",
            autocommit=True,
            connect_timeout=5,
            read_timeout=30,
        )


def _rows(connection: "pymysql.Connection[Any]", statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _received(
    logged: list[tuple[Any, ...]], used: dict[int, str | None]
) -> Iterator[tuple[str | None, str]]:
    """Turn rows of the log into (database, statement), following which connection uses which."""
    administrators = set()
    for thread, command, argument in logged:
        if command == "Connect":
            user, _, place = argument.partition(" on ")
            used[thread] = place.partition(" using ")[0]
            if user == ADMIN:
                administrators.add(thread)
        elif command == "Init DB":
            used[thread] = argument
        elif command in ("Query", "Execute") and thread not in administrators:
            yield used.get(thread), argument
