"""Whether an entity changed: 64 bits of a hash over what counts.

Only the old and the new state of one key are compared, so that no two of many matter: a change
goes unseen once in 2**64.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import xxhash

from .model import Entity

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_hash = xxhash.xxh3_64_intdigest


def fingerprint(entity: Entity, fields: Sequence[str] | None) -> int:
    """Return the hash of all of *entity* but its time, of ``data`` only *fields* unless ``None``.

    :raises TypeError: something in it is not plain data
    """
    data: Any = entity.data
    if fields is not None:
        data = [data.get(name) for name in fields]
    return _hash(
        _encode(
            (
                entity.state,
                entity.parent_key,
                entity.child_keys,
                entity.project,
                entity.role,
                data,
            )
        )
    )


def row_fingerprints(rows: Iterable[Any]) -> list[int]:
    """Return the hash of each of a source's own rows."""
    return list(map(_hash, map(_encode, rows)))


def signed(mark: int) -> int:
    """Return 64 bits as the signed number that databases keep."""
    return mark - (1 << 64) if mark >> 63 else mark


def unsigned(mark: int) -> int:
    """Return what :func:`signed` was given."""
    return mark & ((1 << 64) - 1)
