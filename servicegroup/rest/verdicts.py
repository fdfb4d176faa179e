"""What to answer where a format has no word for ``unknown``."""

from __future__ import annotations

from collections.abc import Collection

from servicegroup.clock import boottime
from servicegroup.exceptions import LivenessUnknown
from servicegroup.model import State
from servicegroup.status import MemberStatus

_Key = tuple[str, str]


class Verdicts:
    """Remembers the last verdict on each member that this process answered with.

    While nobody can tell, that one goes on being answered for *patience* seconds. Then the answer
    is an error: nobody is called dead, or alive, because we do not know. Usable from any thread.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._known: dict[_Key, bool] = {}
        self._unknown_since: dict[_Key, float] = {}

    def is_up(self, status: MemberStatus) -> bool:
        """Return the verdict on one member.

        :raises LivenessUnknown: it is unknown, and was never known or has been so for too long
        """
        member = status.member
        key = (member.group_id, member.member_id)
        state = status.liveness.state
        if state is not State.UNKNOWN:
            self._known[key] = up = state is State.UP
            if self._unknown_since:
                self._unknown_since.pop(key, None)
            return up
        since = self._unknown_since.setdefault(key, boottime())
        known = self._known.get(key)
        if known is None or boottime() - since > self._patience:
            raise LivenessUnknown(
                f"nobody can tell whether member {key[1]!r} of group {key[0]!r} is up: "
                f"{status.reason}"
            )
        return known

    def forget_others(self, statuses: Collection[MemberStatus]) -> None:
        """Forget all members but these, where many more are remembered than there are."""
        if len(self._known) <= 2 * len(statuses) + 1000:
            return
        present = {(one.group_id, one.member_id) for one in statuses}
        self._known = {key: up for key, up in self._known.items() if key in present}
        self._unknown_since = {
            key: since for key, since in self._unknown_since.items() if key in present
        }
