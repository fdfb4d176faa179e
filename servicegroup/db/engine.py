"""The way to the database: engines, transactions, retries. One object per process.

Every connection is in autocommit mode, so that a look is one statement and one round trip; what
must be whole runs in :meth:`Database.transaction`. Nothing is pinged before use: a connection
that turns out to be dead is replaced and the call repeated once (all our calls may be repeated).
"""

from __future__ import annotations

import contextlib
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import api as oslo_db_api
from oslo_db import exception as oslo_db_exception
from oslo_db.sqlalchemy import exc_filters
from sqlalchemy import event

from servicegroup.config import DATABASE_GROUP, Settings
from servicegroup.db import connection as db_connection
from servicegroup.db import tables
from servicegroup.db.dialect import Dialect, dialect
from servicegroup.db.prepared import Kept, Prepared
from servicegroup.exceptions import ConfigurationError, DatabaseNotReady, DriverUnavailable

T = TypeVar("T")

#: What SQLAlchemy and oslo.db raise when a connection is none: also one that ceases to be while
#: SQLAlchemy itself asks it the first questions.
DISCONNECTED = (oslo_db_exception.DBConnectionError, sa.exc.ResourceClosedError)
#: What they raise when the database did not answer.
CLIENT_ERRORS: tuple[type[Exception], ...] = (
    *DISCONNECTED,
    oslo_db_exception.DBNonExistentDatabase,
    oslo_db_exception.DBDeadlock,
    sa.exc.OperationalError,
    sa.exc.InterfaceError,
    sa.exc.TimeoutError,
)

#: A transaction that lost against another one is tried again this often, in seconds.
_RETRIES = {"max_retries": 12, "retry_interval": 0.005, "max_retry_interval": 0.25}


class Database:
    """Connections to one database. Usable from any thread; not across a fork."""

    def __init__(self, conf: cfg.ConfigOpts, settings: Settings) -> None:
        self.url, self.is_default = db_connection.resolve(conf)
        self.dialect: Dialect = dialect(self.url, settings)
        self._options = conf[DATABASE_GROUP]
        self._engine = self._create(beats=False)
        self._beats = self._create(beats=True)
        self._kept = Kept(self._beats) if self.dialect.keeps else None
        self._repeat = oslo_db_api.wrap_db_retry(
            retry_on_deadlock=True,
            exception_checker=lambda error: isinstance(error, oslo_db_exception.DBDuplicateEntry),
            jitter=True,
            **_RETRIES,
        )

    @property
    def place(self) -> str:
        """The URL without its password, for messages."""
        shown = {key: value for key, value in self.url.query.items() if "pass" not in key.lower()}
        return self.url.set(query=shown).render_as_string(hide_password=True)

    def read(self, look: Callable[[sa.Connection], T]) -> T:
        """Run *look* with a connection in autocommit mode."""
        return self._run(self._engine, look)

    def beat(self, write: Callable[[sa.Connection], T]) -> T:
        """Run *write* on the connection that is kept for beats alone."""
        return self._run(self._beats, write)

    def prepared(self, statement: sa.Executable) -> Prepared:
        """Compile a SELECT that is asked often. Its parameters are all named; no lists."""
        return Prepared(self._engine, statement, self.dialect.timeout, self.read)

    def prepared_beat(self, statement: sa.Executable) -> Prepared:
        """Compile what runs on the connection that is kept for beats alone."""
        return Prepared(self._beats, statement, self.dialect.timeout, self.beat, self._kept)

    def transaction(self, write: Callable[[sa.Connection], T]) -> T:
        """Run *write* as one transaction; again from its start if it lost against another one."""

        def whole(connection: sa.Connection) -> T:
            with self._begun(connection):
                return write(connection)

        result: T = self._repeat(self._run)(self._engine, whole)
        return result

    def connecting(self) -> tuple[list[Any], dict[str, Any]]:
        """Return what a connection's function of the client library is called with: plain values.

        They hold the password.
        """
        positional, named = self._engine.dialect.create_connect_args(self._engine.url)
        named = {**named, **self._connect_args(self._engine.url, beats=False)}
        named.pop("context", None)  # psycopg's types, as SQLAlchemy wants them
        return list(positional), named

    def _connect_args(self, url: sa.URL, *, beats: bool) -> dict[str, Any]:
        """Return ours; to what the URL says of the server's settings they are added."""
        arguments = self.dialect.connect_args(beats=beats)
        told = url.query.get("options", ())
        if "options" in arguments:
            words = [told] if isinstance(told, str) else [*told]
            arguments["options"] = " ".join([*words, arguments["options"]])
        return arguments

    def plain(
        self, statement: sa.Executable, **parameters: str
    ) -> tuple[str, dict[str, Any] | list[Any]]:
        """Return the text of *statement* and its parameters, as the client library takes them."""
        compiled: Any = statement.compile(self._engine)  # type: ignore[attr-defined]
        values = {**compiled.params, **parameters}
        if compiled.positional:
            return compiled.string, [values[name] for name in compiled.positiontup]
        return compiled.string, values

    def abandon(self) -> None:
        """Forget all connections without a word on the wire; the next call opens new ones."""
        for engine in (self._engine, self._beats):
            engine.dispose(close=False)

    def close(self) -> None:
        """Close all idle connections."""
        if self._kept is not None:
            self._kept.close()
        for engine in (self._engine, self._beats):
            engine.dispose()

    def version(self) -> str | None:
        """Return the revision of our tables, or ``None`` where there are none."""
        table = tables.VERSION_TABLE
        if _is_absent(self.url):
            return None
        statement: sa.Select[Any] = sa.select(sa.column("version_num")).select_from(sa.table(table))

        def look(connection: sa.Connection) -> str | None:
            if not sa.inspect(connection).has_table(table):
                return None
            version: str | None = connection.scalar(statement)
            return version

        return self.read(look)

    def makes_itself(self, version: str | None) -> bool:
        """Whether tables at *version* are brought up to date without being asked: the default's."""
        return self.is_default and (version is None or version < tables.HEAD)

    def require_tables(self) -> None:
        """Check that the tables are there in the version that this library needs.

        :raises DatabaseNotReady: they are not, or there is no such database
        :raises DriverUnavailable: the database did not answer
        """
        version = self.checked_version()
        if version is not None and version > tables.HEAD:
            raise self.too_new(version)
        if version != tables.HEAD:
            found = "holds no tables of ours" if version is None else f"is at version {version}"
            raise DatabaseNotReady(
                f"{db_connection.OPTION} {self.place} {found}, version {tables.HEAD} is needed: "
                f"run 'servicegroup db upgrade' with the same configuration"
            )

    def too_new(self, version: str | None) -> DatabaseNotReady:
        """Return the error for tables that a newer library made."""
        return DatabaseNotReady(
            f"{db_connection.OPTION} {self.place} is at version {version}, which this library "
            f"(version {tables.HEAD}) does not know: upgrade servicegroup on this host"
        )

    def checked_version(self) -> str | None:
        """Return what :meth:`version` does, with errors that say what to do.

        :raises DatabaseNotReady: there is no such database, or it is none
        :raises DriverUnavailable: the database did not answer
        """
        with self.explained():
            return self.version()

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn the errors of a first look at the database into ours, which say what to do."""
        try:
            yield
        except oslo_db_exception.DBNonExistentDatabase as error:
            raise DatabaseNotReady(
                f"{db_connection.OPTION} {self.place} cannot be opened: {first_line(error)}; "
                f"{self.dialect.create}, or correct the URL"
            ) from error
        except CLIENT_ERRORS as error:
            if "readonly database" in str(error):  # SQLite's words, also for its directory
                raise DatabaseNotReady(
                    f"{db_connection.OPTION} {self.place} cannot be written: {first_line(error)}; "
                    f"this process needs the right to write the file and its directory"
                ) from error
            raise DriverUnavailable(
                f"{db_connection.OPTION} {self.place} does not answer: {first_line(error)}; "
                f"{self.dialect.check}"
            ) from error
        except oslo_db_exception.DBError as error:
            raise DatabaseNotReady(
                f"{db_connection.OPTION} {self.place} is of no use: {first_line(error)}; correct "
                f"the URL"
            ) from error

    def _run(self, engine: sa.Engine, work: Callable[[sa.Connection], T]) -> T:
        begun = time.monotonic()
        try:
            with engine.connect() as connection:
                return work(connection)
        except DISCONNECTED:
            if time.monotonic() - begun > self.dialect.timeout / 2:
                raise  # nobody answers: the connection was not merely stale
            # The pool dropped its stale connections with this error.
            with engine.connect() as connection:
                return work(connection)
        except (oslo_db_exception.DBError, sa.exc.DBAPIError) as error:
            inner = getattr(error, "inner_exception", error)
            if not self.dialect.denied(getattr(inner, "orig", None)):
                raise
            raise DatabaseNotReady(
                f"{db_connection.OPTION} {self.place} refuses its user a right: "
                f"{first_line(error)}; grant SELECT, INSERT, UPDATE and DELETE on all tables, and "
                f"what 'servicegroup db upgrade' needs to whoever runs that"
            ) from error

    @contextlib.contextmanager
    def _begun(self, connection: sa.Connection) -> Iterator[None]:
        connection.exec_driver_sql(self.dialect.begin)
        try:
            yield
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            try:
                connection.exec_driver_sql("ROLLBACK")
            except Exception:  # noqa: BLE001 - the first error is the one to tell
                connection.invalidate()
            raise

    def _create(self, *, beats: bool) -> sa.Engine:
        options = self._options
        arguments: dict[str, Any] = {
            "isolation_level": "AUTOCOMMIT",
            "skip_autocommit_rollback": True,
            "poolclass": self.dialect.pool,
            "pool_recycle": options.connection_recycle_time,
        }
        if beats:
            arguments |= {"pool_size": 1, "max_overflow": 2}
        else:
            arguments |= {"pool_size": options.max_pool_size, "max_overflow": options.max_overflow}
        arguments["pool_timeout"] = options.pool_timeout or self.dialect.timeout
        url = self.url
        if options.connection_parameters:
            url = url.update_query_string(options.connection_parameters, append=True)
        arguments["connect_args"] = self._connect_args(url, beats=beats)
        engine = sa.create_engine(url, **arguments)
        connector = self.dialect.connector()

        @event.listens_for(engine, "do_connect")
        def connect(library: Any, record: Any, args: Any, kwargs: Any) -> Any:  # noqa: ARG001
            try:
                return (connector or library.connect)(*args, **kwargs)
            except TypeError as error:  # how Python libraries refuse a parameter
                raise ConfigurationError(
                    f"{db_connection.OPTION} {self.place} is of no use: {error}; correct the URL"
                ) from error

        @event.listens_for(engine, "connect")
        def connected(connection: Any, record: Any) -> None:  # noqa: ARG001
            self.dialect.connected(connection)

        @event.listens_for(engine, "checkin")
        def returned(connection: Any, record: Any) -> None:  # noqa: ARG001
            if connection is not None:
                self.dialect.returned(connection)

        exc_filters.register_engine(engine)
        return engine


def _is_absent(url: sa.URL) -> bool:
    """Whether it is an SQLite file that is not there; to connect would make it."""
    if url.get_backend_name() != "sqlite":
        return False
    file = pathlib.Path(url.database or "")
    return file.parent.is_dir() and not file.exists() and not str(file).startswith("file:")


def first_line(error: BaseException) -> str:
    """Return what an error says, without the statement that SQLAlchemy adds."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
