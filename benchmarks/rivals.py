"""The other columns of the tables: whoever else can do what we do, by the same names."""

from __future__ import annotations

from typing import ClassVar

#: Seconds within which one call of a rival must end; else it is measured at a smaller size.
LONGEST = 30.0


class TooSlow(Exception):
    """This would take longer than ``LONGEST``: so many *seconds*, if what was done of it tells."""

    def __init__(self, seconds: float | None = None) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Rival:
    """One way to do it. What a rival has no method for stays empty in its column.

    ``verdicts(group)``
        whom the group has, and what decides whether they are up
    ``objects(group)``
        the same with names, attributes and everything else that a listing shows
    ``one_by_one(group)``
        the same, asking for each member by itself
    ``again(group)``
        the cheapest look at a group that was seen before
    ``one(group, member)``
        whether this one is up
    ``load(group)``
        what has to be read before a watch is complete
    ``beat(instance)``
        a sign of life
    ``join(name)``, ``leave()``
        become a member of the group that is measured, and end that
    ``join_all(group, size)``, ``leave_all()``
        so many members of an empty group, and end that
    ``join_many(count)``
        get ready for joining so many, and return what joins one by its name
    ``events(interval)``
        an iterator that makes a change each time, and says how many seconds later another client
        was told of it; who is not called back looks once in *interval* seconds, or all the time
    """

    column: ClassVar[str]

    def close(self) -> None:
        """Close the connections."""


class Bare(Rival):
    """The client library alone, and the best that we could write by hand on it."""

    column = "bare client"
