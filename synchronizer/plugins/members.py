"""Our own members as entities: who is up, through the watch of each group."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from urllib.parse import quote

from oslo_config import cfg

from servicegroup import ServiceGroup
from servicegroup.clock import boottime
from servicegroup.exceptions import DriverUnavailable
from servicegroup.model import EventType
from servicegroup.status import Event, MemberStatus
from servicegroup.watch import Watch

from ..model import Deleted, Entity
from ..plugin import Context, Feed, StreamPlugin

TYPE = "servicegroup.member"
#: Seconds between two looks for groups that are new.
GROUPS_EVERY = 5.0
#: Seconds between two looks whether we are to stop.
STEP = 0.2
#: Seconds that whoever asks waits for it to begin.
LOADING = 5.0
#: Before any incarnation and revision.
_NEVER = (0, 0)


class MembersPlugin(StreamPlugin):
    """Members of the configured ServiceGroup. Key: ``GROUP/MEMBER``; state: up, down, unknown."""

    entity_types = (TYPE,)
    complete = True
    options = (
        cfg.ListOpt(
            "groups",
            default=[],
            sample_default="<all>",
            help="The groups whose members are wanted.",
        ),
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._watches: dict[str, Watch] = {}
        self._events: queue.SimpleQueue[tuple[str, Event]] = queue.SimpleQueue()
        #: Groups whose watch does not know how they are.
        self._stale: set[str] = set()
        #: Whether everything has to be read again.
        self._lacking = True
        #: By key the incarnation and the revision that were read last.
        self._read: dict[str, tuple[int, int]] = {}
        self._service_group: ServiceGroup | None = None
        self._watching = threading.Event()

    def get_all(self) -> Iterator[Entity]:
        """Ask the store."""
        self._watching.wait(LOADING)
        service_group = self._service_group
        if service_group is None:
            raise RuntimeError("it is not watching yet")
        return self._everybody(service_group)

    def run(self, feed: Feed, stopping: threading.Event) -> None:
        """Watch all groups, new ones as soon as they are seen."""
        assert self.context.conf is not None
        with ServiceGroup(self.context.conf) as service_group:
            self._service_group = service_group
            self._watching.set()
            self._watches, self._events = {}, queue.SimpleQueue()
            self._stale, self._lacking = set(), True
            look_at = boottime()
            try:
                while not stopping.is_set():
                    if boottime() >= look_at:
                        look_at = boottime() + GROUPS_EVERY
                        self._look_for_groups(feed, service_group)
                    self._tell(feed)
                    if self._lacking and not self._stale:
                        self._complete(feed, service_group)  # newer than what was just told
            finally:
                self._watching.clear()
                self._service_group = None
                for watch in self._watches.values():
                    watch.close()

    def _look_for_groups(self, feed: Feed, service_group: ServiceGroup) -> None:
        try:
            groups = self._groups(service_group)
        except DriverUnavailable as error:
            feed.failing(str(error))
            self._lacking = True
            return
        for group in set(groups) - self._watches.keys():
            self._stale.add(group)
            watch = self._watches[group] = service_group.watch(group)
            name = f"synchronizer-{self.context.name}-{group}"
            threading.Thread(
                target=self._follow, args=(group, watch), name=name, daemon=True
            ).start()

    def _follow(self, group: str, watch: Watch) -> None:
        for event in watch:
            self._events.put((group, event))

    def _tell(self, feed: Feed) -> None:
        """Wait a moment for events, and tell what they say."""
        changes: list[Entity | Deleted] = []
        for group, event in self._came():
            if event.type is EventType.STALE:
                self._stale.add(group)
                self._lacking = True
                feed.failing(f"group {group!r} cannot be read: {event.reason}")
            elif event.type in (EventType.READY, EventType.FRESH):
                self._stale.discard(group)
            elif event.status is not None:
                gone = event.type is EventType.LEFT
                told = entity(event.status)
                if _version(event.status) < self._read.get(told.key, _NEVER):
                    self._lacking = True  # older than what was read since; or the store was emptied
                changes.append(Deleted(told.key, TYPE) if gone else told)
        if changes and not self._lacking:
            feed.changed(changes)

    def _complete(self, feed: Feed, service_group: ServiceGroup) -> None:
        """Read everything: what went while nobody watched was told by no event."""
        try:
            feed.complete(self._everybody(service_group), feed.mark())
        except DriverUnavailable as error:
            feed.failing(str(error))
        else:
            self._lacking = False
            feed.recovered()

    def _came(self) -> Iterator[tuple[str, Event]]:
        try:
            yield self._events.get(timeout=STEP)
            while True:
                yield self._events.get_nowait()
        except queue.Empty:
            return

    def _groups(self, service_group: ServiceGroup) -> list[str]:
        return self.option["groups"] or service_group.groups()

    def _everybody(self, service_group: ServiceGroup) -> Iterator[Entity]:
        """Ask for everybody when the first one is wanted: nothing is told meanwhile."""
        read = {}
        for group in self._groups(service_group):
            for status in service_group.get_members(group):
                told = entity(status)
                read[told.key] = _version(status)
                yield told
        self._read = read


def _version(status: MemberStatus) -> tuple[int, int]:
    return status.member.incarnation, status.member.revision


def entity(status: MemberStatus) -> Entity:
    """Return a member as an entity."""
    member = status.member
    return Entity(
        key=f"{quote(member.group_id, safe='')}/{member.member_id}",
        type=TYPE,
        state=status.state.value,
        parent_key=member.hostname or None,
        role=member.group_id,
        data={
            "name": member.name,
            "hostname": member.hostname,
            "process_id": member.process_id,
            "incarnation": member.incarnation,
            "enabled": status.enabled,
            "attributes": dict(member.attributes),
        },
    )
