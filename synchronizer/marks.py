"""What was last told of each key of one type, and which of them a poll has found.

``{key: mark}``. An unchanged entity costs its key, its mark and a place in a dictionary, about 180
bytes.

Most sources list what they have in the same order each time. So the dictionary is in the order of
the last poll, and a poll walks along it without looking anything up, for as long as the order
holds; from then on what is found moves to a second dictionary. What was not passed, or is left in
the first one, was not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, repeat


class Marks:
    """The keys of one type with their marks; while a poll is read, which of them were found."""

    def __init__(self) -> None:
        self._left: dict[str, int] = {}
        self._found: dict[str, int] = {}
        self._keys: Iterator[str] | None = None
        self._marks: Iterator[int] = iter(())
        self._passed = 0

    def begin(self) -> None:
        """Begin a poll: nothing was found."""
        known = self.settle()
        self._keys, self._marks, self._passed = iter(known), iter(known.values()), 0

    def settle(self) -> dict[str, int]:
        """End the poll, and return the marks of all keys, to be changed."""
        self._keys = None
        if self._found:
            few, many = sorted((self._left, self._found), key=len)
            many.update(few)
            self._left, self._found = many, {}
        return self._left

    def find(self, keys: list[str]) -> list[int | None]:
        """Note that these were found, and return their marks.

        :returns: ``None`` for a key that is unknown or was found before (see :meth:`again`)
        """
        if self._keys is not None:
            if list(islice(self._keys, len(keys))) == keys:
                self._passed += len(keys)
                return list(islice(self._marks, len(keys)))
            self._part()
        marks: list[int | None] = list(map(self._left.pop, keys, repeat(None)))
        self._found.update(
            (key, mark) for key, mark in zip(keys, marks, strict=True) if mark is not None
        )
        return marks

    def again(self, key: str) -> int | None:
        """Return the mark of a key for which :meth:`find` returned none if that was found before.

        It was not if it has no mark, so that of a new key that comes twice both are told.
        """
        return self._found.get(key)

    def missing(self) -> list[str]:
        """Return the keys that were not found."""
        return list(self._left if self._keys is None else islice(self._left, self._passed, None))

    def _part(self) -> None:
        """Leave the order: move what was passed to what was found."""
        self._keys = None
        if self._passed:
            both = iter(self._left.items())
            self._found = dict(islice(both, self._passed))
            self._left = dict(both)
