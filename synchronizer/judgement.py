"""What to make of a poll that was complete: the only place that decides it."""

from __future__ import annotations

from .wire import Read

#: A source whose items change so much, so many times in a row, is asked to declare its fields.
VOLATILE_SHARE, VOLATILE_POLLS, VOLATILE_LEAST = 0.5, 3, 20


def refusal(read: Read, max_delete_fraction: float) -> str | None:
    """Return why a poll must not change anything, or ``None``."""
    if read.gone and read.gone > max_delete_fraction * read.known:
        return (
            f"it would delete {read.gone} of {read.known} entities at once, more than "
            f"max_delete_fraction={max_delete_fraction:g} allows; if that is right, raise it"
        )
    return None


class Volatility:
    """Notices a source that says something else each time."""

    def __init__(self) -> None:
        self._polls = 0

    def complaint(self, read: Read) -> str | None:
        """Return what is wrong, after one more complete poll, or ``None``."""
        volatile = (
            read.known >= VOLATILE_LEAST
            and read.read >= VOLATILE_LEAST
            and read.changed > VOLATILE_SHARE * read.read
        )
        self._polls = self._polls + 1 if volatile else 0
        if self._polls < VOLATILE_POLLS:
            return None
        return (
            f"{read.changed} of its {read.read} entities changed in each of the last "
            f"{self._polls} polls: declare fields= in the plugin, without those that always change"
        )
