"""The driver's class: what each method of the contract is made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import ClassVar

from servicegroup import driver
from servicegroup.model import Member
from servicegroup.will import LastWill

from .client import CLIENT_ERRORS, NEGOTIATED_SLACK
from .clock import ServerClock
from .ending import Ends
from .layout import Note, Paths
from .members import Members
from .options import OPTIONS
from .session import Session
from .settings import GROUP, checked
from .sight import Sight
from .watches import Watches

_ALL = driver.Capability.WATCH | driver.Capability.REMEMBERS


class ZooKeeperDriver(driver.Driver):
    """Apache ZooKeeper through kazoo, at ``[servicegroup_zookeeper] hosts``."""

    capabilities = _ALL
    client_errors: ClassVar[tuple[type[Exception], ...]] = CLIENT_ERRORS
    options_group = GROUP
    options = OPTIONS

    def __init__(self, context: driver.Context) -> None:
        super().__init__(context)
        settings = context.settings
        options = checked(context.conf[GROUP])
        self.ends_after = self._asked = options.session_timeout
        paths = Paths(options.root)
        self._session = Session(options, settings.call_timeout, settings.report_interval)
        self._ends = Ends(self._session, paths)
        clock = ServerClock(self._session, paths)
        self._members = Members(
            self._session, paths, clock, context.instance_id, settings.service_down_time
        )
        self._sight = Sight(self._session, paths, clock)
        self._watches = Watches(self._session, paths)

    def start(self) -> None:
        self._session.start()
        self.capabilities = _ALL if self._session.watches else driver.Capability.REMEMBERS

    def stop(self) -> None:
        self._watches.stop()
        self._session.stop(orderly=not self._members.holds)

    def join(self, members: Sequence[Member]) -> list[Member]:
        return self._members.join(members)

    def update(self, members: Sequence[Member]) -> list[driver.Lost]:
        return self._members.update(members)

    def heartbeat(
        self,
        instance_id: str,  # noqa: ARG002 - our session can beat for no other
        members: Sequence[Member],
    ) -> list[driver.Lost]:
        return self._members.heartbeat(members)

    def leave(self, members: Sequence[Member]) -> None:
        self._members.leave(members)

    def findings(self) -> list[driver.Finding]:
        self._session.contents([])  # opens the session
        asked, granted = self._asked, self._session.granted
        if granted is None:
            return []
        words = f"the server grants a session time-out of {granted:g} s, {asked:g} s are asked for"
        if abs(granted - asked) <= NEGOTIATED_SLACK * asked:
            return [driver.Finding("session", True, words)]
        remedy = "change minSessionTimeout, maxSessionTimeout or tickTime there, or session_timeout"
        return [driver.Finding("session", False, words, remedy)]

    def end(self, instance_id: str, reason: str) -> None:
        self._ends.end(instance_id, Note(reason, True))

    def last_will(self, reason: str) -> LastWill:
        values = self.context.conf[GROUP]
        arguments = {
            "values": {option.dest: values[option.dest] for option in OPTIONS},
            "call_timeout": self.context.settings.call_timeout,
            "instance_id": self.context.instance_id,
            "reason": reason,
        }
        return LastWill("servicegroup.drivers.zookeeper.last_will:prepared", arguments)

    def sightings(
        self,
        group_id: str,
        member_ids: Collection[str] | None = None,
        *,
        known: Mapping[str, Member] | None = None,
        attributes: bool = True,  # noqa: ARG002 - they come in the same node as the rest
    ) -> driver.Sightings:
        seen = self._sight.sightings(group_id, member_ids, known or {})
        self._watches.saw(group_id, seen.members, whole=member_ids is None)
        return seen

    def groups(self) -> list[str]:
        return self._sight.groups()

    def watch(
        self, group_id: str, changed: Callable[[Collection[str] | None], None]
    ) -> Callable[[], None]:
        return self._watches.watch(group_id, changed)
