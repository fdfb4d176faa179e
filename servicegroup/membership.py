"""What ``join`` returns: a handle on one member of this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from servicegroup.model import Member

#: Called with the handle and the reason, on a thread of the library: once per loss, and once more
#: if a loss that could have passed turns out to be for good.
OnLost = Callable[["Membership", str], None]
#: Returns whether the service is well; may also raise to say that it is not.
Health = Callable[[], object]


class Keeper(Protocol):
    """What a membership needs of the heart."""

    def leave(self, membership: Membership) -> bool: ...  # noqa: D102
    def update(self, membership: Membership, attributes: Mapping[str, Any]) -> None: ...  # noqa: D102
    def step_down(  # noqa: D102
        self, membership: Membership, reason: str, attributes: Mapping[str, Any]
    ) -> bool: ...
    def in_contact(self) -> bool: ...  # noqa: D102


class Membership:
    """One member that this process keeps alive. Made by :meth:`servicegroup.ServiceGroup.join`.

    Leaves when used as a context manager and the block ends. Usable from any thread.
    """

    def __init__(self, keeper: Keeper, member: Member, on_lost: OnLost | None = None) -> None:
        self.member = member
        #: Set while others may not count on this member: see :attr:`lost_reason`.
        self.lost = threading.Event()
        #: Why :attr:`lost` is set, in words; ``None`` while it is not.
        self.lost_reason: str | None = None
        self._keeper = keeper
        self._on_lost = on_lost
        self._ended = False

    @property
    def alive(self) -> bool:
        """Whether others can hear this member's process, as far as that can know.

        False a little before they may call it down for its silence, and for good once it left, was
        superseded or was removed. A service that must not run twice fences itself by this. It
        speaks of contact, not of health: a failing ``health`` does not change it.
        """
        return not self.lost.is_set() and not self._ended and self._keeper.in_contact()

    def update(self, attributes: Mapping[str, Any]) -> None:
        """Replace the attributes.

        :raises InvalidMember: they are not JSON or too large; nothing changes
        :raises DriverUnavailable: the store did not answer; they are stored as soon as it does
        :raises ServiceGroupError: the member has left or was lost for good
        """
        self._keeper.update(self, attributes)

    def leave(self) -> bool:
        """End the membership. Idempotent; never raises for a store that is away.

        :returns: True if the store confirmed it. Otherwise the library goes on trying while it is
            open, and after that the member goes down by its age.
        """
        return self._keeper.leave(self)

    def step_down(self, reason: str, attributes: Mapping[str, Any] | None = None) -> bool:
        """End the membership, but stay listed: down at once, with this reason, until it joins anew.

        For what comes back soon and does not want to be forgotten meanwhile. After a day, or
        ``forget_after``, it is removed like every other one that is down.

        :param attributes: what it publishes from now on; default: what it did
        :returns: as :meth:`leave` does
        :raises InvalidMember: attributes that no store could keep; nothing changes
        :raises ServiceGroupError: the member has left or was lost for good
        """
        return self._keeper.step_down(
            self, reason, self.member.attributes if attributes is None else attributes
        )

    def __enter__(self) -> Membership:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def __repr__(self) -> str:
        state = self.lost_reason or ("left" if self._ended else "joined")
        return f"<Membership {self.member.group_id}/{self.member.member_id}: {state}>"

    def tell_lost(self, reason: str, *, for_good: bool) -> Callable[[], None] | None:
        """Note that others may not count on this member; returns the callback that is due."""
        already = self.lost.is_set() and (self._ended or not for_good)
        self._ended = self._ended or for_good
        self.lost_reason = reason
        self.lost.set()
        on_lost = self._on_lost
        if already or on_lost is None:
            return None
        return lambda: on_lost(self, reason)

    def tell_recovered(self) -> None:
        """Note that others can see the member again."""
        if not self._ended:
            self.lost_reason = None
            self.lost.clear()

    def tell_left(self) -> None:
        """Note that it left by its own will."""
        self._ended = True

    def inherited(self) -> None:
        """Note, in a forked child, that the member stayed with the parent."""
        self._ended = True
        self.lost = threading.Event()  # the old one's lock may be held by a thread left behind
        self.lost.set()
        self.lost_reason = "the member stayed with the parent process of a fork: join again"

    @property
    def ended(self) -> bool:
        """Whether it left, was superseded or was removed."""
        return self._ended
