"""What the two processes say to each other: one line of JSON there, lines of text back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from servicegroup.will import LastWill

#: Said before the channel is closed by one who left all groups.
CLEAN = b"."
#: Said back: everything is imported, or why it cannot be.
READY = b"ready\n"
FAILED = b"failed: "


class Task(NamedTuple):
    """What a guardian is given.

    ``limit``: seconds after which it gives up. ``environment``: the daemon's own, which the client
    libraries look at; it may hold secrets, as the wills may. ``directory``: the daemon's, where the
    names of certificates may begin.
    """

    wills: Sequence[LastWill]
    limit: float
    environment: Mapping[str, str]
    directory: str


def packed(task: Task) -> bytes:
    """Return *task* as one line.

    :raises TypeError: a will is not plain JSON
    """
    return json.dumps(task._replace(environment=dict(task.environment))).encode() + b"\n"


def unpacked(line: bytes) -> Task:
    """Return the task in a line."""
    wills, *rest = json.loads(line)
    return Task([LastWill(*will) for will in wills], *rest)
