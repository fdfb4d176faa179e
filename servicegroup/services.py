"""Service records: who should exist, and the operator's word on each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from servicegroup.db.operator import Operator, no_such_service
from servicegroup.db.records import Records
from servicegroup.door import Door
from servicegroup.driver import Capability, Sightings
from servicegroup.exceptions import InvalidMember, NoSuchService, NotSupported
from servicegroup.model import Record, Sighting, check_text
from servicegroup.observer import Look, Observer, absent_firsts
from servicegroup.status import Cause, MemberStatus

LOG = logging.getLogger(__name__)


class Service(MemberStatus):
    """A service record with its verdict: ``is_up`` and ``liveness`` are attributes."""

    __slots__ = ()

    @property
    def _word(self) -> Record:
        assert self.record is not None
        return self.record

    @property
    def uuid(self) -> str:
        """The record's uuid; it outlives leaving and joining again."""
        return self._word.uuid

    @property
    def version(self) -> int:
        """The service's version as it gave it at its last join."""
        return self.member.version

    @property
    def disabled(self) -> bool:
        """Whether the operator took it out of service."""
        return self._word.disabled

    @property
    def disabled_reason(self) -> str | None:
        """Why, as the operator said."""
        return self._word.disabled_reason

    @property
    def forced_down(self) -> bool:
        """Whether the operator declared it down."""
        return self._word.forced_down

    @property
    def forced_down_reason(self) -> str | None:
        """Why, as the operator said."""
        return self._word.forced_down_reason

    @property
    def updated_at(self) -> datetime | None:
        """When an operator last changed the record. Only shown: nothing is judged by it."""
        return _datetime(self._word.updated_at)

    @property
    def left_at(self) -> datetime | None:
        """When it left; ``None`` while it is a member."""
        return _datetime(self._word.left_at)


class Services:
    """``sg.services``. Every call is one transaction or one SELECT; usable from any thread.

    Raises :exc:`DriverUnavailable` where the database does not answer, and :exc:`NoSuchService`
    for a record that is not there.
    """

    def __init__(
        self,
        records: Records,
        kept_by: Door,
        door: Door,
        observer: Observer,
        remove_aside: Callable[[str, str], bool],
    ) -> None:
        self._remove_aside = remove_aside
        self._records = records
        self._kept_by = kept_by
        self._door = door
        self._observer = observer

    def list(self, group_id: str | None = None, *, left: bool = False) -> list[Service]:
        """Return the records of one group or of all, by group and member id, with their verdicts.

        One SELECT, and beside another driver one call of it per group.

        :param left: also those whose members left and have not joined again
        """
        statuses = self.statuses(group_id, left=left)
        services = [Service(*status) for status in statuses if status.record is not None]
        return sorted(services, key=_place)

    def statuses(
        self, group_id: str | None = None, *, left: bool = False, unrecorded: bool = False
    ) -> Iterator[MemberStatus]:
        """Yield the members that have a record, in no particular order, with their verdicts.

        :param unrecorded: also all members without a record, which another driver may hold
        """
        if group_id is not None:
            check_text("group id", group_id)
        sight = self._records.sight
        recorded = self._kept_by.run(lambda: sight.records(group_id, left=left))
        wider = not left and bool(absent_firsts(recorded))
        if wider:  # some left of which other workers are there
            recorded = self._kept_by.run(lambda: sight.records(group_id, left=True))
        if Capability.RECORDS in self._door.capabilities:
            looks: Iterable[Look] = [Look(recorded)]
        elif not unrecorded:
            looks = self._looks(recorded, [])
        else:
            groups = self._door.groups() if group_id is None else [group_id]
            looks = self._looks(recorded, groups)
        for look in looks:
            for status in self._observer.judged(look, left=left):
                if not wider or status.liveness.cause is not Cause.LEFT:
                    yield status

    def get(self, group_id: str, member_id: str) -> Service:
        """Return one record with its verdict."""
        _checked(group_id, member_id)
        status = self._observer.one(group_id, member_id)
        if status is not None and status.record is not None:
            return Service(*status)
        raise no_such_service(group_id, member_id)

    def disable(self, group_id: str, member_id: str, reason: str | None = None) -> None:
        """Take a service out of service; it stays so when it leaves and joins again."""
        self.set(group_id, member_id, disabled=True, disabled_reason=reason)

    def enable(self, group_id: str, member_id: str) -> None:
        """Put a service back into service; the reason for disabling it goes."""
        self.set(group_id, member_id, disabled=False)

    def force_down(self, group_id: str, member_id: str, reason: str | None = None) -> None:
        """Declare a service down, whatever its signs of life say, until taken back."""
        self.set(group_id, member_id, forced_down=True, forced_down_reason=reason)

    def unforce_down(self, group_id: str, member_id: str) -> None:
        """Let the signs of life decide again."""
        self.set(group_id, member_id, forced_down=False)

    def set(
        self,
        group_id: str,
        member_id: str,
        *,
        disabled: bool | None = None,
        disabled_reason: str | None = None,
        forced_down: bool | None = None,
        forced_down_reason: str | None = None,
    ) -> None:
        """Say both words in one statement: either all of it is done, or nothing.

        :param disabled: whether it is out of service; ``None`` leaves that as it is
        :param forced_down: whether it is declared down; ``None`` leaves that as it is
        :raises InvalidMember: neither is given, a reason for what is not said, or one that no
            store could keep
        :raises NoSuchService: there is no such record
        :raises DriverUnavailable: the database did not answer
        :raises ConfigurationError: it has no tables of ours, or older ones
        """
        if disabled is None and forced_down is None:
            raise InvalidMember("nothing to set: give disabled, forced_down or both")
        for name, word, reason in (
            ("disabled", disabled, disabled_reason),
            ("forced_down", forced_down, forced_down_reason),
        ):
            if reason is not None:
                if not word:
                    raise InvalidMember(f"{name}_reason={reason!r} goes with {name}=True only")
                check_text("reason", reason, empty=True)
        operator = self._operator(group_id, member_id)
        self._kept_by.run(
            lambda: operator.set(
                group_id,
                member_id,
                disabled=disabled,
                disabled_reason=disabled_reason,
                forced_down=forced_down,
                forced_down_reason=forced_down_reason,
            )
        )

    def delete(self, group_id: str, member_id: str) -> None:
        """Remove a record for good, and the driver's entry with it; also those of its workers.

        A process that lives under it finds itself removed at its next beat and stops.
        """
        operator = self._operator(group_id, member_id)
        for worker in self._observer.workers(group_id, member_id):
            self.delete(group_id, worker)
        freed = self._kept_by is not self._door and self._leave(group_id, member_id)
        try:
            self._kept_by.run(lambda: operator.delete(group_id, member_id))
        except NoSuchService:
            if not (self._remove_aside(group_id, member_id) or freed):
                raise
        else:
            self._remove_aside(group_id, member_id)

    def version_range(self, group_id: str) -> tuple[int, int] | None:
        """Return the lowest and the highest version among a group's members, in one aggregate.

        Forced-down members do not count; ``None`` where there are no others.
        """
        check_text("group id", group_id)
        operator = self._records.operator
        return self._kept_by.run(lambda: operator.version_range(group_id))

    def _looks(self, recorded: Sightings, also: Iterable[str]) -> Iterator[Look]:
        groups: dict[str, dict[str, Sighting]] = {group_id: {} for group_id in also}
        for sighting in recorded.members:
            member = sighting.member
            groups.setdefault(member.group_id, {})[member.member_id] = sighting
        for group_id, records in groups.items():
            yield Look(self._door.sightings(group_id), records, recorded.witnessed)

    def _leave(self, group_id: str, member_id: str) -> bool:
        try:
            return self._door.remove(group_id, member_id)
        except NotSupported as error:
            LOG.info("nothing to free beside the record of %s/%s: %s", group_id, member_id, error)
            return False

    def _operator(self, group_id: str, member_id: str) -> Operator:
        _checked(group_id, member_id)
        return self._records.operator


def _checked(group_id: str, member_id: str) -> None:
    check_text("group id", group_id)
    check_text("member id", member_id)


def _place(service: Service) -> tuple[str, str]:
    return (service.group_id, service.member_id)


def _datetime(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
