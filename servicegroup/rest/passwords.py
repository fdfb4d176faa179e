"""``http_basic``: users in a file of bcrypt hashes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import secrets
import threading
from collections.abc import Collection
from pathlib import Path

import bcrypt
import falcon

from servicegroup.exceptions import ConfigurationError
from servicegroup.rest.access import Caller
from servicegroup.rest.options import GROUP

LOG = logging.getLogger(__name__)

_PREFIXES = ("$2a$", "$2b$", "$2y$")
#: Entries of credentials that were found right; a hash takes a twentieth of a second and more.
_REMEMBERED = 1000


class Passwords:
    """The users of an htpasswd file, read again when it changes. Usable from any thread.

    :param admins: users with the role admin; the others are readers
    :raises ConfigurationError: the file cannot be read, or holds other hashes than bcrypt
    """

    challenge = 'Basic realm="servicegroup", charset="UTF-8"'

    def __init__(self, path: str, admins: Collection[str]) -> None:
        self._path = Path(path)
        self._admins = frozenset(admins)
        self._lock = threading.Lock()
        self._salt = secrets.token_bytes(32)
        # Compared with where there is no such user: whether there is one must not be told by the
        # time that it takes.
        self._nobody = bcrypt.hashpw(secrets.token_hex(16).encode(), bcrypt.gensalt())
        self._right: dict[bytes, str] = {}
        self._stamp: tuple[int, int] = (0, 0)
        self._hashes: dict[str, bytes] = {}
        self._refresh()

    def caller(self, req: falcon.Request) -> Caller | None:
        """Return the user of a right password."""
        given = _given(req.get_header("Authorization") or "")
        if given is None:
            return None
        try:
            self._refresh()
        except ConfigurationError as error:
            LOG.error("the users stay as they were: %s", error)
        user, password = given
        key = hashlib.blake2b(user.encode() + b"\0" + password, key=self._salt).digest()
        if self._right.get(key) != user:
            known = self._hashes.get(user, self._nobody)
            if not (_matches(password, known) and user in self._hashes):
                return None
            with self._lock:
                if len(self._right) >= _REMEMBERED:
                    self._right.clear()
                self._right[key] = user
        return Caller(user, ("admin", "reader") if user in self._admins else ("reader",))

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"[{GROUP}] htpasswd_file={self._path} cannot be read: {error}"
            ) from error
        hashes = {}
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            user, colon, hashed = line.strip().partition(":")
            if not colon or not user or not hashed.startswith(_PREFIXES):
                raise ConfigurationError(
                    f"[{GROUP}] htpasswd_file={self._path}, line {number}: only bcrypt hashes are "
                    f"taken; make it with htpasswd -B"
                )
            hashes[user] = hashed.encode()
        with self._lock:
            self._hashes, self._stamp = hashes, stamp
            self._right.clear()


def _given(header: str) -> tuple[str, bytes] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
        user, colon, password = decoded.partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _matches(password: bytes, hashed: bytes) -> bool:
    try:
        return len(password) <= 72 and bcrypt.checkpw(password, hashed)
    except ValueError:  # no valid hash, or NUL in the password
        return False
