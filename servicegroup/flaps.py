"""Flapping: a member that goes down and comes back, again and again. Pure, and the only place.

The history travels with the member's description in the store, so that who asks once sees it too.
It is written only where a life begins or comes back, never by a beat.
"""

from __future__ import annotations

from typing import NamedTuple

#: Seconds of quiet life after which what was before is forgotten.
CALM = 600.0
#: So many returns within such times are flapping. Two are a bad day.
LEAST = 3


class Flaps(NamedTuple):
    """How many times a member came back since it last lived quietly for ``CALM`` seconds.

    ``since``: the first return, ``last``: the latest; the store's wall clock in seconds since 1970.
    """

    times: int
    since: float
    last: float


_SHAPES = {(int, since, last) for since in (int, float) for last in (int, float)}


def remade(value: object) -> Flaps | None:
    """Return the history of which *value* is what JSON makes of it; ``None`` remains that.

    :raises ValueError: it is something else
    """
    if value is None:
        return None
    if type(value) is not list or tuple(map(type, value)) not in _SHAPES:
        raise ValueError(f"{value!r} is no history of returns")
    return Flaps(*value)


def came_back(before: Flaps | None, now: float) -> Flaps:
    """Return the history with one more return, at *now* by the store's wall clock."""
    if before is None or now - before.last > CALM:
        return Flaps(1, now, now)
    return Flaps(before.times + 1, before.since, now)


def flapping(flaps: Flaps | None, since: float | None) -> bool:
    """Whether a member with this history flaps.

    :param since: seconds that it has been in its present state; ``None`` where no store keeps it,
        and then nobody can tell that it does not
    """
    return flaps is not None and flaps.times >= LEAST and came_back_lately(flaps, since)


def came_back_lately(flaps: Flaps | None, since: float | None) -> bool:
    """Whether a member with this history came back within ``CALM`` seconds; as :func:`flapping`."""
    return flaps is not None and (since is None or since <= CALM)
