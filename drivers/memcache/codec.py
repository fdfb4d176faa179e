"""Keys and values: any id in a key that memcached takes, members as versioned JSON, optional HMAC.

A key names its member by a hash, the value holds the ids themselves. With a secret, a value is
bound to its key: one that was copied to another key is as foreign as one that was made up.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import logging
import os
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from servicegroup.flaps import remade
from servicegroup.model import Member

LOG = logging.getLogger(__name__)

#: The layout of a member's value; another one is foreign to this version.
VERSION = 1
#: Letters of a hashed member (120 bits) and of a hashed group (96 bits).
MEMBER_LETTERS = 20
GROUP_LETTERS = 16
#: The bit of a member key's client flags that says that it left.
LEFT_FLAG = 1 << 31
_TAG_LETTERS = 43
#: Instances are named by uuids, which may stand in a key as they are; by what else, as hashes.
_UUID = re.compile("[0-9a-f-]{36}")
_ANY = ("utf-8", "surrogatepass")

#: Where a member begins in its row: after version, whether it left, and when.
ROW_HEAD = 3
_STRANGE = "it is no member of this version"
_TEXT = (str, type(None))
_TIME = (float, int, type(None))
#: The types of a row: version, whether it left, when, and a member's fields, as each may be.
_SHAPES = {
    (int, int, at, str, str, str, str, int, started, dict, int, str, int, int, withdrawn, flaps)
    for at in _TIME
    for started in _TIME
    for withdrawn in _TEXT
    for flaps in (list, type(None))
}


class Place(NamedTuple):
    """What is kept of one member id: its last life, also after it left."""

    member: Member
    left: bool = False
    #: When it came up, withdrew or left, by the servers' wall clock.
    at: float | None = None

    @property
    def rank(self) -> tuple[int, bool, int]:
        """Of two copies the one of higher rank is the later one."""
        return (self.member.incarnation, self.left, self.member.revision)

    def holds(self, member: Member) -> bool:
        """Whether this very life is a member now."""
        return not self.left and self.same_life(member)

    def same_life(self, member: Member) -> bool:
        """Whether this is the life of *member*, also after it left."""
        mine = self.member
        return (mine.instance_id, mine.incarnation) == (member.instance_id, member.incarnation)


class Codec:
    """Makes keys, and seals and opens values. Usable from any thread."""

    def __init__(self, namespace: bytes, secret: bytes | None) -> None:
        self._prefix = namespace + b":"
        self._secret = secret
        self._mac = None if secret is None else hmac.new(secret, digestmod=hashlib.sha256)
        self._salt = b"" if secret is None else hashlib.blake2b(secret, digest_size=32).digest()
        self._refused: set[bytes] = set()
        self._lock = threading.Lock()
        #: Values so far that were not ours, or not whole.
        self.refusals = 0

    @property
    def sealed(self) -> bool:
        """Whether values carry an HMAC."""
        return self._secret is not None

    # -- keys ---------------------------------------------------------------------------------

    def key(self, kind: bytes, name: bytes) -> bytes:
        """Return the key of something of this kind, a letter, with a name fit for a key."""
        return self._prefix + kind + b":" + name

    def instance(self, kind: bytes, instance_id: str) -> bytes:
        """Return the key of something of this kind that belongs to an instance."""
        return self._prefix + kind + b":" + _instance_name(instance_id)

    def instances(self, kind: bytes, instance_ids: Sequence[str]) -> list[bytes]:
        """Return the keys of something of this kind that belong to instances."""
        prefix, plain = self._prefix + kind + b":", _UUID.fullmatch
        return [
            prefix + (one.encode() if plain(one) else _instance_name(one)) for one in instance_ids
        ]

    @staticmethod
    @functools.lru_cache(256)
    def group_name(group_id: str) -> bytes:
        """Return a group's name in keys and in the index: 16 letters."""
        return _hash(group_id.encode(), GROUP_LETTERS)

    @staticmethod
    @functools.lru_cache(4096)
    def member_name(group_id: str, member_id: str) -> bytes:
        """Return a member's name in keys and in the index: 20 letters."""
        group = group_id.encode()
        return _hash(b"%d:%b:%b" % (len(group), group, member_id.encode()), MEMBER_LETTERS)

    # -- values -------------------------------------------------------------------------------

    def seal(self, key: bytes, payload: bytes) -> bytes:
        """Return *payload* as it is stored under *key*."""
        return payload if self._mac is None else self._tag(key, payload) + payload

    def open(self, key: bytes, value: bytes) -> bytes | None:
        """Return the payload, or ``None`` (counted and logged once a key) if it is not ours."""
        if self._mac is None:
            return value
        tag, payload = value[:_TAG_LETTERS], value[_TAG_LETTERS:]
        if hmac.compare_digest(tag, self._tag(key, payload)):
            return payload
        self.refuse(key, "its HMAC is not by our secret_key")
        return None

    def encode(self, key: bytes, place: Place) -> bytes:
        """Return the value of a member's key."""
        row = [VERSION, int(place.left), place.at, *place.member]
        row[ROW_HEAD + Member._fields.index("attributes")] = dict(place.member.attributes)
        text = json.dumps(row, allow_nan=False, separators=(",", ":"))
        return self.seal(key, text.encode())

    def flags(self, place: Place) -> int:
        """Return the client flags of a member's key: its life and revision in 31 bits, and a bit.

        They tell a reader that nothing changed without its reading the value.
        """
        member = place.member
        text = f"{member.instance_id} {member.incarnation} {member.revision}"
        data = text.encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(data, digest_size=4, key=self._salt).digest()
        number = int.from_bytes(digest, "big") & (LEFT_FLAG - 1)
        return number | LEFT_FLAG if place.left else number

    def decode(self, key: bytes, value: bytes) -> Place | None:
        """Return what a member's key holds; ``None`` (counted, logged once) if it is not ours."""
        payload = self.open(key, value)
        if payload is None:
            return None
        place = _place(_json(payload))
        if place is None:
            self.refuse(key, _STRANGE)
        return place

    def decode_all(self, keys: Sequence[bytes], values: Sequence[bytes]) -> list[Place | None]:
        """Return what these members' keys hold, each as :meth:`decode` does."""
        if self._mac is None:
            payloads: Sequence[bytes | None] = values
            texts = values
        else:
            payloads = [self.open(key, value) for key, value in zip(keys, values, strict=True)]
            texts = [payload for payload in payloads if payload is not None]
        rows: list[Any] | None = None
        if len(texts) == len(keys):
            try:  # all at once, which takes half the time
                rows = json.loads(b"[%b]" % b",".join(texts))
            except (ValueError, RecursionError):
                rows = None
        if rows is None or len(rows) != len(keys):
            rows = [None if payload is None else _json(payload) for payload in payloads]
        places = []
        for at, row in enumerate(rows):
            place = _place(row)
            if place is None and payloads[at] is not None:
                self.refuse(keys[at], _STRANGE)
            places.append(place)
        return places

    def refuse(self, key: bytes, why: str) -> None:
        """Count a value that is ignored, and say so once for each key."""
        with self._lock:
            self.refusals += 1
            first = key not in self._refused
            if first and len(self._refused) < 10_000:
                self._refused.add(key)
        if first:
            LOG.error("the value of %s in memcached is ignored: %s", key.decode(), why)

    def _tag(self, key: bytes, payload: bytes) -> bytes:
        assert self._mac is not None
        mac = self._mac.copy()
        mac.update(b"%d:%b:%b" % (len(key), key, payload))
        return base64.urlsafe_b64encode(mac.digest())[:_TAG_LETTERS]


def random_name() -> bytes:
    """Return a name that nobody had before."""
    return base64.urlsafe_b64encode(os.urandom(9))


@functools.lru_cache(1024)
def _instance_name(instance_id: str) -> bytes:
    if _UUID.fullmatch(instance_id):
        return instance_id.encode()
    return _hash(instance_id.encode(*_ANY), MEMBER_LETTERS)


def _hash(text: bytes, letters: int) -> bytes:
    digest = hashlib.blake2b(text, digest_size=letters * 3 // 4).digest()
    return base64.urlsafe_b64encode(digest)


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload.decode())  # quicker than letting it find out the encoding
    except (ValueError, RecursionError):
        return None


def _place(row: Any) -> Place | None:
    """Return a row as a place if it is one, whoever wrote it."""
    if type(row) is not list or tuple(map(type, row)) not in _SHAPES or row[0] != VERSION:
        return None
    member = Member._make(row[ROW_HEAD:])
    if member.flaps is not None:
        try:
            member = member._replace(flaps=remade(member.flaps))
        except ValueError:
            return None
    return Place(member, row[1] == 1, row[2])


def as_mapping(value: object) -> Mapping[str, Any]:
    """Return decoded JSON as a mapping, empty if it is none."""
    return value if isinstance(value, dict) else {}
