"""The commands that we send, as bytes. See memcached's ``doc/protocol.txt``, "meta commands"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

#: The longest time that memcached takes as a number of seconds: 30 days. Longer ones are dates.
LONGEST = 30 * 86400


class Asked(NamedTuple):
    """What is asked of many keys: what comes before and after each."""

    before: bytes
    after: bytes

    def of(self, keys: Sequence[bytes]) -> bytes:
        """Return the commands for these keys, of which there is one at least."""
        return self.before + (self.after + self.before).join(keys) + self.after


#: Client flags; client flags and remaining time; the value and its client flags.
FLAGS = Asked(b"mg ", b" f\r\n")
LOOK = Asked(b"mg ", b" f t\r\n")
VALUE = Asked(b"mg ", b" v f\r\n")


def read(key: bytes) -> bytes:
    """Read a value with flags, remaining time and CAS token."""
    return b"mg %b v f t c\r\n" % key


def look(key: bytes) -> bytes:
    """Read flags and remaining time only."""
    return b"mg %b f t\r\n" % key


def flags(key: bytes) -> bytes:
    """Read client flags only."""
    return b"mg %b f\r\n" % key


def value(key: bytes) -> bytes:
    """Read a value only."""
    return b"mg %b v\r\n" % key


def renew(key: bytes, ttl: int, *, value: bool = False) -> bytes:
    """Give a key *ttl* seconds from now on; the remaining time in the reply is from before."""
    return b"mg %b f t%b T%d\r\n" % (key, b" v" if value else b"", ttl)


def touch(key: bytes, ttl: int) -> bytes:
    """Give a key *ttl* seconds from now on, if it is there; read its client flags."""
    return b"mg %b f T%d\r\n" % (key, ttl)


def write(key: bytes, value: bytes, *, flags: int = 0, ttl: int = 0, cas: int = 0) -> bytes:
    """Store a value; with *cas* only if the key is unchanged since that token was read."""
    condition = b" C%d" % cas if cas else b""
    return b"ms %b %d F%d T%d%b\r\n%b\r\n" % (key, len(value), flags, ttl, condition, value)


def add(key: bytes, value: bytes, *, flags: int = 0, ttl: int = 0) -> bytes:
    """Store a value only if the key is absent."""
    return b"ms %b %d F%d T%d ME\r\n%b\r\n" % (key, len(value), flags, ttl, value)


def append(key: bytes, value: bytes) -> bytes:
    """Append to a value that is there; flags and time stay."""
    return b"ms %b %d MA\r\n%b\r\n" % (key, len(value), value)


def delete(key: bytes, *, cas: int = 0) -> bytes:
    """Remove a key; with *cas* only if it is unchanged since."""
    return b"md %b%b\r\n" % (key, b" C%d" % cas if cas else b"")
