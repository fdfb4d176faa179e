"""Calling back: events of ZooKeeper, turned into the members that may have changed."""

from __future__ import annotations

import threading
import urllib.parse
from collections.abc import Callable, Collection, Iterable

from servicegroup.exceptions import NotSupported
from servicegroup.model import EndKind, Sighting

from . import layout
from .connection import Change
from .layout import Paths
from .session import Session

Changed = Callable[[Collection[str] | None], None]

#: Instances that nobody was seen to carry members with, of which news is kept for a look that may
#: be under way. With more than these, whole groups are looked at.
MOST_NEWS = 10_000


class Followed:
    """The watches on one group, and which instance carries each member as last seen.

    Instances and hashed members are named as their nodes are. Not locked.
    """

    def __init__(self) -> None:
        self.watches: dict[object, Changed] = {}
        self.hashed: dict[str, str] = {}
        #: Whether the whole group was looked at: then whoever is not known carries nobody here.
        self.whole = False
        self._carrier: dict[str, str] = {}
        self._carried: dict[str, set[str]] = {}

    def carried_by(self, instance: str) -> Collection[str]:
        """Return the members that an instance carries."""
        return tuple(self._carried.get(instance, ()))

    def saw(self, member_id: str, instance: str) -> None:
        """Note which instance carries a member."""
        if self._carrier.get(member_id) == instance:
            return
        self.lost(member_id)
        self._carrier[member_id] = instance
        self._carried.setdefault(instance, set()).add(member_id)
        node = layout.name(member_id)
        if node.startswith("#"):
            self.hashed[node] = member_id

    def lost(self, member_id: str) -> None:
        """Forget a member."""
        before = self._carrier.pop(member_id, None)
        if before is not None:
            members = self._carried[before]
            members.discard(member_id)
            if not members:
                del self._carried[before]

    def named(self, node: str) -> Collection[str] | None:
        """Return the member that a node stands for; ``None`` if it cannot be told."""
        if not node.startswith("#"):
            return (urllib.parse.unquote(node),)
        member_id = self.hashed.get(node)
        return None if member_id is None else (member_id,)


class Watches:
    """All watches of one driver: one on the server for each group, two more for all of them."""

    def __init__(self, session: Session, paths: Paths) -> None:
        self._session = session
        self._paths = paths
        self._lock = threading.Lock()
        self._groups: dict[str, Followed] = {}
        self._news: dict[str, bool] = {}

    def watch(self, group_id: str, changed: Changed) -> Callable[[], None]:
        """See :meth:`servicegroup.driver.Driver.watch`."""
        if not self._session.watches:
            raise NotSupported("this ZooKeeper cannot watch subtrees: it is older than 3.6")
        token = object()
        with self._lock:
            followed = self._groups.setdefault(group_id, Followed())
            followed.watches[token] = changed

        def stop() -> None:
            with self._lock:
                followed.watches.pop(token, None)
                if followed.watches or self._groups.get(group_id) is not followed:
                    return
                del self._groups[group_id]
                # With the lock: a watch that begins meanwhile sets anew what it needs, afterwards.
                self._end([group_id])

        paths = self._paths
        try:
            self._session.watch(paths.instances, self._instance)
            self._session.watch(paths.ended, self._noted)
            self._session.watch(paths.group(group_id), lambda node, _: self._member(followed, node))
        except BaseException:
            stop()
            raise
        return stop

    def stop(self) -> None:
        """End all of them."""
        with self._lock:
            groups, self._groups = self._groups, {}
            self._end(groups)

    def _end(self, groups: Iterable[str]) -> None:
        """End the watches on these groups, and if they are the last, what all of them share."""
        for group_id in groups:
            self._session.unwatch(self._paths.group(group_id))
        if not self._groups:
            self._news.clear()
            self._session.unwatch(self._paths.instances)
            self._session.unwatch(self._paths.ended)

    def saw(self, group_id: str, sightings: Iterable[Sighting], *, whole: bool) -> None:
        """Note what a look at a group showed; tell again what changed while it was under way."""
        if group_id not in self._groups:
            return
        overtaken = []
        with self._lock:
            followed = self._groups.get(group_id)
            if followed is None:
                return
            for one in sightings:
                member_id = one.member.member_id
                kind = None if one.ended is None else one.ended.kind
                if kind is EndKind.LEFT:
                    followed.lost(member_id)
                    continue
                instance = layout.name(one.member.instance_id)
                followed.saw(member_id, instance)
                there = self._news.pop(instance, None)
                if there is not None and there is (kind is EndKind.ENDED):
                    overtaken.append(member_id)
            followed.whole |= whole
            watches = list(followed.watches.values())
        if overtaken:
            for changed in watches:
                changed(overtaken)

    def _member(self, followed: Followed, node: str) -> None:
        with self._lock:
            members = followed.named(node) if node else None
            watches = list(followed.watches.values())
        for changed in watches:
            changed(members)

    def _instance(self, instance: str, change: Change | None) -> None:
        if change is Change.WRITTEN:  # news for its owner only
            return
        with self._lock:
            if instance and not any(one.carried_by(instance) for one in self._groups.values()):
                self._news[instance] = change is Change.CREATED
            anything = not instance or len(self._news) > MOST_NEWS
            if anything:
                self._news.clear()
        self._tell("" if anything else instance)

    def _noted(self, instance: str, change: Change | None) -> None:  # noqa: ARG002
        self._tell(instance)

    def _tell(self, instance: str) -> None:
        """Tell of the members that an instance carries, or with "" of all."""
        calls: list[tuple[Changed, Collection[str] | None]] = []
        with self._lock:
            for followed in self._groups.values():
                known = instance and followed.whole
                members = followed.carried_by(instance) if known else None
                if members is None or members:
                    calls += [(changed, members) for changed in followed.watches.values()]
        for changed, members in calls:
            changed(members)
