"""The baseline file: one SQLite database that belongs to one synchronizer at a time.

It is a copy of what the sources say, so there is nothing to migrate: a file of another version, or
one that cannot be read, is put aside and begun anew, with a new epoch.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
import tempfile
import time
import uuid
from pathlib import Path
from typing import IO

from servicegroup.exceptions import ConfigurationError

LOG = logging.getLogger(__name__)

VERSION = 2
#: Seconds that a write may wait for another one of the same process.
PATIENCE = 60.0

SCHEMA = f"""
PRAGMA user_version = {VERSION};
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
-- One row a key: its newest state, or that it is gone (data is NULL). seq: of its last change;
-- born: of its first; risen: since when it has been there without a break, or 0; streamed: of the
-- last word of a stream, or 0; mark: what the collector compares by, or 0; digest: what we compare
-- by.
CREATE TABLE entities (
    type TEXT NOT NULL, key TEXT NOT NULL, source TEXT NOT NULL,
    seq INTEGER NOT NULL, born INTEGER NOT NULL, risen INTEGER NOT NULL, streamed INTEGER NOT NULL,
    mark INTEGER NOT NULL, digest INTEGER NOT NULL,
    parent TEXT, project TEXT, stamp REAL, observed REAL NOT NULL, data BLOB,
    PRIMARY KEY (type, key));
CREATE INDEX entities_seq ON entities (seq);
CREATE INDEX entities_streamed ON entities (streamed) WHERE streamed > 0;
CREATE TABLE types (type TEXT PRIMARY KEY, ready INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE sources (
    name TEXT PRIMARY KEY, state TEXT NOT NULL, reason TEXT NOT NULL, types TEXT NOT NULL,
    seq INTEGER NOT NULL, observed REAL NOT NULL, newest REAL, succeeded REAL) WITHOUT ROWID;
CREATE TABLE consumers (
    name TEXT PRIMARY KEY, seq INTEGER NOT NULL, types TEXT NOT NULL, seen REAL NOT NULL)
    WITHOUT ROWID;
"""


class File:
    """The baseline file, held by this process until closed.

    :param path: ``None``: a file of this life only
    :raises ConfigurationError: it cannot be written, or another process holds it
    """

    def __init__(self, path: Path | None) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if path is None:
            self._folder = tempfile.TemporaryDirectory(prefix="servicegroup-synchronizer-")
            path = Path(self._folder.name) / "baseline.sqlite"
        self.path = path
        self._lock = _lock(path)
        try:
            self.writer = self._opened()
        except BaseException:
            self._lock.close()
            raise
        found = self.writer.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
        self.epoch: str = found[0]

    def reader(self) -> sqlite3.Connection:
        """Return one more connection, for one thread that reads."""
        connection = _connect(self.path)
        connection.execute("PRAGMA query_only = ON")
        return connection

    def close(self) -> None:
        """Let it go."""
        self.writer.close()
        self._lock.close()
        if self._folder is not None:
            self._folder.cleanup()

    def _opened(self) -> sqlite3.Connection:
        connection = None
        try:
            connection = _connect(self.path)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == VERSION:
                (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if found == "ok":
                    return connection
                why = str(found)
            elif version == 0 and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                return _made(connection)
            else:
                why = f"it is of version {version}, and this is version {VERSION}"
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
                raise ConfigurationError(
                    f"[synchronizer] baseline_path={self.path} cannot be used: {error}"
                ) from error
            why = str(error)
        if connection is not None:
            connection.close()
        aside = f"{self.path}.broken-{int(time.time())}"
        LOG.error(
            "the baseline %s cannot be read (%s): it is kept as %s, and every consumer gets a "
            "complete snapshot",
            self.path,
            why,
            aside,
        )
        self.path.rename(aside)
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}{suffix}").unlink()
        return _made(_connect(self.path))


def _lock(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"[synchronizer] baseline_path={path} cannot be used: {error}"
        ) from error
    file = os.fdopen(descriptor, "r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = file.read().strip()
        file.close()
        raise ConfigurationError(
            f"[synchronizer] baseline_path={path} is in use by process {owner}; give each "
            f"synchronizer a path of its own"
        ) from error
    file.seek(0)
    file.truncate()
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _connect(path: Path) -> sqlite3.Connection:
    # Ours alone, as are the files that SQLite puts beside it. Not by umask, which is all threads'.
    with contextlib.suppress(OSError):  # told by SQLite
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(
        path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _made(connection: sqlite3.Connection) -> sqlite3.Connection:
    # All of it or nothing: whoever is killed meanwhile leaves an empty file.
    try:
        connection.executescript(f"BEGIN IMMEDIATE;{SCHEMA}")
        meta = [("epoch", uuid.uuid4().hex), ("seq", 1), ("purged", 0)]
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection
